"""Images: how they are read whole, checked, ordered, split, kept, read back and augmented.

Imports `sources` and `foundation`.
"""
