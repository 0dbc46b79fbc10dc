"""What "auto" means for the denoisers of the outlier detector: a short, fixed amount of training.

Trained long, a network learns the outliers among its rows as well.
"""

from __future__ import annotations

from skae._defaults._autoencoder import MIN_ROWS_TO_TRAIN, patience
from skae._defaults._training_parameters import TrainingParameters, resolved
from skae._rows._training_rows import TrainingRows
from skae._training._settings import TrainingSettings

# Three layers of equal width, joined by skips.
HIDDEN_LAYER_SIZES = (96, 96, 96)
# Steps of training in all, and rows in each.
N_STEPS = 400
BATCH_SIZE = 64


def denoising_settings(parameters: TrainingParameters, rows: TrainingRows) -> TrainingSettings:
    """The settings of a fit to `rows`."""
    max_iter = resolved(parameters.max_iter, lambda: _max_iter(rows.n_rows))
    return TrainingSettings(
        alpha=resolved(parameters.alpha, lambda: 1e-3),
        batch_size=min(rows.n_rows, resolved(parameters.batch_size, lambda: BATCH_SIZE)),
        learning_rate_init=resolved(parameters.learning_rate_init, lambda: 0.003),
        max_iter=max_iter,
        n_iter_no_change=resolved(parameters.n_iter_no_change, lambda: patience(max_iter)),
        mixed_precision=parameters.dtype == "bfloat16",
    )


def _max_iter(n_rows: int) -> int:
    """As many epochs as make some 400 steps, at least one; none where rows are too few for a network."""
    if n_rows < MIN_ROWS_TO_TRAIN:
        return 0
    return max(1, round(min(N_STEPS, n_rows) / max(1, n_rows // BATCH_SIZE)))
