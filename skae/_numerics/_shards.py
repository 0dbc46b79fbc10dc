"""Rows that several processes hold, a shard each, in place of an array that one process holds."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np


class Processes(Protocol):
    """Processes that run the same code, each on its shard of the rows; every method is called by all of them."""

    rank: int

    def exchange(self, purpose: str, value: Any) -> list[Any]:
        """The values of all processes, in the order of their ranks."""

    def first(self, purpose: str, value: Any) -> Any:
        """The value of the first process."""

    def sum(self, purpose: str, array: np.ndarray) -> np.ndarray:
        """The sum of the arrays of all processes."""


class Alone:
    """One process, which holds all rows."""

    rank = 0

    def exchange(self, purpose: str, value: Any) -> list[Any]:
        return [value]

    def first(self, purpose: str, value: Any) -> Any:
        return value

    def sum(self, purpose: str, array: np.ndarray) -> np.ndarray:
        return array


class Shards:
    """The rows of all processes in the order of their ranks; this process holds `local`, and `own` says where.

    Stands where an array X stands: shape and indices are those of all rows.
    """

    def __init__(self, local, first: int, n_rows: int, processes) -> None:
        self.local, self.processes = local, processes
        self.shape, self.dtype = (n_rows, local.shape[1]), local.dtype
        self.own = slice(first, first + local.shape[0])

    def __getitem__(self, chosen: np.ndarray) -> Shards:
        """The rows chosen by a mask over all of them."""
        before = int(chosen[: self.own.start].sum())
        return Shards(self.local[chosen[self.own]], before, int(chosen.sum()), self.processes)

    def held(self, rows: np.ndarray | slice) -> tuple[np.ndarray, np.ndarray]:
        """Which of the given rows this process holds: a mask, and their indices in `local`."""
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(self.shape[0]))
        here = (rows >= self.own.start) & (rows < self.own.stop)
        return here, rows[here] - self.own.start


def own_rows(X):
    """The rows that this process holds: X itself, or its shard."""
    return X.local if isinstance(X, Shards) else X


def processes_of(X) -> Processes:
    """The processes that hold the rows of X."""
    return X.processes if isinstance(X, Shards) else Alone()
