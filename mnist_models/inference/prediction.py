"""From a request to its answers."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from mnist_models.foundation.files import write_atomic
from mnist_models.foundation.store import Store
from mnist_models.inference.answers import Answer, Answers, answer, render
from mnist_models.inference.model import Model, find_model
from mnist_models.inference.pictures import Picture, read_pictures
from mnist_models.inference.preparation import BlankPictureError
from mnist_models.inference.request import Request
from mnist_models.inference.saliency import draw_saliency, draw_seen, saliency

LOG = logging.getLogger(__name__)


def answer_request(request: Request) -> Answers:
    """Answers a request, and writes what it asks to be written.

    Raises:
        NoModelError: If there is no model to ask.
        EngineError: If it cannot be loaded.
        PictureError: If a picture cannot be read, before any is answered.
        OSError: If a file cannot be written.
    """
    store = Store(request.store)
    model = Model(find_model(store, request.model, preparation=request.prepare, champion=request.champion))
    names, images = _prepare(request.files, model)
    answers = [
        answer(name, shares, model.class_names) for name, shares in zip(names, model.predict(images), strict=True)
    ]
    if request.explain:
        _explain(request.explain, answers, images, model)
    if request.output:
        write_atomic(request.output, render(answers, request.output_format).encode())
    return Answers(model=model.file.name, answers=tuple(answers))


def _prepare(files: tuple[Path, ...], model: Model) -> tuple[list[str], np.ndarray]:
    """Reads all pictures, and keeps of each only what the network is fed."""
    names, images = [], []
    for picture in read_pictures(list(files)):
        names.append(picture.name)
        images.append(_prepare_one(picture, model))
    return names, np.stack(images)


def _prepare_one(picture: Picture, model: Model) -> np.ndarray:
    """A blank sheet among many is said, and answered as what it is: no reason to answer none of them."""
    try:
        return model.prepare(picture.pixels, picture.name)
    except BlankPictureError as error:
        LOG.warning("%s The answer means nothing.", error)
        return np.zeros(model.engine.image_shape, np.uint8)


def _explain(folder: Path, answers: list[Answer], images: np.ndarray, model: Model) -> None:
    """Writes two pictures for each answer, named by its number, its file and its label."""
    for number, (one, image) in enumerate(zip(answers, images, strict=True), start=1):
        stem = f"{number:04d}_{Path(one.file).stem}_{one.label}".replace("/", "-")
        write_atomic(folder / f"{stem}_seen.png", draw_seen(image))
        write_atomic(folder / f"{stem}_saliency.png", draw_saliency(image, saliency(image, model.predict)))
