"""Networks as TensorFlow programs: graphs that train and evaluate, many steps at a call, kept for the next of a shape.

Imports `networks`, `optimizers`, `data` and `foundation`.
"""
