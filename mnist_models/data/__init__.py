"""Images: how they are split, kept, read back and augmented.

Imports `reading`, `sources` and `foundation`.
"""
