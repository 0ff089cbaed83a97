"""Prefect tasks: each wraps one function of `mnist_models` with a cache key, retries and a run name."""
