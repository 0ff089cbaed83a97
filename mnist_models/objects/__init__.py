"""Where results lie besides a folder: objects behind four verbs, and leases made of them. Imports nothing of ours."""
