"""A challenger before the gate: both models on the same images, and what follows from it."""

from __future__ import annotations

import numpy as np

from mnist_models.champion.gate import Decision, Rules, describe, mismatch, objections
from mnist_models.champion.measuring import figures, load_model, single_image_milliseconds
from mnist_models.champion.paired import compare_paired
from mnist_models.champion.record import Champion
from mnist_models.data.dataset import DatasetReference, read_split, scale
from mnist_models.foundation.records import FileReference
from mnist_models.foundation.store import Address, Store
from mnist_models.judging.members import predict
from mnist_models.judging.reserve import gate_rows, open_rows


def face_champion(
    challenger: FileReference,
    champion: Champion | None,
    dataset: DatasetReference,
    reserve: float,
    rules: Rules,
    root: Address,
    *,
    key: str,
) -> Decision:
    """Decides whether a challenger becomes champion.

    Args:
        challenger: Its `.keras` file.
        champion: Of the store; None where there is none.
        dataset: What the challenger was trained on, with the test images.
        reserve: Share of the test images that only the gate sees; 0 compares on all.
        rules: What the gate asks for.
        root: The store's address.
        key: Cache key that the decision carries.

    Raises:
        DamagedFileError: If a model or the data set is damaged.
        ValueError: If the reserve leaves nothing to compare on, or nothing to report.
    """
    store = Store(root)
    test = read_split(store, dataset, "test")
    labels = np.asarray(test.y)
    gate, shown = gate_rows(test.x, reserve), open_rows(test.x, reserve)
    foreign = mismatch(dataset, champion) if champion else None
    rivals = _rivals(champion) if champion and not foreign else []
    files = [challenger, *rivals]
    models = [load_model(store.verify(file)) for file in files]
    milliseconds = single_image_milliseconds(models, scale(test.x[0]))
    answers = [predict(model, test.x).astype(np.float64) for model in models]
    mine, *others = (
        figures(answer[gate], labels[gate], time, file.size)
        for answer, time, file in zip(answers, milliseconds, files, strict=True)
    )
    right = [answer[gate].argmax(axis=1) == labels[gate] for answer in answers]
    comparisons = [compare_paired(right[0], other) for other in right[1:]]
    reasons = (foreign,) if foreign else objections(mine, others[0], comparisons, rules) if others else ()
    return Decision(
        key=key,
        verdict="refused" if reasons else "promoted",
        reason="; ".join(reasons) or (describe(comparisons[0]) if comparisons else "the first"),
        challenger=mine,
        champion=others[0] if others else None,
        with_champion=comparisons[0] if comparisons else None,
        with_anchor=comparisons[1] if comparisons[1:] else None,
        published=figures(answers[0][shown], labels[shown], milliseconds[0], challenger.size),
    )


def _rivals(champion: Champion) -> list[FileReference]:
    """The champion, and its anchor where that is another model."""
    return [champion.model, *([champion.anchor] if champion.anchor else [])]
