"""One script per claim, in rooms; each prints what it measured, by `comparison`."""
