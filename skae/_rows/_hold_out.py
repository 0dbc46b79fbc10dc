"""Rows to train on and rows to hold out."""

from __future__ import annotations

import numpy as np

from skae._rows._blocks import row_indices
from skae._rows._training_rows import TrainingRows

# A hold-out of this many rows tells a trained network from its start; beyond a twentieth of the rows, more are better
# trained on.
HOLD_OUT_ROWS = 100
MAX_HOLD_OUT_ROWS = 2000


def split_rows(
    rows: TrainingRows, fraction: float, random_state: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray | None]:
    """Random indices to train on and to hold out (None for a fraction of 0); both sorted, neither empty.

    Of equal rows the first alone is held out, and then none of them is trained on: a row that was learned by heart
    tells nothing.
    """
    indices = row_indices(rows.n_rows)
    if not fraction or rows.n_rows < 2:  # of rows with weight there may be one
        return indices, None
    first = rows.first_occurrences
    distinct = indices if first is None else indices[first == indices]
    if len(distinct) < 2:
        first, distinct = None, indices
    n_held_out = min(max(1, round(fraction * len(distinct))), len(distinct) - 1)
    order = random_state.permutation(distinct)
    held_out, train = order[:n_held_out], order[n_held_out:]
    if first is not None:
        train = indices[~np.isin(first, held_out)]
    held_out.sort()
    train.sort()
    return train, held_out


def hold_out_fraction(n_rows: int) -> float:
    """A quarter of few rows, up to 100 rows; a twentieth of many, up to 2,000 rows."""
    n_held_out = min(MAX_HOLD_OUT_ROWS, max(HOLD_OUT_ROWS, n_rows / 20))
    return min(0.25, n_held_out / n_rows)
