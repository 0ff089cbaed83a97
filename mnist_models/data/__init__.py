"""Images: where they come from, how they are checked, split, kept, read back and augmented.

Imports `foundation` only.
"""
