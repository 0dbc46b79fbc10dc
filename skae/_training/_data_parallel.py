"""Training on shards: each process computes the gradient for its rows of a batch, and the gradients are summed."""

from __future__ import annotations

import torch
from torch import Tensor

from skae._rows._shards import ShardedStandardisedRows
from skae._support._draws import RowGenerator
from skae._support._torch import to_numpy
from skae._training._interfaces import Network


class DataParallel:
    """A network whose loss and gradient over a batch are summed over the processes, each with its own rows.

    All processes therefore take the same step. Gradient, loss and a flag for failure are summed as one vector.

    Parameters
    ----------
    network : Network
        The network. It starts at the parameters of the first process.
    rows : ShardedStandardisedRows
    generator : RowGenerator
        The generator that the network uses.
    """

    def __init__(self, network: Network, rows: ShardedStandardisedRows, generator: RowGenerator) -> None:
        self._network, self._rows, self._generator, self._processes = network, rows, generator, rows.processes
        self.parameters = network.parameters
        start = rows.processes.broadcast(to_numpy(self.parameters))
        self.parameters.copy_(torch.from_numpy(start))

    def row_losses(self, x: Tensor) -> Tensor:
        """The losses that the first process computes, so that all processes take the same decisions."""
        losses = to_numpy(self._network.row_losses(x))
        return torch.from_numpy(self._processes.broadcast(losses))

    def bind_gradient(self, gradient: Tensor) -> None:
        """Set the vector that `loss_and_gradient` writes to."""
        self._gradient = gradient
        self._sums = gradient.new_zeros(len(gradient) + 2)
        self._network.bind_gradient(self._sums[:-2])

    def loss_and_gradient(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """The weighted mean of the losses of the rows with indices x; its gradient goes into the bound vector."""
        failure = None
        try:
            self._add_own_rows(x, weight)
        except Exception as error:
            failure = error
        self._sums[-1] = float(failure is not None or self._processes.interrupted)
        self._processes.all_reduce(self._sums)
        if self._sums[-1]:
            self._processes.exchange("a step", error=failure)
        self._gradient.copy_(self._sums[:-2])
        return self._sums[-2].clone()

    def _add_own_rows(self, indices: Tensor, weight: Tensor | None) -> None:
        """Write what the rows of this process contribute to the means over the batch."""
        x, positions = self._rows.part(indices)
        own = None if weight is None else weight[positions]
        share = len(x) / len(indices) if own is None else float(own.sum() / weight.sum())  # type: ignore[union-attr]
        if not share:
            # A row of weight zero is used, because the generators of all processes must draw the same numbers.
            x, positions, own = x.new_zeros(1, x.shape[1]), positions.new_zeros(1), None
        self._generator.part = len(indices), positions
        loss = self._network.loss_and_gradient(x, own)
        self._sums[:-2] *= share
        self._sums[-2] = loss * share
