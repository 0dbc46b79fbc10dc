"""Views of how unusual rows are, and their joint score, as ONNX graphs; all in float64, as skae computes them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from skae._denoising_views import N_MEMBERS, NOISE_LEVELS, SQUARED_FLOOR, DenoisingViews
from skae._model._activations import ACTIVATIONS
from skae._model._denoiser import level_embedding
from skae._model._nearest_rows import COINCIDENCE, MAX_COPIES
from skae._numerics._robust_axes import CLIP, ON_SPAN, RobustAxes
from skae._numerics._view_scale import ViewScale
from skae._onnx._graph import Symbol
from skae._onnx._networks import AutoencoderGraph
from skae._reconstruction_views import SQUARED_FLOOR as RECONSTRUCTION_FLOOR
from skae._reconstruction_views import ReconstructionViews


def scores(views: Symbol, scale: ViewScale) -> Symbol:
    """`ViewScale.scores`."""
    u = ((views - scale.centre) / scale.spread).reduce("ReduceMax", 1)
    return -(u.apply("Max", 0.0) + (-u.apply("Abs")).apply("Exp").apply("Add", 1.0).apply("Log"))


def reconstruction_views(X: Symbol, views: ReconstructionViews) -> Symbol:
    """`ReconstructionViews.views`."""
    graph, fitted = AutoencoderGraph(views.autoencoder), views.autoencoder
    x = graph.standardised(X)
    z = graph.encode(x)
    errors = (graph.decode(z) - x).cast(np.float64).square().mean(1, keepdims=True) * fitted.unit**2
    distances = (graph.public_codes(z) - views.code_mean).square().mean(1, keepdims=True)
    return (errors.beside(distances) + RECONSTRUCTION_FLOOR).apply("Log") * 0.5


def denoising_views(X: Symbol, views: DenoisingViews) -> Symbol:
    """`DenoisingViews.views`."""
    return _DenoisingGraph(views).views(_coordinates(X.cast(np.float64), views.robust_axes))


def _coordinates(X: Symbol, axes: RobustAxes) -> Symbol:
    """`RobustAxes.coordinates`."""
    deviations = ((X - axes.mean) / axes.scale).clip(-CLIP, CLIP) - axes.centre
    coordinates = deviations @ axes.axes
    if axes.complete:
        return coordinates
    outside = _norm(deviations - coordinates @ axes.axes.T)
    return coordinates.beside((outside < _norm(deviations) * ON_SPAN).where(0.0, outside))


def _norm(rows: Symbol) -> Symbol:
    return rows.square().total(1, keepdims=True).apply("Sqrt")


@dataclass(frozen=True)
class _DenoisingGraph:
    """The four views of rows given by their coordinates."""

    fitted: DenoisingViews

    def views(self, plain: Symbol) -> Symbol:
        fitted = self.fitted
        whitened = plain * fitted.whitening
        references = plain.graph.constant(fitted.references.T, np.float64)
        distances = self._distances(plain, plain, references, fitted.references)
        ratios = (self._squared_residuals(whitened) / fitted.residual_medians[:, :, np.newaxis]).mean(0)
        judged = (ratios * self._judges(distances)).total(0)
        denoisers = ((judged + SQUARED_FLOOR).apply("Log") * 0.5).expanded(1)
        # The products of whitened rows with whitened references, from those with plain ones.
        seen = fitted.references * fitted.whitening
        whitened_distances = self._distances(whitened, whitened * fitted.whitening, references, seen)
        return denoisers.beside(
            self._log_nearest(distances),
            self._log_nearest(whitened_distances),
            self._log_distance(self._kth(whitened_distances)),
        )

    @staticmethod
    def _distances(rows: Symbol, factors: Symbol, references: Symbol, seen: np.ndarray) -> Symbol:
        """`NearestRows.distances`, to references that are `seen` where `factors` times `references` are products."""
        norms = rows.square().total(1, keepdims=True)
        distances = (factors @ references) * -2.0 + norms + np.square(seen).sum(axis=1)
        distances = distances.apply("Max", 0.0)
        coincide = distances <= (norms + float(seen.shape[1])) * COINCIDENCE
        copies = coincide.cast(np.float64).total(1, keepdims=True)
        left_out = coincide.apply("And", copies <= float(MAX_COPIES), dtype=bool)
        return left_out.where(np.inf, distances)

    def _log_nearest(self, distances: Symbol) -> Symbol:
        first, *others = (distances.take(bag).reduce("ReduceMin", 1, keepdims=True) for bag in self.fitted.bags)
        nearest = first.beside(*others) if others else first
        return self._log_distance(nearest).mean(1, keepdims=True)

    def _log_distance(self, squares: Symbol) -> Symbol:
        finite = squares.apply("IsInf", dtype=bool).where(0.0, squares)
        return (finite + SQUARED_FLOOR * self.fitted.references.shape[1]).apply("Log") * 0.5

    def _kth(self, distances: Symbol) -> Symbol:
        """`NearestRows.to_kth`."""
        weight, k = self.fitted.reference_weight, self.fitted.n_neighbors
        enough = math.ceil(k) if (weight >= 1.0).all() else len(weight)
        values, indices = distances.extreme(min(len(weight), enough), largest=False)
        infinite = values.apply("IsInf", dtype=bool)
        weights = distances.graph.constant(weight, np.float64).apply("Gather", indices)
        counted = infinite.where(0.0, weights).apply("CumSum", distances.indices(1))
        last = infinite.apply("Not").cast(np.int64).total(1, keepdims=True) - 1
        place = (counted < k - 1e-9).cast(np.int64).total(1, keepdims=True)
        return values.at(place.apply("Min", last.apply("Max", 0)))

    def _judges(self, distances: Symbol) -> Symbol:
        """`_ViewsOn._judges`, shape (n_members, n_rows)."""
        coincide = distances.apply("IsInf", dtype=bool).cast(np.float64)
        learned_from = self.fitted.reference_fold[:, np.newaxis] != np.arange(N_MEMBERS)
        judges = (coincide @ learned_from < 0.5).cast(np.float64)
        none = judges.total(1, keepdims=True) < 0.5
        judges = judges + none.cast(np.float64)
        return (judges / judges.total(1, keepdims=True)).apply("Transpose", attributes={"perm": [1, 0]})

    def _squared_residuals(self, whitened: Symbol) -> Symbol:
        """`_ViewsOn.squared_residuals`, all levels at once: shape (n_levels, n_members, n_rows)."""
        fitted, split = self.fitted, self.fitted.n_network_axes
        seen = whitened.columns(0, split).cast(fitted.weights.dtype)
        squares = self._network_residuals(seen).cast(np.float64).square().total(3)
        if split == len(fitted.variances):
            return squares
        variances, levels = fitted.whitened_variances[split:], np.square(NOISE_LEVELS)[:, np.newaxis, np.newaxis]
        unseen = whitened.columns(split, len(fitted.variances)) * (-levels / (variances + levels))
        return squares + unseen.square().total(2).expanded(1)

    def _network_residuals(self, seen: Symbol) -> Symbol:
        """`DenoiserEnsemble.residuals`, shape (n_levels, n_members, n_rows, n_network_axes)."""
        network = self.fitted.network(torch.device("cpu"))
        levels = torch.tensor(NOISE_LEVELS, dtype=network.parameters.dtype)[:, None, None, None]
        embedding, level = level_embedding(levels).numpy(), levels.numpy()
        contraction = 1.0 / np.sqrt(1.0 + level**2)
        # Columns of zeros, to which the embedding of the level is added.
        width, n_embedded = self.fitted.n_network_axes, embedding.shape[-1]
        padded = seen.apply("Pad", seen.indices([0, 0, 0, n_embedded]))
        shift = np.concatenate([np.zeros((*level.shape[:3], width)), embedding], axis=-1)
        inputs = padded * contraction + shift
        layers = [(weight.numpy(), bias.numpy()) for weight, bias in network.layers]
        for weight, bias in layers[:-1]:
            value = ACTIVATIONS[self.fitted.activation].graph(inputs @ weight + bias)
            inputs = inputs + value if weight.shape[1] == weight.shape[2] else value
        weight, bias = layers[-1]
        variances = self.fitted.whitened_variances[:width]
        wiener = seen * (variances / (variances + level**2))
        return (inputs @ weight + bias) * (level * contraction) + wiener - seen
