"""The interface of the networks f and g, which correct the linear path of an autoencoder."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor


class Correction(Protocol):
    """A network over a slice of one flat vector of parameters, with its own back-propagation."""

    def layer_views(self, flat: Tensor) -> Any:
        """Views of a vector laid out as the parameters are, for `backward` to write to."""

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the initial parameters, with which the output is zero."""

    def is_zero(self) -> bool:
        """Whether the output is zero for every input."""

    def __call__(self, inputs: Tensor) -> Tensor:
        """The output."""

    def forward(self, inputs: Tensor) -> tuple[Tensor, Any]:
        """The output, and what `backward` needs."""

    def backward(self, gradient: Tensor, tape: Any, into: Any) -> Tensor:
        """Write the gradient of the parameters; return what `input_gradient` needs."""

    def input_gradient(self, returned: Tensor) -> Tensor:
        """The gradient with respect to the inputs, from what `backward` returned."""
