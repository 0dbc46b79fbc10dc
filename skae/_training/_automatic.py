"""What "auto" means: settings that follow the number of rows.

Few rows need shrinkage towards PCA and many do not; few rows need small batches to get steps enough out of an epoch
and many can afford large ones. The rules hold the number of rows against a constant; none looks at the values.
"""

from __future__ import annotations

import math

import numpy as np

from skae._numerics._moments import row_indices

# With fewer rows nothing held out could tell a trained network from the anchor: the anchor stands.
MIN_ROWS_TO_TRAIN = 50
# Of fewer still, if they are trained on all the same, a quarter says nothing.
MIN_ROWS_TO_JUDGE = 20
# A hold-out of this many rows tells them apart; more than that beyond a twentieth of the rows is better trained on.
HOLD_OUT_ROWS = 100
MAX_HOLD_OUT_ROWS = 2000
# Share of the entries that masking, swaps, salt and pepper change (Vincent et al. 2010 tried 10 to 40 %).
CORRUPTED_SHARE = 0.25
# Where entries are missing, training hides as many again, and at least this share.
MIN_HIDDEN_SHARE = 0.3
# Filling hidden entries and codes of every length are many tasks in one: they take more epochs, and filling a lower
# rate, at which corrections of a good fill are not drowned in their own noise.
EPOCHS_OF_MANY_TASKS = 2.5
RATE_OF_FILLING = 0.4
# Adam and SGD add the decay to the gradient of a mean over entries, where so much less of it does the same.
SHARE_OF_COUPLED_DECAY = 3e-4


def hidden_layer_sizes(n_rows: int, n_features: int) -> tuple[int, ...]:
    """Two layers: a third gains nothing that its time would not gain in epochs."""
    return (256, 128)


def learning_rate_init(n_rows: int, n_features: int) -> float:
    """The highest rate of warm-up and cosine; half and twice of it do about as well."""
    return 0.008


def share_for_solver(name: str, solver: str, n_features: int) -> float:
    """What AdamW's rate or decay is multiplied by for another solver.

    SGD moves by the gradient itself, and that of a mean over entries is the smaller the more of them there are.
    """
    if name == "alpha" and solver != "adamw":
        return SHARE_OF_COUPLED_DECAY
    if name == "learning_rate_init" and solver == "sgd":
        return min(40.0, 0.4 * n_features)
    return 1.0


def constant_rate_share(batch_size: int) -> float:
    """Share of `learning_rate_init` for steps at a constant rate: Adam's noise asks for the root of the batch size."""
    return min(0.5, 0.25 * math.sqrt(batch_size / 32))


def n_iter_no_change(max_iter: int) -> int:
    """Half the epochs, at least 20: while the rate is high, gains may be long in coming."""
    return max(20, max_iter // 2)


def max_iter(n_rows: int, n_features: int) -> int:
    """40 epochs; beyond 128 features, where each costs more, fewer but at least 15; none without rows to judge them."""
    if n_rows < MIN_ROWS_TO_TRAIN:
        return 0
    return max(15, round(40 * min(1.0, math.sqrt(128 / n_features))))


def batch_size(n_rows: int, n_features: int) -> int:
    """The power of two nearest the square root of ``2 * n_rows``, between 32 and 1,024."""
    return 2 ** min(10, max(5, round(math.log2(2 * n_rows) / 2)))


def alpha(n_rows: int, n_features: int) -> float:
    """L2 decay, 500 / n_rows and at most 1."""
    return min(1.0, 500.0 / n_rows)


def corruption_level(n_rows: int, n_features: int) -> float:
    """Input noise, 100 / n_rows and at most 0.1, in units of a feature's root mean variance."""
    return min(0.1, 100.0 / n_rows)


def early_stopping(n_rows: int, max_iter: int) -> bool:
    """Whether to hold out rows: wherever there are enough to train on, and from fewer if they are trained on anyway."""
    return n_rows >= (MIN_ROWS_TO_JUDGE if max_iter else MIN_ROWS_TO_TRAIN)


def validation_fraction(n_rows: int, n_features: int) -> float:
    """A quarter of few rows, up to 100 rows; a twentieth of many, up to 2,000 rows."""
    wanted = min(MAX_HOLD_OUT_ROWS, max(HOLD_OUT_ROWS, n_rows / 20))
    return min(0.25, wanted / n_rows)


def hold_out(
    n_rows: int, fraction: float, random_state: np.random.RandomState, copy_of: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Random indices to train on and to hold out; both sorted, neither empty.

    `copy_of` has for each row the first that is the same, which may be itself. Of copies the first alone is held out,
    and then none is trained on: a row that was learned by heart tells nothing.
    """
    rows = row_indices(n_rows)
    distinct = rows if copy_of is None else rows[copy_of == rows]
    if len(distinct) < 2:
        copy_of, distinct = None, rows
    n_held_out = min(max(1, round(fraction * len(distinct))), len(distinct) - 1)
    order = random_state.permutation(distinct)
    held_out, train = order[:n_held_out], order[n_held_out:]
    if copy_of is not None:
        train = rows[~np.isin(copy_of, held_out)]
    held_out.sort()
    train.sort()
    return train, held_out
