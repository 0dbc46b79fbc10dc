"""Training on shards: every process takes its rows of a batch, and one sum makes the gradient of all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skae._numerics._shards import Shards
from skae._support._distributed import ProcessGroup
from skae._support._draws import RowGenerator
from skae._support._inputs import as_weights
from skae._support._torch import to_numpy
from skae._training._loop import Network
from skae._training._rows import Rows, split_evenly


class ShardedRows(Rows):
    """Standardised rows of shards: `take` brings rows to every process; a batch is the tensor of its rows' indices."""

    def __init__(
        self, X: Shards, mean: np.ndarray, scale: np.ndarray, dtype: torch.dtype, device: torch.device
    ) -> None:
        super().__init__(X, mean, scale, dtype, device)
        self.processes: ProcessGroup = X.processes
        self._own, self._held = Rows(X.local, mean, scale, dtype, device), X.held

    def blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """The rows of this process, in order."""
        return self._own.blocks()

    def batches(self, order: np.ndarray, batch_size: int) -> Iterator[tuple[np.ndarray, Tensor]]:
        for indices in split_evenly(order, batch_size):
            yield indices, torch.from_numpy(indices)

    def part(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The rows of a batch that this process holds, and their positions in it."""
        here, own = self._held(indices.numpy())
        x = self._own.take(own)
        return x, torch.from_numpy(np.flatnonzero(here)).to(x.device)


class DataParallel:
    """A network whose loss and gradient over a batch are sums of what the processes find for their rows.

    Every process then takes the same step. Gradient, loss and a flag of failure travel in one vector.

    Parameters
    ----------
    network : Network
        Starts at the parameters that the first process has.
    rows : ShardedRows
    generator : RowGenerator
        What the network draws from.
    """

    def __init__(self, network: Network, rows: ShardedRows, generator: RowGenerator) -> None:
        self._network, self._rows, self._generator, self._processes = network, rows, generator, rows.processes
        self.parameters = network.parameters
        start = rows.processes.first("the start", to_numpy(self.parameters))
        self.parameters.copy_(torch.from_numpy(start))

    def row_losses(self, x: Tensor) -> Tensor:
        """The losses that the first process finds, so that all draw the same conclusions from them."""
        losses = to_numpy(self._network.row_losses(x))
        return torch.from_numpy(self._processes.first("losses", losses))

    def bind_gradient(self, gradient: Tensor) -> None:
        """Name the vector that `loss_and_gradient` writes to."""
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
        self._processes.add_up(self._sums)
        if self._sums[-1]:
            self._processes.exchange("a step", error=failure)
        self._gradient.copy_(self._sums[:-2])
        return self._sums[-2].clone()

    def _add_own_rows(self, indices: Tensor, weight: Tensor | None) -> None:
        """Write what this process' rows contribute to the means over the batch."""
        x, positions = self._rows.part(indices)
        own = None if weight is None else weight[positions]
        share = len(x) / len(indices) if own is None else float(own.sum() / weight.sum())  # type: ignore[union-attr]
        if not share:
            # A row that counts nothing: the generator must keep pace with those of the other processes.
            x, positions, own = x.new_zeros(1, x.shape[1]), positions.new_zeros(1), None
        self._generator.part = len(indices), positions
        loss = self._network.loss_and_gradient(x, own)
        self._sums[:-2] *= share
        self._sums[-2] = loss * share


def as_shards(X, sample_weight, processes: ProcessGroup, must_agree: dict[str, Any]) -> tuple[Shards, Any]:
    """The rows of all processes, and the weights of all rows in every process.

    Raises ValueError where processes were given what does not go together.
    """
    sample_weight = as_weights(sample_weight, X)
    must_agree = must_agree | {
        "number of features": X.shape[1],
        "dtype of X": str(X.dtype),
        "sample_weight": None if sample_weight is None else "an array",
    }
    for rank, facts in enumerate(told := processes.exchange("the parameters", must_agree)):
        for name, value in facts.items():
            if value != told[0][name]:
                raise ValueError(
                    f"Processes need the same {name}: rank 0 has {told[0][name]!r}, rank {rank} has {value!r}."
                )
    sizes = processes.exchange("the numbers of rows", X.shape[0])
    shards = Shards(X, sum(sizes[: processes.rank]), sum(sizes), processes)
    if sample_weight is not None:
        sample_weight = np.concatenate(processes.exchange("sample_weight", sample_weight))
    return shards, sample_weight
