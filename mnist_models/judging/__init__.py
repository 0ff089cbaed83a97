"""The judgement: scores on the test set, and the final model as a file.

Imports `training` and what that imports; nothing of `search`.
"""
