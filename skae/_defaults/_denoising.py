"""What "auto" means for the networks of the outlier detector: a fixed amount of training.

Training is short if the rows may contain outliers, because a network that is trained long learns the outliers too.
"""

from __future__ import annotations

from dataclasses import dataclass

from skae._defaults._autoencoder import MIN_ROWS_TO_TRAIN
from skae._defaults._training_parameters import TrainingParameters, resolved
from skae._training._settings import TrainingSettings

LEARNING_RATE = 0.003


@dataclass(frozen=True)
class Amount:
    """The number of steps and its limit per row, the rows per step, the widths of the hidden layers, and the L2 decay.

    The decay is ``min(max_alpha, alpha_times_rows / n_rows)``.
    """

    n_steps: int
    steps_per_row: float
    batch_size: int
    hidden_layer_sizes: tuple[int, ...]
    max_alpha: float
    alpha_times_rows: float


DENOISERS = Amount(400, 1.0, 64, (96, 96, 96), 1e-3, 1e9)
# Each member learns from two thirds of a batch.
MASKED_AUTOENCODERS = Amount(900, 2.0, 64, (128, 128, 128), 3.0, 1500.0)


def denoising_settings(parameters: TrainingParameters, amount: Amount, n_rows: int) -> TrainingSettings:
    """The settings of a fit to `n_rows` rows."""
    batch_size = min(n_rows, resolved(parameters.batch_size, lambda: amount.batch_size))
    max_iter = resolved(parameters.max_iter, lambda: _max_iter(amount, n_rows))
    return TrainingSettings(
        alpha=resolved(parameters.alpha, lambda: min(amount.max_alpha, amount.alpha_times_rows / n_rows)),
        batch_size=batch_size,
        learning_rate_init=resolved(parameters.learning_rate_init, lambda: LEARNING_RATE),
        max_iter=max_iter,
        n_iter_no_change=resolved(parameters.n_iter_no_change, lambda: max(1, max_iter)),
        mixed_precision=parameters.dtype == "bfloat16",
    )


def _max_iter(amount: Amount, n_rows: int) -> int:
    """The number of epochs that makes the number of steps, at least 1; 0 if rows are too few for a network."""
    if n_rows < MIN_ROWS_TO_TRAIN:
        return 0
    n_steps = min(amount.n_steps, amount.steps_per_row * n_rows)
    return max(1, round(n_steps / max(1, n_rows // amount.batch_size)))
