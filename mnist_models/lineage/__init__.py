"""Where a model comes from: the record that makes it again, and the card that goes with it.

Imports all other packages but `programs`; no other package imports it.
"""
