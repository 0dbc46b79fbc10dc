"""One fit under way, and what the estimator would be if it stopped now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from skae._anchoring import AnchoringRows, anchor_arrays
from skae._base import training_attributes
from skae._fitted import FittedAutoencoder
from skae._model._autoencoder import AnchoredAutoencoder
from skae._model._code_map import MAX_METRIC_ROWS, diagonal_metric_map, metric_map, whitening_map
from skae._model._linear_anchor import LinearAnchor
from skae._model._prefixes import explained_by_prefixes
from skae._numerics._moments import row_blocks, spread_rows
from skae._numerics._running_moments import RunningMoments
from skae._support._torch import to_numpy
from skae._training._loop import Network, Split, TrainingResult
from skae._training._rows import BLOCK_ELEMENTS, Rows

# Rows whose codes are kept, for a density to sample from, and rows that order is judged on.
MAX_KEPT_CODES = 4096
MAX_PREFIX_ROWS = 4096


@dataclass(frozen=True)
class Task:
    """What a fit is to make of rows.

    Rows to hold out are drawn unless a `split` is given. Training sets out from an `earlier` autoencoder if there is
    one. `representative` are indices of the rows that stand for all (None: all do): in `partial_fit` a sample of all
    rows seen, beside the chunk. `moments` are then those of all rows seen.
    """

    n_components: int | float | None
    whiten: bool
    split: Split | None = None
    earlier: FittedAutoencoder | None = None
    representative: np.ndarray | None = None
    moments: RunningMoments | None = None


@dataclass(frozen=True)
class Fit:
    """A task under way: the rows, where it starts and how far it has come.

    `trainee` is the network as training sees it.
    """

    task: Task
    rows: Rows
    split: Split
    anchoring: AnchoringRows
    anchor: LinearAnchor
    network: AnchoredAutoencoder
    trainee: Network
    result: TrainingResult = field(default_factory=TrainingResult)

    def spread(self, at_most: int) -> np.ndarray:
        """Indices of rows that stand for all."""
        chosen = self.task.representative
        if chosen is None or not len(chosen):
            return spread_rows(len(self.rows), at_most)
        return chosen[spread_rows(len(chosen), at_most)]

    def weight(self, chosen: np.ndarray) -> np.ndarray | None:
        """The weights of the rows chosen, None where all are equal."""
        weight = self.split.sample_weight
        return None if weight is None else weight[chosen]

    def repeated(self, at_most: int) -> np.ndarray:
        """Indices of rows that stand for all, each as often as it weighs."""
        chosen = self.spread(at_most)
        weight = self.weight(chosen)
        if weight is None:
            return chosen
        middles = (np.arange(len(chosen)) + 0.5) / len(chosen)
        return chosen[np.searchsorted(np.cumsum(weight / weight.sum()), middles).clip(max=len(chosen) - 1)]


@torch.no_grad()
def fitted_attributes(fit: Fit) -> dict[str, Any]:
    """What the estimator would be if training stopped now."""
    axes, network = fit.anchoring.axes, fit.network
    shares = axes.variances / (axes.total_variance or 1.0)
    if network.architecture.ordered:
        chosen = fit.spread(MAX_PREFIX_ROWS)
        shares = explained_by_prefixes(network, fit.rows.take(chosen), fit.weight(chosen))
        if isinstance(fit.task.n_components, float):
            network, shares = _shortest_sufficient(fit, shares)
    n_components = network.architecture.n_components
    code_map = _public_code_map(fit, network)
    state = _plain_state(fit, network, code_map)
    codes = _codes_of(fit, network, fit.repeated(MAX_KEPT_CODES))
    return training_attributes(fit.result) | {
        "n_components_": n_components,
        "mean_": axes.mean,
        "scale_": axes.scale,
        "components_": axes.components[:n_components],
        "explained_variance_ratio_": shares,
        "_state": state,
        "_codes": codes.astype(np.float32),
    }


def _shortest_sufficient(fit: Fit, shares: np.ndarray) -> tuple[AnchoredAutoencoder, np.ndarray]:
    """The shortest code that explains the share wanted of the rows held out (or trained on), whole if none does."""
    split = fit.split
    judged = split.train if split.held_out is None else split.held_out
    judged = judged[spread_rows(len(judged), MAX_PREFIX_ROWS)]
    explained = explained_by_prefixes(fit.network, fit.rows.take(judged), fit.weight(judged))
    enough = np.cumsum(explained) >= fit.task.n_components
    count = int(np.argmax(enough)) + 1 if enough.any() else len(shares)
    return fit.network.truncated(count), shares[:count]


def _plain_state(fit: Fit, network: AnchoredAutoencoder, code_map: np.ndarray) -> dict[str, Any]:
    """The arguments of `FittedAutoencoder`."""
    axes, anchor, architecture = fit.anchoring.axes, fit.anchor, network.architecture
    count = architecture.n_components
    arrays = anchor_arrays(anchor)
    fill = fit.anchoring.fill.in_unit(anchor.unit)
    weights = to_numpy(network.parameters).copy()
    return arrays | {
        "mean": axes.mean,
        "scale": axes.scale,
        "encoder_axes": np.ascontiguousarray(arrays["encoder_axes"][:, :count]),
        "decoder_axes": np.ascontiguousarray(arrays["decoder_axes"][:count]),
        "code_bias": None if arrays["code_bias"] is None else arrays["code_bias"][:count],
        "fill_factors": np.ascontiguousarray(fill.factors.numpy(), dtype=weights.dtype),
        "fill_noise": fill.noise_variance,
        "fill_deviation": None if fill.deviation is None else fill.deviation.numpy().astype(weights.dtype),
        "weights": weights,
        "code_map": code_map,
        "code_map_inverse": np.linalg.inv(code_map),
        "architecture": dict(vars(architecture)),
    }


def _codes_of(fit: Fit, network: AnchoredAutoencoder, chosen: np.ndarray) -> np.ndarray:
    """The network's codes of the rows chosen."""
    parts = row_blocks(len(chosen), network.n_features, BLOCK_ELEMENTS)
    return np.concatenate([to_numpy(network.encode(fit.rows.take(chosen[part]))) for part in parts])


def _public_code_map(fit: Fit, network: AnchoredAutoencoder) -> np.ndarray:
    """The map from the network's codes to public ones, from all training rows or a spread of them."""
    architecture = network.architecture
    if fit.task.whiten:
        return fit.anchor.unrotated(whitening_map(*_code_covariance(fit, network)))
    if network.is_linear() or architecture.variational or architecture.sparsity is not None:
        return fit.anchor.score_map(architecture.n_components)
    chosen = fit.spread(MAX_METRIC_ROWS)
    mapped = diagonal_metric_map if architecture.ordered else metric_map
    z = network.encode(fit.rows.take(chosen))
    return fit.anchor.unrotated(mapped(network, z, fit.weight(chosen), fit.anchor.unit))


def _code_covariance(fit: Fit, network: AnchoredAutoencoder) -> tuple[np.ndarray, float]:
    """Covariance of the network's codes, and of how many rows it is: weights above one count as repetitions."""
    weight, moments = fit.split.sample_weight, fit.task.moments
    if fit.task.representative is None:
        own = [to_numpy(network.encode(x)) for _, x in fit.rows.blocks()]
        codes = np.concatenate([part for parts in fit.rows.processes.exchange("codes", own) for part in parts])
    elif moments is not None and network.is_linear():
        return fit.anchor.code_covariance(fit.anchoring.axes), max(moments.weight, moments.n_rows)
    else:
        chosen = fit.spread(MAX_KEPT_CODES)
        codes, weight = _codes_of(fit, network, chosen), fit.weight(chosen)
    of_codes = RunningMoments.of(codes.astype(np.float64), weight)
    return of_codes.covariance, max(of_codes.weight, of_codes.n_rows)
