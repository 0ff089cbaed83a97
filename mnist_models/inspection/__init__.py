"""A look at a data set before the hours: what is in it, what is in it twice, what drifts, which labels are doubtful.

Imports `foundation` and `data` only; no array is held in memory as a whole, but for a few numbers an image.
"""
