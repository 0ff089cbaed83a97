"""The task that asks a model of pictures."""

from __future__ import annotations

import logging

from prefect import task
from prefect.cache_policies import NO_CACHE

from mnist_models.inference.answers import Answers
from mnist_models.inference.prediction import answer_request
from mnist_models.inference.request import Request
from tasks.artifacts import show_answers

LOG = logging.getLogger(__name__)


@task(name="answer", cache_policy=NO_CACHE, persist_result=False)
def answer_task(request: Request) -> Answers:
    """Answers a request; never cached, since a picture is answered sooner than a record of it is read."""
    answers = answer_request(request)
    LOG.info("%s answers %d pictures", answers.model, len(answers.answers))
    show_answers(answers)
    return answers
