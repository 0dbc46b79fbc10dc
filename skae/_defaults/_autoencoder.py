"""What "auto" means for an autoencoder.

Few rows need shrinkage towards PCA and many do not; few rows need small batches to get steps enough out of an epoch and
many can afford large ones.
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

# Few components need deeper networks, that unfold more, and less decay, since they fit less.
FEW_COMPONENTS = 4
LAYERS_OF_FEW_COMPONENTS, LAYERS_OF_MANY_COMPONENTS = (128, 128, 128), (256, 128)
# Of a named corruption: deviations of Gaussian noise, or a share of the entries (Vincent et al. 2010: 10 to 40 %).
CORRUPTION_LEVEL = 0.25
# With fewer rows nothing held out could tell a trained network from its start: the start stands.
MIN_ROWS_TO_TRAIN = 50
# A quarter of fewer rows says nothing, if they are trained on all the same.
MIN_ROWS_TO_JUDGE = 20
# Half and twice of it do about as well.
LEARNING_RATE = 0.005
# Training ends by itself, most often long before this many epochs: where so many epochs, of at least so many steps,
# lower the loss by less than this share, the rate falls.
MAX_EPOCHS, PATIENCE, MIN_PATIENCE_STEPS, TOLERANCE = 160, 10, 60, 0.05
# Filling masked entries and codes of every length are many tasks in one: they take more epochs, and filling a lower
# rate, at which corrections of a good fill are not drowned in their own noise.
EPOCHS_OF_MANY_TASKS = 2.5
RATE_OF_FILLING = 0.4
# Level of the test that networks must pass where entries are missing. Few held-out rows with few entries to tell leave
# it little power: at the level of one standard error it rejects many networks that fill better.
LEVEL_OF_FILLING = 0.3


def default_layer_sizes(n_components: int | float | None) -> tuple[int, ...]:
    """Widths of the hidden layers for so many components; those that the data decide are taken to be many."""
    few = isinstance(n_components, int) and n_components <= FEW_COMPONENTS
    return LAYERS_OF_FEW_COMPONENTS if few else LAYERS_OF_MANY_COMPONENTS


def autoencoder_settings(
    parameters: TrainingParameters, config: AutoencoderConfig, rows: TrainingRows
) -> TrainingSettings:
    """The settings of `fit`."""
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


def chunk_settings(
    parameters: TrainingParameters, config: AutoencoderConfig, rows: TrainingRows, n_train_rows: int
) -> TrainingSettings:
    """The settings of `partial_fit`: batches are for as many rows as there are now, and "auto" is a constant rate."""
    settings, stopping = autoencoder_settings(parameters, config, rows), parameters.early_stopping
    batch_size = resolved(parameters.batch_size, lambda: _batch_size(max(1, n_train_rows)))
    batch_size = max(1, min(n_train_rows, batch_size))
    # Adam's noise asks for the root of the batch size.
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
    """An upper limit; none without rows to judge them."""
    return 0 if n_rows < MIN_ROWS_TO_TRAIN else round(_epochs(n_features, config, fills) * MAX_EPOCHS)


def _patience(n_steps: int, n_features: int, config: AutoencoderConfig, fills: bool) -> int:
    """More epochs where each has few steps."""
    return max(round(_epochs(n_features, config, fills) * PATIENCE), math.ceil(MIN_PATIENCE_STEPS / n_steps))


def _epochs(n_features: int, config: AutoencoderConfig, fills: bool) -> float:
    """A factor of the numbers of epochs: fewer beyond 128 features, where each costs more; more for many tasks."""
    factor = max(0.4, math.sqrt(128 / max(128, n_features)))
    return EPOCHS_OF_MANY_TASKS * factor if fills or config.code_class.has_prefixes else factor


def _batch_size(n_rows: int) -> int:
    """The power of two nearest the square root of ``2 * n_rows``, between 32 and 1,024."""
    return 2 ** min(10, max(5, round(math.log2(2 * n_rows) / 2)))


def _validation_fraction(early_stopping: bool | float | str, rows: TrainingRows, max_iter: int) -> float:
    """The share of the rows to hold out, wherever a network is trained on enough rows for some to be told from others.

    Where rows belong to groups a share of those is held out, however few there are: nothing else tells whether what
    was learned holds for other groups.
    """
    if isinstance(early_stopping, str):
        early_stopping = max_iter > 0 and (rows.groups is not None or rows.n_groups >= MIN_ROWS_TO_JUDGE)
    if isinstance(early_stopping, bool):
        return hold_out_fraction(rows.n_groups) if early_stopping else 0.0
    return float(early_stopping)
