"""What all stand on: records and their seals, files and the store, settings, fingerprints of code.

Imports `objects`, and nothing else of `mnist_models`.
"""
