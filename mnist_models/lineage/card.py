"""The model card: `README.md` beside the model, in the form that hubs read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mnist_models.data.preprocessing import EMBEDDED
from mnist_models.judging.evaluation import Mistake
from mnist_models.lineage.record import Lineage
from mnist_models.report.run import Run, StageResult
from mnist_models.report.words import decimal, duration, percent, title

TEMPLATE = "card.md.jinja"
MOST_MISTAKES = 20


def model_card(run: Run, lineage: Lineage) -> str:
    """Returns the card of a run's model, as Markdown with a front matter in YAML.

    Args:
        run: The run.
        lineage: Where its model comes from.
    """
    embedded = run.settings.data is None and run.dataset.source == EMBEDDED.name
    return (
        _environment()
        .get_template(TEMPLATE)
        .render(
            front=yaml.safe_dump(_front_matter(run, embedded), sort_keys=False, allow_unicode=True),
            name=_name(run),
            embedded=embedded,
            run=run,
            dataset=run.dataset,
            final=run.final,
            lineage=lineage,
            names=[_cell(name) for name in run.dataset.names],
            hyperparameters=_chosen(run).hyperparameters,
            mistakes=_some(run.final.mistakes),
            parameters=sum(member.parameters for member in run.members),
        )
    )


def _front_matter(run: Run, embedded: bool) -> dict[str, Any]:
    """What a hub shows beside the card: https://huggingface.co/docs/hub/model-cards."""
    ensemble, dataset = run.final.ensemble, run.dataset
    low, high = (round(end, 4) for end in ensemble.wilson_95)
    return {
        **({"license": "apache-2.0"} if embedded else {"license": "other", "license_name": "that-of-the-data"}),
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": ["keras", "tensorflow", "image-classification", *(["mnist"] if embedded else [])],
        **({"datasets": ["mnist"]} if embedded else {}),
        "metrics": ["accuracy"],
        "model-index": [
            {
                "name": _name(run),
                "results": [
                    {
                        "task": {"type": "image-classification", "name": "Image classification"},
                        "dataset": {
                            "type": "mnist" if embedded else "other",
                            "name": dataset.source,
                            "split": "test",
                            "revision": dataset.fingerprint,
                        },
                        "metrics": [
                            {
                                "type": "accuracy",
                                "value": round(ensemble.test_accuracy, 4),
                                "name": f"Accuracy, {run.final.test_images} images, 95 % interval {low} to {high}",
                            },
                            {"type": "cross-entropy", "value": round(ensemble.test_loss, 5), "name": "Loss, nats"},
                        ],
                    }
                ],
            }
        ],
    }


def _name(run: Run) -> str:
    return f"{Path(run.dataset.source).stem}-{run.final.stage}"


def _cell(text: str) -> str:
    """A text that cannot end a cell of a table."""
    return " ".join(text.split()).replace("|", r"\|")


def _chosen(run: Run) -> StageResult:
    return next(stage for stage in run.stages if stage.name == run.final.stage)


def _some(mistakes: Sequence[Mistake]) -> Sequence[Mistake]:
    """The surest ones."""
    return mistakes[:MOST_MISTAKES]


def _environment() -> Environment:
    environment = Environment(  # of Markdown, not of HTML: nothing to escape
        loader=FileSystemLoader(Path(__file__).parent), trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters.update(title=title, percent=percent, decimal=decimal, duration=duration)
    return environment
