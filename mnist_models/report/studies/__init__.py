"""The plots of a study: how its trials learned, what each hyperparameter did, how sure its end is.

Imports `report.drawing`, `report.words` and `report.run`, and what those import; only `report.pictures` imports it.
"""
