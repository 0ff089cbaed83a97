"""A training, as a pure function: its specification, the loop that counts its epochs, its checkpoint, its result.

Imports `programs` and what those import.
"""
