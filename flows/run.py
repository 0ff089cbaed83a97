"""Running a flow from the terminal."""
from __future__ import annotations

import logging, os, sys
from datetime import datetime
from mnist_models.config import Settings
from tasks.workers import worker_pool

def name_run() -> str:
    from prefect.runtime import flow_run
    settings = flow_run.parameters["settings"]
    profile = settings["profile"] if isinstance(settings, dict) else settings.profile
    return f"{profile} {datetime.now():%Y-%m-%d %H:%M:%S}"

def run(flow, settings: Settings):
    worker_pool(settings.workers)
    for name in ("flows","tasks","mnist_models"):
        logger = logging.getLogger(name); logger.setLevel("INFO")
        h = logging.StreamHandler(); h.setFormatter(logging.Formatter("%(asctime)s  %(message)s","%H:%M:%S")); logger.addHandler(h)
    return flow(settings)
