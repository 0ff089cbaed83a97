"""How accurate: of the final model, of cheap trials as guides, and how soon."""
