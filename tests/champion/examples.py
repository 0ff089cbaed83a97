"""Champions built by hand, whose model is a real file of the store."""

from __future__ import annotations

import hashlib
from typing import Any

from mnist_models.champion.record import Champion, Figures
from mnist_models.foundation.store import Store
from mnist_models.judging.scores import wilson_interval


def figures(correct: int = 997, images: int = 1000, **changes: Any) -> Figures:
    fields = {"loss": 0.01, "calibration_error": 0.002, "milliseconds": 1.0, "size": 5}
    return Figures(
        **{
            "images": images,
            "accuracy": correct / images,
            "wilson_95": wilson_interval(correct, images),
            **fields,
            **changes,
        }
    )


def challenger(store: Store, text: str, **changes: Any) -> Champion:
    """A challenger whose model's bytes are the text."""
    fields = {
        "key": f"promotion-{text}",
        "model": store.write(f"weights/{text}.keras", text.encode()),
        "weights": hashlib.sha256(text.encode()).hexdigest(),
        "classes": 10,
        "image_shape": (28, 28, 1),
        "dataset_fingerprint": "ab" * 32,
        "source": "mnist.npz",
        "run": f"run {text}",
        "stage": "residual_recipe",
        "figures": figures(),
        "promoted_at": "2026-11-24T20:00:00+00:00",
    }
    return Champion(**{**fields, **changes})
