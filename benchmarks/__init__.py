"""One script per claim, in rooms; each prints what it measured, by `comparison`."""

from mnist_models.foundation.processor import choose_kernels

choose_kernels()  # on both sides of every ratio
