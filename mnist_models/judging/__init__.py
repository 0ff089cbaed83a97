"""The judgement: scores on the test set, labels that are probably wrong, and the final model as a file.

Imports `training`, `inspection` and what these import; nothing of `search`.
"""
