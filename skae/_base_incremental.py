"""How an anchored autoencoder follows one chunk of rows after another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from skae._anchoring import AnchoringRows
from skae._base import TrainingData, training_of
from skae._base_anchored import BaseAnchored
from skae._fit import Fit, Task, fitted_attributes
from skae._fitted import FittedAutoencoder
from skae._model._gaussian_fill import GaussianFill
from skae._numerics._kept_rows import KeptRows
from skae._numerics._moments import dense_rows, spread_rows, stacked_rows
from skae._numerics._principal_axes import MAX_COVARIANCE_WIDTH, PrincipalAxes
from skae._numerics._running_moments import RunningMoments
from skae._support._inputs import random_state_after
from skae._support._made_once import MadeOnce
from skae._support._torch import resolve_dtype, to_numpy, to_tensor
from skae._training import _automatic
from skae._training._loop import Course, Split, train_on_chunk
from skae._training._rows import n_batches
from skae._training._settings import TrainingSettings

# Rows kept of a stream, which stand for all: held out they tell a network from its anchor, and they scale codes.
MAX_SAMPLED_ROWS = 500
# Ready for the next rows: making it takes as long as encoding one.
_AUTOENCODERS: MadeOnce[FittedAutoencoder] = MadeOnce()


@dataclass(frozen=True)
class _Stream:
    """What is known of all rows seen, and where training stands."""

    moments: RunningMoments
    sample: KeptRows
    course: Course


class BaseIncremental(BaseAnchored):
    """Fits all at once or chunk by chunk."""

    @property
    def _fitted(self) -> FittedAutoencoder:
        return _AUTOENCODERS.of(self, self._state, lambda: FittedAutoencoder(**self._state))

    @property
    def _earlier(self) -> FittedAutoencoder | None:
        """The autoencoder fitted so far."""
        return self._fitted if hasattr(self, "_state") else None

    def _kept_for_chunks(self, fit: Fit, data: TrainingData, random_state: np.random.RandomState) -> dict[str, Any]:
        """The attributes that `_stream` reads after a `fit`: the covariance is then known by its leading axes."""
        axes, split = fit.anchoring.axes, fit.split
        weight = split.sample_weight
        chosen = np.zeros(0, dtype=np.intp)
        if data.X.shape[1] <= MAX_COVARIANCE_WIDTH:
            sampled = split.train if split.held_out is None else split.held_out
            chosen = sampled[spread_rows(len(sampled), MAX_SAMPLED_ROWS)]
        return {
            "n_samples_seen_": data.n_rows,
            "_kept": {
                "weight": float(data.n_rows if weight is None else weight.sum()),
                "variances": axes.variances,
                "total_variance": axes.total_variance,
                "rows": dense_rows(data.X, chosen),
                "row_weight": np.ones(len(chosen)) if weight is None else weight[chosen],
                "keys": random_state.uniform(0.0, self._share_sampled(data), len(chosen)),
                # The longer the fit, the more steps it takes to change it.
                "n_steps": n_batches(len(split.train), self._settings(data).batch_size) * fit.result.best_iter,
            },
        }

    def _fit_chunk(self, chunk: TrainingData, n_components: int | float | None, whiten: bool) -> dict[str, Any]:
        """Count a chunk in and train on it once; the fitted attributes."""
        if chunk.shape_seen[1] > MAX_COVARIANCE_WIDTH:
            raise ValueError(
                f"partial_fit keeps the covariance of all features and takes at most {MAX_COVARIANCE_WIDTH} of them. "
                f"Got {chunk.shape_seen[1]}: call fit, which reads memory-mapped files and sparse rows in blocks, or "
                "reduce the features first."
            )
        earlier, stream = self._earlier, self._stream(chunk)
        random_state = random_state_after(self.random_state, 0 if stream is None else stream.moments.n_rows)
        moments = RunningMoments.of(chunk.X, chunk.sample_weight)
        moments = moments if stream is None else stream.moments.merged(moments)
        chunk = replace(chunk, n_seen=moments.n_rows, dtype=resolve_dtype(self.dtype, moments.n_rows))
        if earlier is not None and not isinstance(n_components, int | np.integer):
            n_components = self.n_components_
        axes = moments.axes(n_components, self.scale)

        before = None if stream is None else stream.sample
        learned, sample = self._divide(chunk, before, random_state)
        data, train, sampled = _stacked(chunk, learned, sample)
        split = Split(train, sampled if self.early_stopping and len(sampled) else None, data.sample_weight)
        sees_missing = self._member.hides_entries or (earlier is not None and earlier.architecture["sees_missing"])
        anchoring = AnchoringRows(axes, _fill(axes, moments if sees_missing else None))
        task = Task(len(axes.components), whiten, split, earlier, sampled, moments)
        fit = self._start(data, anchoring, task, random_state)
        course = self._train_on_chunk(fit, data, None if stream is None else stream.course, random_state)
        return fitted_attributes(fit) | _kept(_Stream(moments, sample, course))

    def _train_on_chunk(
        self, fit: Fit, data: TrainingData, course: Course | None, random_state: np.random.RandomState
    ) -> Course:
        settings = self._settings_for_chunk(data, len(fit.split.train))
        course = course or Course(fit.network.parameters.clone(), fit.network.parameters.clone())
        with training_of(fit.trainee, settings):
            course = train_on_chunk(fit.trainee, fit.rows, fit.split, settings, random_state, course, fit.result)
        if self.verbose:
            loss = "" if not fit.result.losses else f"loss {fit.result.losses[0]:.6f}, "
            print(f"{data.n_seen} rows seen: {loss}loss kept {fit.result.best_loss:.6f}")
        return course

    def _settings_for_chunk(self, data: TrainingData, n_rows: int) -> TrainingSettings:
        """Batches are for as many rows as there are now, and "auto" is a constant rate."""
        settings = self._settings(data)
        batch_size = self._resolved("batch_size", replace(data, n_seen=n_rows))
        settings = replace(settings, batch_size=max(1, min(n_rows, batch_size)))
        if not isinstance(self.learning_rate_init, str):
            return settings
        share = _automatic.constant_rate_share(settings.batch_size)
        return replace(settings, learning_rate_init=share * settings.learning_rate_init)

    def _share_sampled(self, data: TrainingData) -> float:
        """Share of all rows seen that is kept; it only falls as their number rises."""
        n_seen, n_features = data.shape_seen
        whether = isinstance(self.early_stopping, bool | np.bool_ | str)
        share = _automatic.validation_fraction(n_seen, n_features) if whether else float(self.early_stopping)
        return min(share, MAX_SAMPLED_ROWS / n_seen)

    def _divide(
        self, chunk: TrainingData, before: KeptRows | None, random_state: np.random.RandomState
    ) -> tuple[np.ndarray, KeptRows]:
        """Mask of the chunk's rows to train on, and the sample of all rows: those with keys below the share sampled.

        A row is as likely to be in the sample as any other, however long ago it was seen. Where the sample is held out,
        a row that was trained on is never in it later, since the share only falls.
        """
        share, keys = self._share_sampled(chunk), random_state.uniform(size=chunk.n_rows)
        sample = KeptRows.of(chunk.X, chunk.sample_weight, keys, keys < share)
        if before is not None:
            sample = before.take(before.keys < share).followed_by(sample)
        return keys >= (share if self.early_stopping else 0.0), sample

    def _stream(self, chunk: TrainingData) -> _Stream | None:
        """The stream so far, read from the fitted attributes; None before the first call."""
        if not hasattr(self, "_kept"):
            return None
        kept, n_seen = self._kept, self.n_samples_seen_
        if "covariance" in kept:
            moments = RunningMoments(n_seen, kept["weight"], self.mean_, kept["covariance"])
        else:
            variances = kept["variances"][: self.n_components_]
            axes = PrincipalAxes(self.mean_, self.scale_, self.components_, variances, kept["total_variance"])
            moments = RunningMoments.from_axes(axes, n_seen, kept["weight"])
        vectors = kept.get("course", [self._state["weights"]] * 2)
        dtype = resolve_dtype(self.dtype, n_seen + chunk.n_rows)
        parameters, average, *memory = (to_tensor(vector, dtype, chunk.device).clone() for vector in vectors)
        course = Course(parameters, average, kept["n_steps"], tuple(memory))
        return _Stream(moments, KeptRows(kept["rows"], kept["row_weight"], kept["keys"]), course)


def _fill(axes: PrincipalAxes, moments: RunningMoments | None) -> GaussianFill:
    """How to fill what rows lack: from all of the covariance where there are moments, else from the axes."""
    if moments is None:
        return GaussianFill.from_axes(axes.components, axes.variances, axes.total_variance)
    covariance = moments.covariance / np.outer(axes.scale, axes.scale)
    return GaussianFill.from_covariance(torch.from_numpy(covariance))


def _kept(stream: _Stream) -> dict[str, Any]:
    """The stream as the attributes that `BaseIncremental._stream` reads."""
    moments, sample, course = stream.moments, stream.sample, stream.course
    kept = {
        "weight": moments.weight,
        "covariance": moments.covariance,
        "rows": sample.rows,
        "row_weight": sample.weight,
        "keys": sample.keys,
        "n_steps": course.n_steps,
        "course": [to_numpy(vector).copy() for vector in (course.parameters, course.average, *course.memory)],
    }
    return {"n_samples_seen_": moments.n_rows, "_kept": kept}


def _stacked(chunk: TrainingData, learned: np.ndarray, sample: KeptRows) -> tuple[TrainingData, np.ndarray, np.ndarray]:
    """The rows to train on and the sample as one, and the indices of each."""
    X, weight = chunk.X[learned], chunk.sample_weight
    n_learned = X.shape[0]
    X = stacked_rows(X, sample.rows)
    if weight is not None or (sample.weight != 1.0).any():
        own = np.ones(n_learned) if weight is None else weight[learned]
        weight = np.concatenate([own, sample.weight])
    return replace(chunk, X=X, sample_weight=weight), np.arange(n_learned), n_learned + np.arange(len(sample.keys))
