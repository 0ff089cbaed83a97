"""What OpenAPI says of the requests and the answers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mnist_models.inference.answers import Answer
from running.serving.bodies import ARRAY, FORM, JSON, PICTURES


class Detailed(Answer):
    """An answer with all that led to it."""

    probabilities: list[float] | None = Field(default=None, description="Of each class, in the order of `classes`.")
    seen: str | None = Field(default=None, description="What the network saw: a PNG as a data URL.")


class Reply(BaseModel):
    """What a model says of a request's pictures."""

    model: str = Field(description="Who answers.")
    answers: list[Detailed] = Field(description="One per picture, in the order in which they were sent.")


class Health(BaseModel):
    """A model is ready to answer."""

    model_config = ConfigDict(frozen=True)

    status: str = "ready"
    model: str = Field(description="Who answers: the run that made the model, and the first digits of its weights.")
    engine: str = Field(description="What runs it.")
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int] = Field(description="(height, width, channels) that pictures are brought to.")
    pen: bool = Field(description="Whether pictures are taken for pen on paper.")


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str = Field(description="What was expected, and what came.")


_PICTURE = {"schema": {"type": "string", "format": "binary"}}
_ITEM = {
    "oneOf": [
        {"type": "string", "description": "A PNG, JPEG, WebP, GIF or BMP in base64, or as a data URL."},
        {"type": "array", "description": "Rows of pixels from 0 to 255: [height][width] or [height][width][3]."},
    ]
}
_BODY: dict[str, Any] = {
    **dict.fromkeys(PICTURES, _PICTURE),
    FORM: {"schema": {"type": "object", "properties": {"files": {"type": "array", "items": _PICTURE["schema"]}}}},
    JSON: {
        "schema": {
            "type": "object",
            "required": ["images"],
            "properties": {"images": {"type": "array", "items": _ITEM}},
        }
    },
    ARRAY: _PICTURE,
}
PREDICT: dict[str, Any] = {
    "summary": "What do these pictures show?",
    "description": "One picture, or several at once: as a form, as JSON, or as an array that numpy.save wrote.",
    "response_model": Reply,
    "openapi_extra": {"requestBody": {"required": True, "content": _BODY}},
    "responses": {
        status: {"model": Problem, "description": text}
        for status, text in {
            400: "The body is not what it says it is.",
            401: "The key is missing, or another.",
            408: "The body took too long.",
            413: "The body, or the number of pictures, is too large.",
            415: "The body is of another type.",
            422: "A picture cannot be read, or nothing is drawn on it.",
            503: "There is no model yet, or too much waits.",
        }.items()
    },
}
"""Of the path /predict."""
