"""The contents of a source: read whole once, labels brought to classes, images told apart by what they show.

Imports `sources` and `foundation`.
"""
