"""Optimisers and learning-rate schedules.

Imports `foundation` only.
"""
