"""The server that answers with the champion: HTTP, batches, metrics, and the page to draw on. Imports no TensorFlow."""
