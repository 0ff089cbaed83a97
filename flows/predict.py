"""What the champion says of pictures: pen on paper, photographs, folders of them, arrays, and whatever --data takes.

    python flows/predict.py 7.png                              # a table
    python flows/predict.py test.csv t10k-images-idx3-ubyte.gz
    python flows/predict.py inbox --format json > answers.json

Where PREFECT_API_URL names a server, it is a run there; elsewhere nobody would see a run, and it answers at once.
"""

from __future__ import annotations

import os

from running.answering import read_command_line, write_answers

if __name__ == "__main__":
    REQUEST, FORMAT = read_command_line(__doc__)
    if not os.environ.get("PREFECT_API_URL"):  # Prefect is not even imported
        from mnist_models.inference.prediction import answer_request

        write_answers(answer_request, REQUEST, FORMAT)
        raise SystemExit(0)

# ruff: noqa: E402
from prefect import flow

from mnist_models.inference.answers import Answers
from mnist_models.inference.request import Request
from tasks.prediction import answer_task
from tasks.sending import wait_until_sent


@flow(name="predict", flow_run_name="predict {request.files}")
def predict(request: Request) -> Answers:
    """Asks the champion, or a named model, what pictures show."""
    answers = answer_task(request)
    wait_until_sent()
    return answers


if __name__ == "__main__":
    write_answers(predict, REQUEST, FORMAT)
