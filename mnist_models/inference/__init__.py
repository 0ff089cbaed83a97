"""A model in use: pictures in, answers out, without TensorFlow where another form of the model can answer.

Imports `foundation`, `sources`, `data` and the records of `champion`.
"""
