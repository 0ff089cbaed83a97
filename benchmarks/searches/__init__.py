"""Searches of the same space with the same clock: ours, Optuna's, and KerasTuner's own."""
