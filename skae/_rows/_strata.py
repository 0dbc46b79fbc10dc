"""Rows that stand for all, one drawn from each of as many strata of consecutive rows.

Rows at equal steps may all be of one kind where kinds come in turns. Every call draws the same rows: results do not
depend on `random_state`, and processes that share the rows agree.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def stratified_rows(n_rows: int, at_most: int) -> NDArray[np.intp]:
    """Indices of at most `at_most` different rows, sorted; all rows if there are no more."""
    if n_rows <= at_most:
        return np.arange(n_rows, dtype=np.intp)
    generator = np.random.RandomState(0)
    # Sizes differ by one, in random order: the larger the stratum the less often a row is drawn, whatever its kind.
    size = np.full(at_most, n_rows // at_most, dtype=np.intp)
    size[generator.permutation(at_most)[: n_rows % at_most]] += 1
    stop = np.cumsum(size)
    return generator.randint(stop - size, stop, dtype=np.intp)


def rows_by_weight(weight: NDArray[np.floating]) -> NDArray[np.intp]:
    """Indices of as many rows as there are weights, sorted, each row about as often as it weighs: strata of weight."""
    cumulative = np.cumsum(weight)
    places = (np.arange(len(weight)) + np.random.RandomState(0).uniform(size=len(weight))) / len(weight)
    return np.searchsorted(cumulative, places * cumulative[-1], side="right").clip(max=len(weight) - 1)
