"""What "auto" means: settings that follow the number of rows.

Few rows need shrinkage towards PCA and many do not; few rows need small batches to get steps enough out of an epoch
and many can afford large ones. The rules hold the number of rows against a constant; none looks at the values.
"""

from __future__ import annotations

import math

import numpy as np

# Up to this many rows training uses all of them in each step and draws no noise: the result then depends on the rows
# and their weights alone, not on their order, and a weight of two is the same as the row given twice.
FULL_BATCH_MAX_ROWS = 256
# With fewer rows a hold-out is too small to tell the network from the anchor.
HOLD_OUT_MIN_ROWS = 100


def batch_size(n_rows: int) -> int:
    """All rows when they are few; else 64, growing with the square root of the rows beyond 8,192."""
    if n_rows <= FULL_BATCH_MAX_ROWS:
        return n_rows
    return 64 * max(1, min(16, round(math.sqrt(n_rows / 8192))))


def max_iter(n_rows: int) -> int:
    """80 epochs; more for few rows (at least 400 steps), fewer for many."""
    if n_rows <= FULL_BATCH_MAX_ROWS:
        return 400
    return 80


def alpha(n_rows: int) -> float:
    """L2 decay, 1000 / n_rows and at most 2."""
    return min(2.0, 1000.0 / n_rows)


def corruption_level(n_rows: int) -> float:
    """Input noise, 150 / n_rows and at most 0.2, in units of a feature's root mean variance."""
    return 0.0 if n_rows <= FULL_BATCH_MAX_ROWS else min(0.2, 150.0 / n_rows)


def early_stopping(n_rows: int) -> bool:
    """Whether there are rows enough to hold some out."""
    return n_rows >= HOLD_OUT_MIN_ROWS


def hold_out(
    n_rows: int, fraction: float, random_state: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Random indices to train on and to hold out; both sorted, neither empty."""
    n_held_out = min(max(1, round(fraction * n_rows)), n_rows - 1)
    order = random_state.permutation(n_rows)
    return np.sort(order[n_held_out:]), np.sort(order[:n_held_out])
