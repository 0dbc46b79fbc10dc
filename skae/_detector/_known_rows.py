"""Training rows that belong to groups, so that they can be recognised and judged without the rows of their group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skae._rows._blocks import dense_rows
from skae._rows._duplicates import row_hashes
from skae._rows._row_source import RowSource

# The group of new rows, and of values that rows of several groups have.
NO_GROUP = -1


@dataclass(frozen=True, eq=False)
class KnownRows:
    """Sorted hashes of the values of training rows in float32, and the number of the group that each belongs to."""

    hashes: np.ndarray
    groups: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, groups: np.ndarray) -> KnownRows:
        """Of dense rows and the numbers of their groups."""
        hashes, place = np.unique(_float32_hashes(rows), return_inverse=True)
        lowest, highest = np.full(len(hashes), np.iinfo(np.intp).max), np.full(len(hashes), NO_GROUP)
        np.minimum.at(lowest, place, groups)
        np.maximum.at(highest, place, groups)
        return cls(hashes, np.where(lowest == highest, highest, NO_GROUP))

    def groups_of(self, X, part: slice = slice(None)) -> np.ndarray:
        """The groups of rows of X, `NO_GROUP` for those that are not known."""
        hashes = _float32_hashes(dense_rows(X, part))
        place = np.searchsorted(self.hashes, hashes).clip(max=len(self.hashes) - 1)
        return np.where(self.hashes[place] == hashes, self.groups[place], NO_GROUP)


@np.errstate(over="ignore")
def _float32_hashes(rows: np.ndarray) -> np.ndarray:
    """The same for rows in double and in single precision."""
    return row_hashes(RowSource(rows.astype(np.float32)))
