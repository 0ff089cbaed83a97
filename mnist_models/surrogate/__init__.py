"""A model of the scores of combinations of hyperparameters, and what it proposes; what combinations are.

Imports nothing of the other packages.
"""
