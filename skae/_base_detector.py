"""How detectors are fitted, calibrated and scored; what the public class adds is names and documentation."""

from __future__ import annotations

from dataclasses import asdict, replace
from types import ModuleType
from typing import Any

import numpy as np
import torch

from skae._base import AUTO, BaseAutoencoder, TrainingData, training_attributes
from skae._base_anchored import BaseAnchored
from skae._denoising_fit import (
    as_counts,
    calibration_rows,
    denoiser_architecture,
    n_leading_components,
    reference_rows,
    start_views,
    with_medians,
)
from skae._denoising_views import N_MEMBERS, DenoisingViews
from skae._fitted import FittedAutoencoder
from skae._model._denoiser import DenoiserEnsemble
from skae._numerics._conformal import conformal_p_values
from skae._numerics._copies import first_copies
from skae._numerics._kept_rows import KeptRows, weighted_keys, with_largest_keys
from skae._numerics._moments import row_blocks, row_indices, weighted_mean
from skae._numerics._quantiles import lower_tail_threshold
from skae._numerics._robust_axes import robust_axes
from skae._numerics._view_scale import ViewScale
from skae._reconstruction_views import ReconstructionViews
from skae._support._inputs import random_state_after
from skae._support._made_once import MadeOnce
from skae._support._parameters import Float, Integer, LayerSizes, OneOf, plain_number
from skae._support._threads import single_thread_if
from skae._support._torch import make_generator, resolve_dtype, to_numpy, to_tensor
from skae._support._warnings import warn
from skae._training import _automatic, _automatic_denoising
from skae._training._loop import Split, TrainingResult
from skae._training._mixed_precision import MixedPrecision
from skae._training._rows import Rows

# With contamination="auto" a row is an outlier from twice as far above the median as the 95th percentile is.
AUTO_THRESHOLD = 2.0
# It is raised until a training row is an outlier, if no more than this share of new rows are outliers then.
MAX_SHARE_FOR_ONE = 0.1
# Where more of the training rows than this are flagged, the threshold, which is for new rows, says nothing of them.
MAX_SHARE_FLAGGED = 0.25
OVERFITTED = (
    "Rows are so few for their features that those fitted to look more unusual than new ones: labels are for new rows "
    "only. {} first."
)
# Fewer rows than this are not worth waking threads for.
MIN_ROWS_FOR_THREADS = 1500
# Scores this close, relative to themselves, are equal.
TIE = 1e-9
# Below this many rows, in all or a feature, what is learned depends so much on single rows that they look more usual
# than new ones: detectors fitted without them then tell how unusual they are.
MIN_ROWS, MIN_ROWS_A_FEATURE = 200, 10
# Each fold of the rows is judged by a detector fitted to the others; of many rows one fold is enough.
N_FOLDS, MIN_ROWS_OF_FOLDS, MIN_ROWS_OF_ONE_FOLD = 5, 20, 1000
# Below this many rows a feature, whitened codes of new rows depend so much on how many rows there were that an
# autoencoder fitted to fewer says nothing of them: rows that it was not fitted to must.
MIN_ROWS_A_FEATURE_TO_WHITEN = 2
# Rows of a stream, and numbers in them, that are kept to fit to.
MAX_KEPT_ROWS, MAX_KEPT_NUMBERS = 20_000, 20_000_000
# After `fit`, which need not be followed by `partial_fit`, they must not make a large file.
MAX_KEPT_ROWS_OF_FIT, MAX_KEPT_NUMBERS_OF_FIT = 8192, 4_000_000
# Ready for the next rows: making them takes longer than scoring one.
_VIEWS: MadeOnce[DenoisingViews | ReconstructionViews] = MadeOnce()


class BaseDetector(BaseAnchored):
    """Fits views of how unusual rows are, puts them on one scale and finds the threshold."""

    _constraints = {
        name: constraint
        for name, constraint in BaseAutoencoder._constraints.items()
        if name not in ("early_stopping", "corruption_level")
    } | {
        "method": (OneOf(("denoising", "reconstruction")),),
        "n_components": (Integer(1), Float(0, 1, low_open=True, high_open=True), OneOf((None,))),
        "contamination": (Float(0, 0.5, low_open=True), AUTO),
        "hidden_layer_sizes": (LayerSizes(), AUTO),
    }

    # Whether this is one of the detectors that calibrate another.
    _is_fold = False

    @property
    def _automatic(self) -> ModuleType:
        return _automatic_denoising if self.method == "denoising" else _automatic

    def _fit_detector(self, data: TrainingData, random_state: np.random.RandomState) -> dict[str, Any]:
        """The fitted attributes."""
        with single_thread_if(data.n_rows < MIN_ROWS_FOR_THREADS):
            fit = self._fit_denoising if self.method == "denoising" else self._fit_reconstruction
            fitted = fit(data, random_state)
            n_folds = 0 if self._is_fold else self._n_folds_judged(data)
            if n_folds:
                count = as_counts(data.sample_weight, data.n_rows)
                judged, seen = self._seen_by_others(data, n_folds, random_state)
                fitted |= self._calibrated(_views_in(fitted["_state"]), data, count, seen, count[judged])
        return fitted

    def _n_folds_judged(self, data: TrainingData) -> int:
        """How many folds of the rows calibrate; none where the rows are so many that they look as usual as new ones.

        Rows that repeat count once, as those of integer weight do. With "reconstruction" it is rows held out that
        calibrate else.
        """
        n_rows, n_features = data.n_distinct_rows, data.X.shape[1]
        if n_rows < MIN_ROWS_OF_FOLDS or n_rows >= max(MIN_ROWS, MIN_ROWS_A_FEATURE * n_features):
            return 0
        if self.method == "denoising":
            return N_FOLDS if n_rows < MIN_ROWS_OF_ONE_FOLD else 1
        return N_FOLDS if MIN_ROWS_A_FEATURE_TO_WHITEN * n_features <= n_rows < MIN_ROWS_OF_ONE_FOLD else 0

    def _with_earlier_rows(self, chunk: TrainingData, *, anew: bool = False) -> tuple[TrainingData, dict[str, Any]]:
        """A sample of all rows seen, the chunk's among them, to fit to; and the attributes that remember it.

        `anew` forgets the rows before the chunk.
        """
        n_seen = 0 if anew else getattr(self, "n_samples_seen_", 0)
        weight = np.ones(chunk.n_rows) if chunk.sample_weight is None else chunk.sample_weight
        keys = weighted_keys(weight, random_state_after(self.random_state, n_seen))
        limits = (MAX_KEPT_ROWS_OF_FIT, MAX_KEPT_NUMBERS_OF_FIT) if anew else (MAX_KEPT_ROWS, MAX_KEPT_NUMBERS)
        at_most = max(1, min(limits[0], limits[1] // chunk.X.shape[1]))
        kept = KeptRows.of(chunk.X, weight, keys, with_largest_keys(keys, at_most))
        if n_seen:
            before = KeptRows(**self._kept)
            if len(before.keys) < n_seen:  # a sample of this size is uniform, a larger one would not be
                at_most = min(at_most, len(before.keys))
            kept = before.followed_by(kept)
            kept = kept.take(with_largest_keys(kept.keys, at_most))
        n_seen += chunk.n_rows
        # Once rows are left out, weights have had their say in which.
        weigh = len(kept.keys) == n_seen and (kept.weight != 1.0).any()
        dtype = resolve_dtype(self.dtype, len(kept.keys))
        data = replace(chunk, X=kept.rows, sample_weight=kept.weight if weigh else None, dtype=dtype)
        return data, {"n_samples_seen_": n_seen, "_kept": dict(vars(kept))}

    def _seen_by_others(
        self, data: TrainingData, n_folds: int, random_state: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the rows in some folds, and the views of each by a detector that was fitted without its fold.

        Rows that are the same are in one fold.
        """
        copy_of = first_copies(data.X)
        first, group = np.unique(row_indices(data.n_rows) if copy_of is None else copy_of, return_inverse=True)
        fold = (random_state.permutation(len(first)) % N_FOLDS)[group]
        other = type(self)(**self.get_params(deep=False) | {"verbose": False})
        other._is_fold = True
        judged, seen = [], []
        for k in range(n_folds):
            views = _views_in(other._fit_detector(data.take(fold != k), random_state)["_state"])
            judged.append(np.flatnonzero(fold == k))
            seen.append(views.views(data.X[judged[-1]], self.device))
        return np.concatenate(judged), np.concatenate(seen)

    def _say_how_it_ended(self, result: TrainingResult, max_iter: int) -> None:
        """A fold's warnings are those of the whole; half of the folds would be no calibration."""
        if not self._is_fold:
            super()._say_how_it_ended(result, max_iter)
        elif result.interrupted:
            raise KeyboardInterrupt

    def _fit_denoising(self, data: TrainingData, random_state: np.random.RandomState) -> dict[str, Any]:
        count = as_counts(data.sample_weight, data.n_rows)
        axes = robust_axes(data.X, self.scale, count)
        coordinates = np.concatenate([axes.coordinates(data.X, part) for part in row_blocks(*data.X.shape)])
        sizes = tuple(self._resolved("hidden_layer_sizes", data))
        architecture = denoiser_architecture(axes, sizes, self.activation)
        fold = random_state.permutation(data.n_rows) % N_MEMBERS
        kept, weight = reference_rows(count, random_state)
        start = start_views(axes, coordinates[kept], weight, fold[kept], architecture, random_state)
        judged = calibration_rows(len(kept), random_state)
        calibration, calibration_weight = kept[judged], weight[judged]

        n_components = n_leading_components(axes.variances, plain_number(self.n_components))
        generator = make_generator(random_state, data.device)
        seen = np.ascontiguousarray((coordinates * start.whitening)[:, : architecture.n_features])

        def network_in(dtype: torch.dtype) -> DenoiserEnsemble:
            variances = to_tensor(start.whitened_variances[: architecture.n_features], dtype, data.device)
            parameters = torch.zeros(architecture.n_parameters, dtype=dtype, device=data.device)
            return DenoiserEnsemble(architecture, variances, parameters, generator)

        network = network_in(data.dtype)
        network.initialise(generator)
        trainee = MixedPrecision(network, network_in(torch.bfloat16)) if self.dtype == "bfloat16" else network
        result = TrainingResult()

        def fitted_attributes() -> dict[str, Any]:
            views = replace(start, weights=to_numpy(network.parameters).copy())
            views = with_medians(views, coordinates[calibration], calibration_weight, self.device)
            seen = views.views(data.X[calibration], self.device)
            calibrated = self._calibrated(views, data, count, seen, calibration_weight)
            return training_attributes(result) | calibrated | {"n_components_": n_components}

        width = architecture.n_features
        rows = Rows(seen, np.zeros(width), np.ones(width), data.dtype, data.device)
        # A member learns from two thirds of the rows and can judge the rest as it would new ones.
        learns = count[:, np.newaxis] * (fold[:, np.newaxis] != np.arange(N_MEMBERS))
        split = Split(row_indices(data.n_rows), None, learns)
        self._train(trainee, data, rows, split, result, fitted_attributes, random_state)
        return fitted_attributes()

    def _fit_reconstruction(self, data: TrainingData, random_state: np.random.RandomState) -> dict[str, Any]:
        split = self._split(data, random_state)
        n_components = plain_number(self.n_components)
        calibration, n_folds, n_distinct = split.held_out, self._n_folds_judged(data), data.n_distinct_rows
        if calibration is None and MIN_ROWS_OF_FOLDS <= n_distinct < MIN_ROWS_A_FEATURE_TO_WHITEN * data.X.shape[1]:
            train, calibration = _automatic.hold_out(data.n_rows, 1.0 / N_FOLDS, random_state, first_copies(data.X))
            split = Split(train, None, data.sample_weight)
        # Rows that calibrate scores must be as new to all of the autoencoder as later ones, but for what folds see to.
        apart = calibration is not None and not n_folds
        calibration = split.train if calibration is None else calibration
        count = as_counts(data.sample_weight, data.n_rows)
        names = {"n_components_", *training_attributes(TrainingResult())}

        def finished(fitted: dict[str, Any]) -> dict[str, Any]:
            autoencoder = FittedAutoencoder(**fitted["_state"])
            codes = autoencoder.encode(data.X[split.train], self.device)
            views = ReconstructionViews(autoencoder, weighted_mean(codes, count[split.train]))
            seen = views.views(data.X[calibration], self.device)
            kept = {name: value for name, value in fitted.items() if name in names}
            return kept | self._calibrated(views, data, count, seen, count[calibration])

        return self._fit_autoencoder(data, n_components, True, random_state, split, apart=apart, finished=finished)

    def _calibrated(
        self,
        views: DenoisingViews | ReconstructionViews,
        data: TrainingData,
        count: np.ndarray,
        seen: np.ndarray,
        weight: np.ndarray,
    ) -> dict[str, Any]:
        """The scale of the views, the calibration scores and the threshold.

        All rows stand for `count` rows each; those that calibrate, whose views are `seen`, for `weight`.
        """
        scale = ViewScale.from_training(seen, weight)
        scores = scale.scores(seen)
        if isinstance(self.contamination, str):
            for_one = _next_to_lowest(scores)
            if data.n_rows < MIN_ROWS_OF_ONE_FOLD and data.n_distinct_rows >= MIN_ROWS_OF_FOLDS:
                # Rows look more usual to what was fitted to them: new ones must not pay for that.
                own = scale.scores(views.views(data.X, self.device))
                for_one = min(_next_to_lowest(own), lower_tail_threshold(scores, MAX_SHARE_FOR_ONE, weight))
                self._warn_of_too_few_rows(data, own)
            offset = max(-np.logaddexp(0.0, AUTO_THRESHOLD), for_one)
        else:
            offset = lower_tail_threshold(scale.scores(views.views(data.X, self.device)), self.contamination, count)
        state = {
            "views": asdict(views),
            "view_scale": asdict(scale),
            "calibration_scores": scores,
            "calibration_weight": weight,
        }
        return {"offset_": float(offset), "_state": state}

    def _warn_of_too_few_rows(self, data: TrainingData, scores: np.ndarray) -> None:
        """Warn if labels of the training rows, which have these scores, mean nothing; of folds rows are always few."""
        few = data.n_distinct_rows < MIN_ROWS_A_FEATURE_TO_WHITEN * data.X.shape[1]
        if few and not self._is_fold and (scores < -np.logaddexp(0.0, AUTO_THRESHOLD)).mean() > MAX_SHARE_FLAGGED:
            remedy = "Reduce the features" if self.method == "denoising" else "Try method='denoising'"
            warn(OVERFITTED.format(remedy), UserWarning)

    @property
    def _views(self) -> DenoisingViews | ReconstructionViews:
        return _VIEWS.of(self, self._state, lambda: _views_in(self._state))

    @property
    def _view_scale(self) -> ViewScale:
        return ViewScale(**self._state["view_scale"])

    def _score_samples(self, X) -> np.ndarray:
        with single_thread_if(X.shape[0] < MIN_ROWS_FOR_THREADS):
            return self._view_scale.scores(self._views.views(X, self.device))

    def _p_values(self, scores: np.ndarray) -> np.ndarray:
        return conformal_p_values(-scores, -self._state["calibration_scores"], self._state["calibration_weight"])

    def _feature_errors(self, X) -> np.ndarray:
        views, scale = self._views, self._view_scale
        with single_thread_if(X.shape[0] < MIN_ROWS_FOR_THREADS):
            seen = views.views(X, self.device)
            shares = views.feature_shares(X, scale.most_alarmed(seen), self.device)
        return shares * -scale.scores(seen)[:, np.newaxis]

    def _codes(self, X) -> np.ndarray:
        with single_thread_if(X.shape[0] < MIN_ROWS_FOR_THREADS):
            codes = self._views.codes(X, self.device)
        return codes[:, : self.n_components_]


def _views_in(state: dict[str, Any]) -> DenoisingViews | ReconstructionViews:
    """The views that a fitted state describes."""
    views = state["views"]
    if "autoencoder" in views:
        return ReconstructionViews(FittedAutoencoder(**views["autoencoder"]), views["code_mean"])
    return DenoisingViews(**views)


def _next_to_lowest(scores: np.ndarray) -> float:
    """A threshold below which is the lowest score alone, and what ties with it."""
    lowest = scores.min()
    others = scores[scores > lowest + TIE * abs(lowest)]
    return float((lowest + others.min()) / 2.0 if len(others) else lowest)
