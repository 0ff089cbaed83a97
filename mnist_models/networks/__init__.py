"""The networks, one file each: plain hyperparameters in, a Keras model out; and the layers they are made of.

Imports nothing else of `mnist_models`.
"""
