"""Rows of which several processes have a shard each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skae._rows._blocks import dense_rows
from skae._rows._processes import ProcessGroup
from skae._rows._row_source import RowSource
from skae._rows._standardised_rows import StandardisedRows, split_evenly
from skae._support._validation import as_weights


class ShardedRowSource(RowSource):
    """The rows of all processes in the order of their ranks. This process has `local`, at the position `own`.

    Shape and indices are those of all rows. All processes must call the same methods.
    """

    is_distributed = True
    # All processes need the same order of rows, even if only some of them read from a file.
    is_large_file = False

    def __init__(self, local, first: int, n_rows: int, processes: ProcessGroup) -> None:
        super().__init__(local)
        self.processes = processes
        self.shape = (n_rows, local.shape[1])
        self.own = slice(first, first + local.shape[0])

    def take(self, rows) -> np.ndarray:
        """The given rows, in every process."""
        here, own = self.held(rows)
        block = np.zeros((len(here), self.n_features), self.dtype)
        block[here] = dense_rows(self.local, own)
        return self.total(block)

    def select(self, mask: np.ndarray) -> ShardedRowSource:
        before = int(mask[: self.own.start].sum())
        return ShardedRowSource(self.local[mask[self.own]], before, int(mask.sum()), self.processes)

    def held(self, rows: np.ndarray | slice) -> tuple[np.ndarray, np.ndarray]:
        """A mask of the given rows that this process has, and their indices in `local`."""
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(self.n_rows))
        here = (rows >= self.own.start) & (rows < self.own.stop)
        return here, rows[here] - self.own.start

    def total(self, array: np.ndarray) -> np.ndarray:
        return self.processes.sum(array)

    def gather(self, value: Any) -> list[Any]:
        return self.processes.exchange("gathering a value", value)

    def broadcast(self, value: Any) -> Any:
        return self.processes.broadcast(value)

    def standardised(
        self, mean: np.ndarray, scale: np.ndarray, dtype: torch.dtype, device: torch.device
    ) -> ShardedStandardisedRows:
        return ShardedStandardisedRows(self, mean, scale, dtype, device)

    def stopping_together(self, on_epoch: Callable[..., bool]) -> Callable[..., bool]:
        return self.processes.stopping_together(on_epoch)


class ShardedStandardisedRows(StandardisedRows):
    """Standardised rows of shards. `take` returns rows in every process; a batch is the tensor of the row indices."""

    def __init__(
        self, source: ShardedRowSource, mean: np.ndarray, scale: np.ndarray, dtype: torch.dtype, device: torch.device
    ) -> None:
        super().__init__(source, mean, scale, dtype, device)
        self.processes, self._held = source.processes, source.held
        self._own = RowSource(source.local).standardised(mean, scale, dtype, device)

    def batches(self, order: np.ndarray, batch_size: int) -> Iterator[tuple[np.ndarray, Tensor]]:
        for indices in split_evenly(order, batch_size):
            yield indices, torch.from_numpy(indices)

    def part(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The rows of a batch that this process has, and their positions in it."""
        here, own = self._held(indices.numpy())
        x = self._own.take(own)
        return x, torch.from_numpy(np.flatnonzero(here)).to(x.device)


def as_shards(
    X, sample_weight, groups: np.ndarray | None, processes: ProcessGroup, must_agree: dict[str, Any]
) -> tuple[ShardedRowSource, np.ndarray | None, np.ndarray | None]:
    """The rows of all processes, and the weights and groups of all rows in every process.

    Raises ValueError if the processes were given different parameters or kinds of input.
    """
    sample_weight = as_weights(sample_weight, X)
    must_agree = must_agree | {
        "number of features": X.shape[1],
        "dtype of X": str(X.dtype),
        "sample_weight": None if sample_weight is None else "an array",
        "groups": None if groups is None else "an array",
    }
    for rank, facts in enumerate(told := processes.exchange("the parameters", must_agree)):
        for name, value in facts.items():
            if value != told[0][name]:
                raise ValueError(
                    f"Processes need the same {name}: rank 0 has {told[0][name]!r}, rank {rank} has {value!r}. See "
                    "docs/guide_distributed.md."
                )
    sizes = processes.exchange("the numbers of rows", X.shape[0])
    shards = ShardedRowSource(X, sum(sizes[: processes.rank]), sum(sizes), processes)
    if sample_weight is not None:
        sample_weight = np.concatenate(processes.exchange("sample_weight", sample_weight))
    if groups is not None:
        groups = np.concatenate(processes.exchange("groups", groups))
    return shards, sample_weight, groups
