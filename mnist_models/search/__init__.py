"""Searches for hyperparameters: spaces, oracles, the conversation with them, and the trials that come of it.

Imports `training` and what that imports.
"""
