"""How Prefect's server stores the states of task runs: many in one transaction, not each in its own, as by default.

Each in its own it falls behind a run with many workers, and drops what it has no room for.
"""

IN_BATCHES = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "20",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",  # seconds
}
