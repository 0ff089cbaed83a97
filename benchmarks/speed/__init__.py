"""How fast: trials an hour, whole runs, what the pipeline costs besides training."""
