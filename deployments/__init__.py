"""Prefect deployments: when a flow runs."""
