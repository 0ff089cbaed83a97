"""Prefect flows: what runs in which order."""

import logging

for package in ("flows", "running", "tasks", "mnist_models"):
    logging.getLogger(package).setLevel(logging.INFO)  # their lines tell the story of a run, whoever starts it
