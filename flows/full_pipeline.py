"""The whole workflow, from the images to the report: `python flows/full_pipeline.py --help`."""

from __future__ import annotations

from running.terminal import read_settings, run

if __name__ == "__main__":  # --help answers, and a bad option is refused, before the heavy imports
    SETTINGS = read_settings()

# ruff: noqa: E402
import time
from datetime import datetime

import prefect.runtime
from prefect import flow

from flows.beginning import begin
from flows.candidates import plan_candidates, train_candidates
from flows.final_evaluation import final_evaluation
from flows.labels import check_labels
from mnist_models.foundation.settings import Settings
from mnist_models.foundation.store import Store
from mnist_models.report.run import Run
from running.summary import print_summary
from tasks.artifacts import show_on_this_run, tag_run
from tasks.mlflow_tracking import TIMEOUT, track
from tasks.promotion import promote_model
from tasks.reporting import write_run
from tasks.sending import SECONDS, wait_until_sent
from tasks.stopping import stoppable


def name_run() -> str:
    """Names a run by profile and time."""
    settings = prefect.runtime.flow_run.parameters["settings"]
    profile = settings["profile"] if isinstance(settings, dict) else settings.profile
    return f"{profile} {datetime.now():%Y-%m-%d %H:%M:%S}"


@flow(name="full_pipeline", flow_run_name=name_run)
@stoppable
def full_pipeline(settings: Settings) -> Run:
    """Preprocesses the images, trains and tunes both kinds of network, judges the best, and asks the gate."""
    start = time.monotonic()
    show_on_this_run()
    tag_run("pipeline", settings.profile)
    Store(settings.store).remove_leftovers()
    fitted, dataset = begin(settings, None, "full_pipeline", plan_candidates)
    labels = check_labels(fitted, dataset) if settings.label_folds else None
    candidates = train_candidates(fitted, dataset)
    final = final_evaluation(fitted, dataset, candidates)
    judged = Run(
        name=prefect.runtime.flow_run.name,
        settings=fitted.model_copy(update={"minutes": settings.minutes}),
        dataset=dataset,
        stages=tuple(candidates),
        final=final.judgement,
        members=tuple(final.members),
        exports=final.forms,
        seconds=time.monotonic() - start,
    )
    finished = promote_model(judged, final.model)
    report = write_run(finished, final.model, labels)
    track(finished, report.parent)
    wait_until_sent(TIMEOUT if settings.mlflow else SECONDS)
    print_summary(finished, report, Store(settings.store).size())
    return finished


if __name__ == "__main__":
    run(full_pipeline, SETTINGS)
