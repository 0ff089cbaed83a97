"""The forms in which a model is handed on: SavedModel, LiteRT, ONNX; each checked against the model it was made from.

Imports `judging` and what that imports; `form`, the record, imports nothing heavy.
"""
