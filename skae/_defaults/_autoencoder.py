"""What "auto" means for an autoencoder.

With few rows, the weights must be shrunk towards PCA, and batches must be small so that an epoch has enough steps. With
many rows, neither is needed.
"""

from __future__ import annotations

import math
from dataclasses import replace

from skae._autoencoder._config import AutoencoderConfig
from skae._defaults._training_parameters import TrainingParameters, resolved
from skae._rows._hold_out import hold_out_fraction
from skae._rows._standardised_rows import n_batches
from skae._rows._training_rows import TrainingRows
from skae._training._settings import TrainingSettings

# Few components need deeper networks, because the map to the rows is more curved, and less decay, because they overfit
# less.
FEW_COMPONENTS = 4
LAYERS_OF_FEW_COMPONENTS, LAYERS_OF_MANY_COMPONENTS = (128, 128, 128), (256, 128)
# Level of a named corruption: the deviation of Gaussian noise, or a share of the entries (Vincent et al. 2010: 10 to
# 40 %).
CORRUPTION_LEVEL = 0.25
# Of fewer rows, a hold-out is too small to show whether a trained network is better than its start: it is not trained.
MIN_ROWS_TO_TRAIN = 50
# If fewer rows are trained on all the same (with an explicit `max_iter`), a quarter of them is no useful hold-out.
MIN_ROWS_TO_JUDGE = 20
# Half and twice this rate do about as well.
LEARNING_RATE = 0.005
# The learning rate falls when PATIENCE epochs lower the loss by less than the share TOLERANCE. They are more epochs if
# these have fewer than MIN_PATIENCE_STEPS steps, and fewer if they have more than MAX_PATIENCE_STEPS. Training
# therefore usually ends long before MAX_EPOCHS.
MAX_EPOCHS, PATIENCE, MIN_PATIENCE_STEPS, MAX_PATIENCE_STEPS, TOLERANCE = 160, 10, 60, 2000, 0.05
# Filling entries and codes of every length are many tasks at once, which take more epochs. Filling also needs a lower
# rate: the first fill is good, and the noise of large steps would be larger than what is left to correct.
EPOCHS_OF_MANY_TASKS = 2.5
RATE_OF_FILLING = 0.4
# If batches are pairs of neighbours, every row of a batch is compared with every other, so batches are larger.
ALPHA_OF_PAIRS, RATE_OF_PAIRS = 0.05, 0.01
MAX_EPOCHS_OF_PAIRS, FEW_PAIRS, MANY_PAIRS = 160, 1500, 5000
# Level of the test that networks must pass if entries are missing. Held-out rows then have few masked entries, so that
# the test has little power: at the level of one standard error it would reject many networks that fill better.
LEVEL_OF_FILLING = 0.3


def default_layer_sizes(n_components: int | float | None) -> tuple[int, ...]:
    """Widths of the hidden layers. If the data determine the number of components, it counts as large."""
    few = isinstance(n_components, int) and n_components <= FEW_COMPONENTS
    return LAYERS_OF_FEW_COMPONENTS if few else LAYERS_OF_MANY_COMPONENTS


def autoencoder_settings(
    parameters: TrainingParameters, config: AutoencoderConfig, rows: TrainingRows
) -> TrainingSettings:
    """The settings of `fit`."""
    if config.code_class.has_pairs:
        return _settings_of_pairs(parameters, rows)
    n_rows, n_features = rows.n_rows_seen, rows.n_features
    fills = config.masks_entries or rows.missing_share > 0
    max_iter = resolved(parameters.max_iter, lambda: _max_iter(n_rows, n_features, config, fills))
    batch_size = min(rows.n_rows, resolved(parameters.batch_size, lambda: _batch_size(n_rows)))
    n_steps = n_batches(rows.n_rows, batch_size)
    return TrainingSettings(
        alpha=resolved(parameters.alpha, lambda: _alpha(n_rows, config.n_components)),
        batch_size=batch_size,
        learning_rate_init=resolved(
            parameters.learning_rate_init, lambda: (RATE_OF_FILLING if fills else 1.0) * LEARNING_RATE
        ),
        max_iter=max_iter,
        n_iter_no_change=resolved(parameters.n_iter_no_change, lambda: _patience(n_steps, n_features, config, fills)),
        validation_fraction=_validation_fraction(parameters.early_stopping, rows, max_iter),
        level=LEVEL_OF_FILLING if rows.missing_share > 0 else TrainingSettings.level,
        mixed_precision=parameters.dtype == "bfloat16",
        decays_at_plateau=True,
        tol=TOLERANCE,
    )


def _settings_of_pairs(parameters: TrainingParameters, rows: TrainingRows) -> TrainingSettings:
    """The settings if batches are pairs of neighbours: the kernel changes with the epochs, whose number is fixed."""
    n_rows = rows.n_rows
    epochs = 0 if n_rows < MIN_ROWS_TO_TRAIN else round(min(1.0, (FEW_PAIRS / n_rows) ** 0.375) * MAX_EPOCHS_OF_PAIRS)
    max_iter = resolved(parameters.max_iter, lambda: epochs)
    return TrainingSettings(
        alpha=resolved(parameters.alpha, lambda: ALPHA_OF_PAIRS),
        batch_size=min(n_rows, resolved(parameters.batch_size, lambda: 256 if n_rows < MANY_PAIRS else 512)),
        learning_rate_init=resolved(parameters.learning_rate_init, lambda: RATE_OF_PAIRS),
        max_iter=max_iter,
        n_iter_no_change=max_iter + 1,  # losses of epochs with different kernels cannot be compared
        validation_fraction=_validation_fraction(parameters.early_stopping, rows, max_iter),
    )


def chunk_settings(
    parameters: TrainingParameters, config: AutoencoderConfig, rows: TrainingRows, n_train_rows: int
) -> TrainingSettings:
    """The settings of `partial_fit`: the batch size depends on the rows of the chunk, and the rate is constant."""
    settings, stopping = autoencoder_settings(parameters, config, rows), parameters.early_stopping
    batch_size = resolved(parameters.batch_size, lambda: _batch_size(max(1, n_train_rows)))
    batch_size = max(1, min(n_train_rows, batch_size))
    # With Adam the noise of a step falls with the square root of the batch size, so the rate may rise with it.
    constant_share = min(0.8, 0.4 * math.sqrt(batch_size / 32))
    is_default = isinstance(stopping, str) or stopping is True
    return replace(
        settings,
        batch_size=batch_size,
        learning_rate_init=resolved(
            parameters.learning_rate_init, lambda: constant_share * settings.learning_rate_init
        ),
        validation_fraction=hold_out_fraction(rows.n_rows_seen) if is_default else float(stopping),
    )


def _alpha(n_rows: int, n_components: int | float | None) -> float:
    few = min(1.0, n_components / FEW_COMPONENTS) if isinstance(n_components, int) else 1.0
    return few * min(1.0, 500.0 / n_rows)


def _max_iter(n_rows: int, n_features: int, config: AutoencoderConfig, fills: bool) -> int:
    """The maximum number of epochs; 0 if there are too few rows to train."""
    return 0 if n_rows < MIN_ROWS_TO_TRAIN else round(_epochs(n_features, config, fills) * MAX_EPOCHS)


def _patience(n_steps: int, n_features: int, config: AutoencoderConfig, fills: bool) -> int:
    """The number of epochs over which progress is measured; more if an epoch has few steps, fewer if it has many."""
    factor = EPOCHS_OF_MANY_TASKS if _has_many_tasks(config, fills) else 1.0
    least, most = (math.ceil(steps / n_steps) for steps in (MIN_PATIENCE_STEPS, factor * MAX_PATIENCE_STEPS))
    return max(least, min(most, round(_epochs(n_features, config, fills) * PATIENCE)))


def _epochs(n_features: int, config: AutoencoderConfig, fills: bool) -> float:
    """A factor for numbers of epochs: below 1 beyond 128 features, where epochs take longer; larger for many tasks."""
    factor = max(0.4, math.sqrt(128 / max(128, n_features)))
    return EPOCHS_OF_MANY_TASKS * factor if _has_many_tasks(config, fills) else factor


def _has_many_tasks(config: AutoencoderConfig, fills: bool) -> bool:
    return fills or config.code_class.has_prefixes


def _batch_size(n_rows: int) -> int:
    """The power of two nearest the square root of ``2 * n_rows``, between 32 and 1,024."""
    return 2 ** min(10, max(5, round(math.log2(2 * n_rows) / 2)))


def _validation_fraction(early_stopping: bool | float | str, rows: TrainingRows, max_iter: int) -> float:
    """The share of the rows to hold out; 0 if there are too few rows or nothing is trained.

    If rows belong to groups, it is a share of the groups, however few there are: only held-out groups show whether what
    was learned holds for new groups.
    """
    if isinstance(early_stopping, str):
        early_stopping = max_iter > 0 and (rows.groups is not None or rows.n_groups >= MIN_ROWS_TO_JUDGE)
    if isinstance(early_stopping, bool):
        return hold_out_fraction(rows.n_groups) if early_stopping else 0.0
    return float(early_stopping)
