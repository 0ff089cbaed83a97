"""The other sides: the original's recipe in plain Keras, and KerasTuner's own search."""
