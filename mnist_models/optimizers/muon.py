"""Muon: momentum whose update of a kernel is made nearly orthogonal (Jordan et al. 2024)."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # coefficients of Jordan's quintic iteration
ITERATIONS = 5
SMALLEST_FAN_IN = 64  # kernels with fewer inputs, such as a stem's, have too few directions to be worth it
EPSILON = 1e-7


@keras.saving.register_keras_serializable(package="mnist_models")
class Muon(keras.optimizers.Optimizer):  # type: ignore[misc]
    """Muon for kernels of convolutions, SGD with Nesterov momentum for all other variables.

    Args:
        learning_rate: Of Muon.
        momentum: Of both.
        l2: Weight decay of the matrices and kernels that SGD updates, added to their gradients.
        sgd_factor: Learning rate of SGD, as a multiple of Muon's.
    """

    def __init__(self, learning_rate: float, momentum: float, l2: float, sgd_factor: float) -> None:
        super().__init__(learning_rate=learning_rate, name="muon")
        self.momentum = momentum
        self.l2 = l2
        self.sgd_factor = sgd_factor

    def build(self, variables: list[Any]) -> None:
        """Makes a momentum for each variable."""
        if not self.built:
            super().build(variables)
            self.momenta = [self.add_variable_from_reference(variable, name="momentum") for variable in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable."""
        rate = ops.cast(learning_rate, variable.dtype)
        orthogonal = len(variable.shape) == 4 and math.prod(variable.shape[:3]) >= SMALLEST_FAN_IN
        if not orthogonal and len(variable.shape) > 1:
            gradient = gradient + self.l2 * variable
        velocity = self.momenta[self._get_variable_index(variable)]
        self.assign(velocity, self.momentum * velocity + gradient)
        direction = gradient + self.momentum * velocity
        if orthogonal:
            self.assign_sub(variable, rate * _orthogonalize(direction))
        else:
            self.assign_sub(variable, rate * self.sgd_factor * direction)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        rate = float(ops.convert_to_numpy(self.learning_rate))
        return {"learning_rate": rate, "momentum": self.momentum, "l2": self.l2, "sgd_factor": self.sgd_factor}


def _orthogonalize(kernel: Any) -> Any:
    """Brings the singular values of a kernel [height, width, inputs, outputs] near 1 by Newton-Schulz iterations.

    Each iteration multiplies the kernel, as a matrix x, by a polynomial of its Gram matrix xᵀx. Iterating on that small
    matrix and multiplying x by the product of all polynomials at the end gives the same for less than half of the work.
    """
    a, b, c = NEWTON_SCHULZ
    outputs = kernel.shape[-1]
    fan_in = math.prod(kernel.shape[:3])
    x = ops.reshape(kernel, (fan_in, outputs))
    x = x / (ops.norm(x) + EPSILON)
    gram = ops.matmul(ops.transpose(x), x)
    identity = product = ops.eye(outputs, dtype=kernel.dtype)
    for _ in range(ITERATIONS):
        polynomial = a * identity + b * gram + c * ops.matmul(gram, gram)
        gram = ops.matmul(polynomial, ops.matmul(gram, polynomial))
        product = ops.matmul(product, polynomial)
    return ops.reshape(ops.matmul(x, product), kernel.shape) * max(1.0, outputs / fan_in) ** 0.5
