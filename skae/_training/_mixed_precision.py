"""Training steps in bfloat16 for a network that is otherwise in float32."""

from __future__ import annotations

from torch import Tensor

from skae._training._interfaces import Network


class MixedPrecision:
    """A network whose gradients are computed by a copy of it in lower precision.

    The parameters, the optimiser and the held-out losses stay in the precision of the network: a step changes a
    parameter by about a thousandth, which bfloat16, with three digits, would round away.

    Parameters
    ----------
    network : Network
        The network that is trained, compared and kept.
    twin : Network
        The same network in lower precision. Its parameters are overwritten before every step.
    """

    def __init__(self, network: Network, twin: Network) -> None:
        self._network, self._twin = network, twin
        self.parameters = network.parameters

    def row_losses(self, x: Tensor) -> Tensor:
        return self._network.row_losses(x)

    def bind_gradient(self, gradient: Tensor) -> None:
        """Set the vector, in the precision of the network, that `loss_and_gradient` writes to."""
        self._gradient, self._twin_gradient = gradient, gradient.to(self._twin.parameters.dtype)
        self._twin.bind_gradient(self._twin_gradient)

    def loss_and_gradient(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """Loss and gradient of the twin, converted to the precision of the network."""
        low = self._twin.parameters.dtype
        self._twin.parameters.copy_(self.parameters)
        loss = self._twin.loss_and_gradient(x.to(low), None if weight is None else weight.to(low))
        self._gradient.copy_(self._twin_gradient)
        return loss.to(self.parameters.dtype)
