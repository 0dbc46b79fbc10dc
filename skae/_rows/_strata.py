"""Samples that represent all rows: one row is drawn from each stratum of consecutive rows.

Rows at equal steps would not do: if rows of several kinds alternate, they could all be of one kind. Every call draws
the same rows, so that results do not depend on `random_state`, and all processes draw the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def stratified_rows(n_rows: int, at_most: int) -> NDArray[np.intp]:
    """Sorted indices of at most `at_most` different rows; all rows if there are no more than that."""
    if n_rows <= at_most:
        return np.arange(n_rows, dtype=np.intp)
    generator = np.random.RandomState(0)
    # Sizes differ by one. They are shuffled, because a row of a larger stratum is less likely to be drawn.
    size = np.full(at_most, n_rows // at_most, dtype=np.intp)
    size[generator.permutation(at_most)[: n_rows % at_most]] += 1
    stop = np.cumsum(size)
    return generator.randint(stop - size, stop, dtype=np.intp)


def rows_by_weight(weight: NDArray[np.floating]) -> NDArray[np.intp]:
    """Sorted indices, as many as there are rows, with each row repeated in proportion to its weight.

    One is drawn from each stratum of equal weight.
    """
    cumulative = np.cumsum(weight)
    places = (np.arange(len(weight)) + np.random.RandomState(0).uniform(size=len(weight))) / len(weight)
    return np.searchsorted(cumulative, places * cumulative[-1], side="right").clip(max=len(weight) - 1)
