"""What survives: kills at any moment, many triggers at once."""
