"""Where work runs on more than one machine: the workers of a Dask cluster. Imports `tasks.workers`, never Prefect."""
