"""Pure functions that train, tune and judge image classifiers. Nothing here knows Prefect."""
