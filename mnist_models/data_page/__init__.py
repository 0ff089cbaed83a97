"""What people read of a data set: one page, and a table of doubtful labels.

Imports `foundation`, `data`, `inspection`, `judging`, and of `report` the words and the style; nothing imports it.
"""
