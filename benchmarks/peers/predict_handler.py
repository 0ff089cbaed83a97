"""The other side of `benchmarks.speed.serving`: a FastAPI handler as tutorials write it, that calls `model.predict`."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import keras
import numpy as np
import uvicorn
from fastapi import FastAPI, Request
from PIL import Image


def create(path: Path) -> FastAPI:
    """The same requests as the server's: one picture, or an array of many; answered by the model's first member."""
    model = keras.saving.load_model(path)
    member = next((layer for layer in model.layers if isinstance(layer, keras.Model)), model)
    application = FastAPI()

    @application.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ready"}

    @application.post("/predict")
    async def predict(request: Request) -> dict[str, Any]:
        body = await request.body()
        if request.headers["content-type"] == "image/png":
            images = np.asarray(Image.open(io.BytesIO(body)))[None]
        else:
            images = np.load(io.BytesIO(body))
        probabilities = member.predict(images[..., None].astype(np.float32) / 255, verbose=0)
        return {"labels": probabilities.argmax(axis=1).tolist(), "probabilities": probabilities.max(axis=1).tolist()}

    return application


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    uvicorn.run(create(options.model), port=options.port, log_level="error")
