"""`partial_fit` of an autoencoder: one chunk of rows after another."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._fit import start
from skae._autoencoder._fitted import FittedAutoencoder
from skae._autoencoder._initialisation import Initialisation
from skae._autoencoder._packaging import AutoencoderFit, FitInProgress, package
from skae._autoencoder._training_range import EMPTY, TrainingRange
from skae._autoencoder._warm_start import continued
from skae._linalg._principal_axes import MAX_COVARIANCE_WIDTH, PrincipalAxes
from skae._linalg._running_moments import RunningMoments
from skae._rows._blocks import stacked_rows
from skae._rows._hold_out import hold_out_fraction
from skae._rows._reservoir import Reservoir
from skae._rows._row_source import RowSource
from skae._rows._standardised_rows import n_batches
from skae._rows._strata import stratified_rows
from skae._rows._training_rows import TrainingRows
from skae._support._state import fields_of
from skae._support._threads import single_thread
from skae._support._torch import no_autocast, to_numpy, to_tensor
from skae._training._interfaces import Split
from skae._training._loop import OptimizerState, train_on_chunk
from skae._training._settings import TrainingSettings

# Size of the sample of all rows seen. It is held out to compare the network with its start, and codes are scaled by it.
MAX_RESERVOIR_ROWS = 500


@dataclass(frozen=True, eq=False)
class IncrementalState:
    """Statistics of all rows seen, and the state of training.

    `covariance` is that of all rows seen; it is None after `fit`, when only the leading `axes` are known. `vectors` are
    the parameters, their average and the memory of the optimiser; they are empty after `fit`.
    """

    n_rows: int
    weight: float
    axes: PrincipalAxes
    covariance: np.ndarray | None
    reservoir: Reservoir
    n_steps: int
    vectors: tuple[np.ndarray, ...] = ()

    def to_state(self) -> dict[str, Any]:
        """Arrays and plain values for a file; mean, scale and components of the axes are public attributes."""
        return {
            "weight": self.weight,
            "variances": self.axes.variances,
            "total_variance": self.axes.total_variance,
            "covariance": self.covariance,
            "reservoir": fields_of(self.reservoir),
            "n_steps": self.n_steps,
            "vectors": list(self.vectors),
        }

    @classmethod
    def from_state(
        cls, state: dict[str, Any], n_rows: int, mean: np.ndarray, scale: np.ndarray, components: np.ndarray
    ) -> IncrementalState:
        """The state that `to_state` described."""
        axes = PrincipalAxes(mean, scale, components, state["variances"], state["total_variance"])
        reservoir, vectors = Reservoir(**state["reservoir"]), tuple(state["vectors"])
        return cls(n_rows, state["weight"], axes, state["covariance"], reservoir, state["n_steps"], vectors)

    @property
    def moments(self) -> RunningMoments:
        if self.covariance is None:
            return RunningMoments.from_axes(self.axes, self.n_rows, self.weight)
        return RunningMoments(self.n_rows, self.weight, self.axes.mean, self.covariance)


def state_after_fit(
    fit: AutoencoderFit, rows: TrainingRows, settings: TrainingSettings, random_state: np.random.RandomState
) -> IncrementalState:
    """The state from which `update` continues after `fit`."""
    split, weight, axes = fit.split, fit.split.sample_weight, fit.axes
    chosen = np.zeros(0, dtype=np.intp)
    if rows.n_features <= MAX_COVARIANCE_WIDTH:
        representative = split.train if split.held_out is None else split.held_out
        chosen = representative[stratified_rows(len(representative), MAX_RESERVOIR_ROWS)]
    reservoir = Reservoir(
        rows.source.take(chosen),
        np.ones(len(chosen)) if weight is None else weight[chosen],
        random_state.uniform(0.0, _reservoir_share(rows, settings.validation_fraction), len(chosen)),
    )
    n_components = fit.autoencoder.n_components
    axes = replace(axes, components=axes.components[:n_components], variances=axes.variances[:n_components])
    # The average of the weights changes the more slowly, the more steps there were.
    n_steps = n_batches(len(split.train), settings.batch_size) * fit.training.best_iter
    total = float(rows.n_rows if weight is None else weight.sum())
    return IncrementalState(rows.n_rows, total, axes, None, reservoir, n_steps)


@single_thread()
@no_autocast()
@torch.inference_mode(False)
def update(
    state: IncrementalState | None,
    previous: FittedAutoencoder | None,
    chunk: TrainingRows,
    config: AutoencoderConfig,
    settings_for: Callable[[int], TrainingSettings],
    random_state: np.random.RandomState,
) -> tuple[IncrementalState, AutoencoderFit]:
    """Add a chunk to the statistics and train on it once.

    `settings_for` returns the settings for a number of rows to train on.
    """
    if chunk.n_features > MAX_COVARIANCE_WIDTH:
        raise ValueError(
            f"partial_fit keeps the covariance of all features and takes at most {MAX_COVARIANCE_WIDTH} of them. "
            f"Got {chunk.n_features}: call fit, which reads memory-mapped files and sparse rows in blocks, or "
            "reduce the features first. See docs/guide_large_data.md."
        )
    moments = RunningMoments.of(chunk.source, chunk.sample_weight)
    moments = moments if state is None else state.moments.merged(moments)
    config, masks_entries = continued(config, previous)
    axes = moments.axes(config.n_components, config.scale)
    config = replace(config, n_components=len(axes.components))

    fraction = settings_for(chunk.n_rows).validation_fraction
    mask, reservoir = _divided(chunk, None if state is None else state.reservoir, fraction, random_state)
    rows, train_rows, kept = _stacked(chunk, mask, reservoir)
    held_out = kept if fraction and len(kept) else None
    split = Split(train_rows, held_out, rows.sample_weight)
    covariance = moments.covariance / np.outer(axes.scale, axes.scale) if masks_entries else None
    initialisation = Initialisation.of(axes, covariance)
    settings = settings_for(len(train_rows))
    fit = start(rows, config, settings, initialisation, random_state, previous, split)
    previous_range = _previous_range(previous, fit.form.linear.unit)
    fit = replace(fit, representative=kept, moments=moments, previous_range=previous_range)

    before = _optimizer_state(state, previous, fit)
    after = train_on_chunk(fit.trainee, fit.form.rows, split, settings, random_state, before, fit.training, fit.limit)
    vectors = tuple(to_numpy(vector).copy() for vector in (after.parameters, after.average, *after.memory))
    n_rows, weight = moments.n_rows, moments.weight
    return IncrementalState(n_rows, weight, axes, moments.covariance, reservoir, after.n_steps, vectors), package(fit)


def _previous_range(previous: FittedAutoencoder | None, unit: float) -> TrainingRange:
    """The range of the rows seen before, in the present unit; empty if it is not known."""
    if previous is None or math.isinf(previous.training_range.row_norm):
        return EMPTY
    row_norm, code_norm = previous.training_range.row_norm, previous.training_range.code_norm
    return TrainingRange(row_norm * previous.linear.unit / unit, code_norm)


def _optimizer_state(
    state: IncrementalState | None, previous: FittedAutoencoder | None, fit: FitInProgress
) -> OptimizerState:
    """The state that training continues from: after `fit` the fitted weights, for the first chunk the closed form."""
    parameters = fit.network.parameters
    if state is None or previous is None:
        return OptimizerState(parameters.clone(), parameters.clone())
    vectors = state.vectors or (previous.weights, previous.weights)
    first, average, *memory = (to_tensor(vector, parameters.dtype, parameters.device).clone() for vector in vectors)
    return OptimizerState(first, average, state.n_steps, tuple(memory))


def _reservoir_share(rows: TrainingRows, validation_fraction: float) -> float:
    """Share of all rows seen that the reservoir keeps. It can only fall as the number of rows rises."""
    fraction = validation_fraction or hold_out_fraction(rows.n_rows_seen)
    return min(fraction, MAX_RESERVOIR_ROWS / rows.n_rows_seen)


def _divided(
    chunk: TrainingRows, before: Reservoir | None, validation_fraction: float, random_state: np.random.RandomState
) -> tuple[np.ndarray, Reservoir]:
    """Mask of the rows of the chunk to train on, and the sample of all rows seen.

    The sample has the rows whose priorities are below its share, so that every row is equally likely to be in it,
    however long ago it was seen. Since the share only falls, a row that was trained on is never held out later.
    """
    share, priorities = _reservoir_share(chunk, validation_fraction), random_state.uniform(size=chunk.n_rows)
    reservoir = Reservoir.of(chunk.source.local, chunk.sample_weight, priorities, priorities < share)
    if before is not None:
        reservoir = before.select(before.priorities < share).followed_by(reservoir)
    return priorities >= (share if validation_fraction else 0.0), reservoir


def _stacked(
    chunk: TrainingRows, mask: np.ndarray, reservoir: Reservoir
) -> tuple[TrainingRows, np.ndarray, np.ndarray]:
    """The rows to train on followed by those of the reservoir, and the indices of both."""
    X, weight = chunk.source.local[mask], chunk.sample_weight
    n_train = X.shape[0]
    X = stacked_rows(X, reservoir.rows)
    if weight is not None or (reservoir.weight != 1.0).any():
        own = np.ones(n_train) if weight is None else weight[mask]
        weight = np.concatenate([own, reservoir.weight])
    rows = replace(chunk, source=RowSource(X), sample_weight=weight)
    return rows, np.arange(n_train), n_train + np.arange(len(reservoir))
