"""What "auto" means for denoisers that score outliers: a short, fixed amount of training.

Trained long, a network learns the outliers among its rows as well.
"""

from __future__ import annotations

from skae._training._automatic import MIN_ROWS_TO_TRAIN

# Steps of training in all, and rows in each.
N_STEPS = 400
BATCH_SIZE = 64


def hidden_layer_sizes(n_rows: int, n_features: int) -> tuple[int, ...]:
    """Three layers of equal width, joined by skips."""
    return (96, 96, 96)


def learning_rate_init(n_rows: int, n_features: int) -> float:
    """The highest rate of warm-up and cosine."""
    return 0.003


def max_iter(n_rows: int, n_features: int) -> int:
    """As many epochs as make some 400 steps, at least one; none where rows are too few for a network."""
    if n_rows < MIN_ROWS_TO_TRAIN:
        return 0
    return max(1, round(min(N_STEPS, n_rows) / max(1, n_rows // BATCH_SIZE)))


def batch_size(n_rows: int, n_features: int) -> int:
    """64 rows."""
    return BATCH_SIZE


def alpha(n_rows: int, n_features: int) -> float:
    """L2 decay; the short training is what limits the network."""
    return 1e-3
