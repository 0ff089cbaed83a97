"""Where results lie besides a folder: objects by four verbs, leases made of them, copies. Imports nothing of ours."""
