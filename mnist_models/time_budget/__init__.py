"""Time as a budget: what trainings cost on a machine, and budgets that fit so many minutes of it.

Imports `training`, `search` and what those import.
"""
