"""What an autoencoder needs of the networks that correct its linear path."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor


class Correction(Protocol):
    """A network over a slice of one flat vector of parameters, with its own back-propagation."""

    def layer_views(self, flat: Tensor) -> Any:
        """Views of a vector laid out as the parameters are, for `backward` to write to."""

    def initialise(self, generator: torch.Generator) -> None:
        """Draw parameters with which the output is still zero."""

    def is_zero(self) -> bool:
        """Whether the output is zero whatever the input."""

    def __call__(self, inputs: Tensor) -> Tensor:
        """The output."""

    def forward(self, inputs: Tensor) -> tuple[Tensor, Any]:
        """The output, and what `backward` needs."""

    def backward(self, gradient: Tensor, tape: Any, into: Any) -> Tensor:
        """Write the parameters' gradient; what is returned leads `input_gradient` to that of the inputs."""

    def input_gradient(self, returned: Tensor) -> Tensor:
        """The gradient with respect to the inputs, from what `backward` returned."""
