"""The rows of X, from which statistics and training read, whether one process has them all or several share them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch

from skae._rows._blocks import (
    BLOCK_ELEMENTS,
    LARGE_FILE_BYTES,
    RUN_ELEMENTS,
    WINDOW_ELEMENTS,
    dense_rows,
    row_blocks,
)
from skae._rows._standardised_rows import StandardisedRows


class RowSource:
    """Rows of an array, memmap, CSR matrix or tensor, all of them held by this process.

    `ShardedRowSource` has the same interface for rows that are shared between processes. Statistics are computed from
    `blocks` and combined by `total`, so that the same code works for both classes.
    """

    is_distributed = False

    def __init__(self, X) -> None:
        self.local = X
        self.shape: tuple[int, int] = tuple(X.shape)
        self.dtype = X.dtype
        # The position of the rows of `local` among all rows.
        self.own = slice(0, X.shape[0])

    @property
    def n_rows(self) -> int:
        return self.shape[0]

    @property
    def n_features(self) -> int:
        return self.shape[1]

    @cached_property
    def is_large_file(self) -> bool:
        """Whether the rows are those of a memory-mapped file that may not be in memory."""
        array = self.local
        while array is not None and not isinstance(array, np.memmap):
            array = getattr(array, "base", None)
        return array is not None and self.local.nbytes >= LARGE_FILE_BYTES

    def take(self, rows) -> Any:
        """The given rows (indices or a slice), dense."""
        return dense_rows(self.local, rows)

    def gathered(self, rows: np.ndarray) -> Any:
        """The given rows, which are read from a large file in the order of the file."""
        if not self.is_large_file:
            return self.take(rows)
        order = np.argsort(rows)
        block = self.take(rows[order])
        result = np.empty_like(block)
        result[order] = block
        return result

    def shuffled(self, rows: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
        """The rows, given by sorted indices, in random order.

        For a large file, the order consists of windows. A window has runs of consecutive rows from random places of the
        file, and its rows are in random order. In a completely random order, each row would read a page from the disk.
        """
        if not self.is_large_file:
            return random_state.permutation(rows)
        per_run = max(1, RUN_ELEMENTS // self.n_features)
        runs = np.array_split(rows, max(1, len(rows) // per_run))
        runs = [runs[index] for index in random_state.permutation(len(runs))]
        windows = range(0, len(runs), WINDOW_ELEMENTS // RUN_ELEMENTS)
        return np.concatenate(
            [random_state.permutation(np.concatenate(runs[first : first + windows.step])) for first in windows]
        )

    def select(self, mask: np.ndarray) -> RowSource:
        """The rows chosen by a mask over all of them."""
        return RowSource(self.local[mask])

    def blocks(self, elements: int = BLOCK_ELEMENTS) -> Iterator[tuple[slice, np.ndarray]]:
        """The rows of this process as dense blocks, with their indices."""
        for rows in row_blocks(self.local.shape[0], self.n_features, elements):
            yield slice(self.own.start + rows.start, self.own.start + rows.stop), dense_rows(self.local, rows)

    def total(self, array: np.ndarray) -> np.ndarray:
        """The sum of the arrays of all processes."""
        return array

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, in the order of their ranks."""
        return [value]

    def broadcast(self, value: Any) -> Any:
        """The value of the first process."""
        return value

    def standardised(
        self, mean: np.ndarray, scale: np.ndarray, dtype: torch.dtype, device: torch.device
    ) -> StandardisedRows:
        """The rows as ``(X - mean) / scale``."""
        return StandardisedRows(self, mean, scale, dtype, device)

    def stopping_together(self, on_epoch: Callable[..., bool]) -> Callable[..., bool]:
        """Wrap `on_epoch` so that all processes stop if one of them does."""
        return on_epoch
