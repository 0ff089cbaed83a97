"""What people read of a data set: one page, and a table of doubtful labels.

Imports `foundation`, `data`, `inspection` and the words of `report`.
"""
