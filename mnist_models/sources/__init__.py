"""What is at `--data`, in whatever form: described, and read as a stream of images and labels, without trust.

Imports `foundation` only.
"""
