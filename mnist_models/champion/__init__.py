"""The champion: the model that a store stands for, how a challenger is compared with it, and their history.

Imports `export`, `judging` and what they import; `record` and `history` import nothing heavy.
"""
