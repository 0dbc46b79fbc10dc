"""Rows to train on and rows to hold out."""

from __future__ import annotations

import numpy as np

from skae._rows._blocks import row_indices
from skae._rows._training_rows import TrainingRows

# A hold-out of this many rows is enough to compare a trained network with its start. With many rows it is a twentieth
# of them, up to the maximum; more rows are better used for training.
HOLD_OUT_ROWS = 100
MAX_HOLD_OUT_ROWS = 2000
# For more rows than these, strata are made from a random sample.
MAX_ROWS_IN_STRATA = 1_000_000
# At least this many groups are held out, or half of all groups if there are fewer than twice as many. With fewer groups
# it is too likely that all of them improve by chance.
MIN_GROUPS_TO_JUDGE = 3
# Held-out groups have at most this share of the rows, unless a larger share of the groups is requested.
MAX_SHARE_OF_GROUPS = 0.5


def split_rows(
    rows: TrainingRows, fraction: float, random_state: np.random.RandomState, norms: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Random indices of rows to train on and to hold out (None for a fraction of 0); both sorted, neither empty.

    If a row that has equal rows is held out, it is the first of them, and none of the others is trained on: a row that
    was memorised shows nothing. If `norms` of the rows are given, one row is drawn from each of as many strata of equal
    size by norm, so that there are extreme rows on both sides. If rows belong to groups, whole groups are held out, and
    `fraction` is a share of the groups.
    """
    indices = row_indices(rows.n_rows)
    if not fraction or rows.n_rows < 2:  # only one row may have a positive weight
        return indices, None
    if rows.groups is not None and rows.n_groups > 1:
        is_held_out = draw_groups(rows.groups, fraction, random_state)[rows.groups]
        return indices[~is_held_out], _at_most(indices[is_held_out], MAX_HOLD_OUT_ROWS, random_state)
    first = rows.first_occurrences
    distinct = indices if first is None else indices[first == indices]
    if len(distinct) < 2:
        first, distinct = None, indices
    n_held_out = min(max(1, round(fraction * len(distinct))), len(distinct) - 1)
    order = random_state.permutation(distinct)
    if norms is None:
        held_out = np.sort(order[:n_held_out])
    else:
        order = order[: max(MAX_ROWS_IN_STRATA, n_held_out)]
        order = order[np.argsort(norms[order], kind="stable")]
        edges = np.linspace(0, len(order), n_held_out + 1).astype(np.intp)
        held_out = np.sort(order[random_state.randint(edges[:-1], edges[1:])])
    if first is not None:
        return indices[~np.isin(first, held_out)], held_out
    is_held_out = np.zeros(len(indices), dtype=bool)
    is_held_out[held_out] = True
    return indices[~is_held_out], held_out


def draw_groups(groups: np.ndarray, fraction: float, random_state: np.random.RandomState) -> np.ndarray:
    """Mask of the groups to hold out, a share of them and at least one, given the group number of each row.

    A group is skipped if the held-out groups would then have more than half of all rows.
    """
    sizes = np.bincount(groups)
    present = np.flatnonzero(sizes)
    fewest = max(1, min(MIN_GROUPS_TO_JUDGE, len(present) // 2))
    n_held_out = min(max(fewest, round(fraction * len(present))), len(present) - 1)
    most = max(fraction, MAX_SHARE_OF_GROUPS) * len(groups)
    is_held_out, n_rows = np.zeros(len(sizes), dtype=bool), 0
    for group in random_state.permutation(present):
        if n_rows + sizes[group] <= most and is_held_out.sum() < n_held_out:
            is_held_out[group] = True
            n_rows += sizes[group]
    return is_held_out


def _at_most(indices: np.ndarray, number: int, random_state: np.random.RandomState) -> np.ndarray:
    """At most `number` of the indices, drawn at random and sorted, because groups may be large."""
    return indices if len(indices) <= number else np.sort(random_state.choice(indices, number, replace=False))


def hold_out_fraction(n_rows: int) -> float:
    """A quarter of few rows, up to 100 rows; a twentieth of many, up to 2,000 rows."""
    n_held_out = min(MAX_HOLD_OUT_ROWS, max(HOLD_OUT_ROWS, n_rows / 20))
    return min(0.25, n_held_out / n_rows)
