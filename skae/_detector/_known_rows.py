"""Recognition of training rows, so that they can be scored without the rows of their group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skae._rows._blocks import dense_rows
from skae._rows._duplicates import row_hashes
from skae._rows._row_source import RowSource

# The group number of new rows, and of rows that occur in several groups.
NO_GROUP = -1


@dataclass(frozen=True, eq=False)
class KnownRows:
    """Sorted hashes of the training rows, which are rounded to float32, and the group number of each."""

    hashes: np.ndarray
    groups: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, groups: np.ndarray) -> KnownRows:
        """Compute the hashes of dense rows with the given group numbers."""
        hashes, place = np.unique(_float32_hashes(rows), return_inverse=True)
        lowest, highest = np.full(len(hashes), np.iinfo(np.intp).max), np.full(len(hashes), NO_GROUP)
        np.minimum.at(lowest, place, groups)
        np.maximum.at(highest, place, groups)
        return cls(hashes, np.where(lowest == highest, highest, NO_GROUP))

    def groups_of(self, X, part: slice = slice(None)) -> np.ndarray:
        """The group numbers of rows of X; `NO_GROUP` for rows that are not training rows."""
        hashes = _float32_hashes(dense_rows(X, part))
        place = np.searchsorted(self.hashes, hashes).clip(max=len(self.hashes) - 1)
        return np.where(self.hashes[place] == hashes, self.groups[place], NO_GROUP)


@np.errstate(over="ignore")
def _float32_hashes(rows: np.ndarray) -> np.ndarray:
    """Hashes that are equal for equal rows in float64 and float32."""
    return row_hashes(RowSource(rows.astype(np.float32)))
