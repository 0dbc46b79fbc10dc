"""Masked autoencoders, which predict the probabilities of the bins of masked features from the other features."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skae._detector._ensemble import Layers, PerceptronEnsemble
from skae._detector._feature_scale import CLIP
from skae._linalg._quantiles import observed
from skae._support._torch import to_tensor

# Maximum number of bins of a numeric feature, and minimum of the average number of rows per bin.
MAX_BINS, MIN_ROWS_PER_BIN = 20, 5
# Inputs of the network are clipped at this many deviations.
INPUT_CLIP = 8.0
# For scoring, the number of passes of each member. Each pass masks a part of the features; together, the passes of a
# member mask every feature once.
PASSES = (2, 2, 3)
# Logits are clipped here, because exponentials of larger ones may overflow.
MAX_LOGIT = 60.0
# The index of the bin of a missing entry.
MISSING = -1
# The log-frequency of bins that a feature does not have.
NO_BIN = -1e4


@dataclass(frozen=True, eq=False)
class Bins:
    """Bins of each feature: one per category, one per distinct value if there are few, else quantile bins.

    `edges`, of shape (n_features, max_bins - 1), are infinite beyond the last bin of a feature. `values`, of shape
    (n_features, max_bins), are the distinct values, and infinite for quantile bins. `log_widths` are the logarithms of
    the widths of quantile bins relative to their median, and zero for distinct values. `lowest` and `highest`, of shape
    (n_members, n_features), are the ranges of the rows that each member is trained on. Values within `tolerance` are
    equal. `log_weight` is the logarithm of the number of training rows.
    """

    edges: np.ndarray
    values: np.ndarray
    log_widths: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    tolerance: np.ndarray
    log_weight: float

    @classmethod
    def of(
        cls,
        deviations: np.ndarray,
        weight: np.ndarray,
        member_weight: np.ndarray,
        tolerance: np.ndarray,
        categories: np.ndarray | None = None,
    ) -> Bins:
        """Choose the bins from weighted rows in the units of a `FeatureScale`; NaN is missing.

        `member_weight` are the weights of the rows for each member. `categories` is the number of categories of each
        feature, 0 for numeric features. Categories are numbered from 0.
        """
        n_features = deviations.shape[1]
        categories = np.zeros(n_features, dtype=np.intp) if categories is None else categories
        max_bins = max(MAX_BINS, categories.max())
        edges = np.full((n_features, max_bins - 1), np.inf, np.float32)
        values = np.full((n_features, max_bins), np.inf, np.float32)
        log_widths = np.zeros((n_features, max_bins), np.float32)
        n_bins = max(1, min(MAX_BINS, len(deviations) // MIN_ROWS_PER_BIN))
        for feature, column in enumerate(deviations.T):
            if categories[feature]:
                values[feature, : categories[feature]] = np.arange(categories[feature])
                edges[feature, : categories[feature] - 1] = np.arange(categories[feature] - 1) + 0.5
                continue
            column, weight_of_column = observed(column, weight)
            distinct, group = np.unique(column, return_inverse=True)
            if len(distinct) <= n_bins:
                edges[feature, : len(distinct) - 1] = 0.5 * (distinct[1:] + distinct[:-1])
                values[feature, : len(distinct)] = distinct
                continue
            cumulative = np.cumsum(np.bincount(group, weights=weight_of_column))
            places = np.searchsorted(cumulative, np.linspace(0.0, 1.0, n_bins + 1) * cumulative[-1])
            places = np.unique(np.clip(places[1:-1], 1, len(distinct) - 1))
            inner = 0.5 * (distinct[places - 1] + distinct[places])  # between values, rounding errors do not matter
            widths = np.maximum(np.diff(inner, prepend=distinct[0], append=distinct[-1]), 1e-3)
            log_widths[feature, : len(widths)] = np.log(widths / np.median(widths))
            edges[feature, : len(inner)] = inner
        own = [deviations[weight_of > 0] for weight_of in member_weight.T]
        # If a feature is missing in all rows of a member, the range is that of all rows.
        ranges = [np.stack([reduce.reduce(x, axis=0) for x in [*own, deviations]]) for reduce in (np.fmin, np.fmax)]
        lowest, highest = (np.nan_to_num(np.where(np.isnan(each[:-1]), each[-1], each[:-1])) for each in ranges)
        return cls(edges, values, log_widths, lowest, highest, tolerance, math.log(weight.sum() + 1.0))

    @property
    def n_bins(self) -> np.ndarray:
        """Number of bins of each feature."""
        return np.isfinite(self.edges).sum(axis=1) + 1

    def index(self, deviations: np.ndarray) -> np.ndarray:
        """The bin of each entry; `MISSING` for NaN."""
        columns = zip(self.edges, deviations.T, strict=True)
        index = np.stack([np.searchsorted(edges, column, side="right") for edges, column in columns], axis=1)
        index[np.isnan(deviations)] = MISSING
        return index

    def offset(self, deviations: np.ndarray, index: np.ndarray, member: int | None = None) -> np.ndarray:
        """What is added to the surprisal of each entry's bin: its log-width, and a penalty for unseen values.

        With quantile bins, the penalty is the distance from the range of the rows that the given member, or any member,
        was trained on. With distinct values, it increases with the distance from the nearest one. NaN remains NaN.
        """
        features = np.arange(deviations.shape[1])
        lowest = self.lowest.min(axis=0) if member is None else self.lowest[member]
        highest = self.highest.max(axis=0) if member is None else self.highest[member]
        beyond = np.clip(np.maximum(deviations - highest, lowest - deviations), 0.0, CLIP)
        nearest = self.values[features, index]
        off = np.abs(deviations - np.where(np.isfinite(nearest), nearest, deviations))
        penalty = np.where(off <= self.tolerance, 0.0, 0.5 * self.log_weight + np.minimum(off, CLIP))
        return self.log_widths[features, index] + np.where(np.isfinite(nearest), penalty, beyond)


def log_marginals(index: np.ndarray, n_bins: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Logarithms of the weighted relative frequencies of bins, shape (n_features, max_bins)."""
    result = np.full((len(n_bins), max(MAX_BINS, n_bins.max())), NO_BIN, np.float32)
    for feature, count in enumerate(n_bins):
        known = index[:, feature] != MISSING
        frequency = np.bincount(index[known, feature], weights=weight[known], minlength=count) + 0.5
        result[feature, :count] = np.log(frequency / frequency.sum())
    return result


@dataclass(frozen=True)
class ScoringLayers:
    """For each pass its masked features and layers, and the permutation that sorts the features of all passes."""

    layers: list[tuple[Tensor, Layers]]
    order: Tensor


class MaskedAutoencoder:
    r"""Networks (members) that predict the bins of masked features, :math:`p(x_j \mid x_{\text{shown}})`.

    Logits are the logarithms of the marginal frequencies of the bins plus a perceptron whose output starts at zero. Its
    inputs are the values and rank coordinates of the features that are shown, and the mask of these features. Members
    differ in their initial weights and in the rows they are trained on, which the weights of the rows determine.

    Parameters
    ----------
    log_marginals : Tensor of shape (n_members, n_features, n_bins)
    hidden_layer_sizes : tuple of int
    activation : str
    parameters : Tensor, optional
        Zeros by default, which make every member predict the marginal frequencies.
    generator : torch.Generator, optional
        Draws the masks of training.
    input_features : ndarray of shape (n_inputs,), optional
        The feature that each input belongs to. By default, each feature has two inputs: first come the values of all
        features, then their ranks.
    """

    def __init__(
        self,
        log_marginals: Tensor,
        hidden_layer_sizes: tuple[int, ...],
        activation: str,
        parameters: Tensor | None = None,
        generator: torch.Generator | None = None,
        input_features: np.ndarray | None = None,
    ) -> None:
        self._n_members, self._n_features, self._n_bins = log_marginals.shape
        self._n_inputs = 2 * self._n_features if input_features is None else len(input_features)
        self._input_features = None
        if input_features is not None:
            self._input_features = to_tensor(input_features, torch.int64, log_marginals.device)
        sizes = (self._n_inputs + self._n_features, *hidden_layer_sizes, self._n_features * self._n_bins)
        if parameters is None:
            parameters = log_marginals.new_zeros(PerceptronEnsemble.count_parameters(sizes, self._n_members))
        self._log_marginals, self._generator = log_marginals, generator
        self._ensemble = PerceptronEnsemble(sizes, activation, self._n_members, parameters)
        self.parameters = parameters

    @staticmethod
    def inputs(deviations: np.ndarray, ranks: np.ndarray, is_numeric: np.ndarray | None = None) -> np.ndarray:
        """Values and rank coordinates side by side; zero for NaN. Categorical features have no rank coordinates."""
        known = ~np.isnan(deviations)
        inputs = np.concatenate([np.clip(deviations, -INPUT_CLIP, INPUT_CLIP), ranks], axis=1)
        if not known.all():
            inputs = np.where(np.tile(known, 2), inputs, np.float32(0.0))
        if is_numeric is None:
            return inputs
        return inputs[:, np.append(np.ones(len(is_numeric), dtype=bool), is_numeric)]

    def _per_input(self, shown: Tensor) -> Tensor:
        """Repeat a number per feature for each input of the feature."""
        if self._input_features is None:
            return shown.repeat(*(1,) * (shown.ndim - 1), 2)
        return shown[..., self._input_features]

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the weights of the hidden layers. Every member still predicts the marginal frequencies."""
        self._ensemble.initialise(generator)

    def bind_gradient(self, gradient: Tensor) -> None:
        """Set the vector that `loss_and_gradient` writes to."""
        self._gradients = self._ensemble.layer_views(gradient)

    def row_losses(self, x: Tensor) -> Tensor:
        """Loss of each row and member, shape (n_rows, n_members). Masks are the same in every call."""
        generator = torch.Generator(device=x.device).manual_seed(0)
        logits, masked, targets, _ = self._masked_logits(x, generator)
        own = torch.log_softmax(logits, 3).gather(3, targets)[..., 0]
        return (-(own * masked).sum(2) / masked.sum(2).clamp_min(1.0)).t()

    def loss_and_gradient(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """The weighted mean cross-entropy of masked entries. Its gradient is written to the bound vector.

        Rows x are inputs followed by indices of bins. `weight` has shape (n_rows, n_members). A member is not trained
        on rows with weight zero.
        """
        logits, masked, targets, tape = self._masked_logits(x, self._generator)
        share = masked if weight is None else masked * weight.t()[..., None]
        share = share / share.sum((1, 2), keepdim=True).clamp_min(torch.finfo(share.dtype).tiny) / self._n_members
        log_probabilities = torch.log_softmax(logits, 3)
        loss = -(log_probabilities.gather(3, targets)[..., 0] * share).sum()
        # The gradient of the cross-entropy is the vector of probabilities, minus one at the target.
        slope = log_probabilities.exp_()
        slope.scatter_add_(3, targets, slope.new_full((), -1.0).expand(targets.shape))
        self._ensemble.backward(slope.mul_(share[..., None]).flatten(2), tape, self._gradients)
        return loss

    def _masked_logits(self, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor, Any]:
        """Logits of rows with a random share of their entries masked; the mask, the targets, and the tape.

        Missing entries are not shown to the network, and are not in the mask.
        """
        shape = (self._n_members, len(x), self._n_features)
        inputs, targets = x[:, : self._n_inputs], x[:, self._n_inputs :].long()
        known = (targets != MISSING).to(x.dtype)
        share = torch.rand((*shape[:2], 1), generator=generator, dtype=x.dtype, device=x.device)
        shown = torch.rand(shape, generator=generator, dtype=x.dtype, device=x.device) >= share
        shown = shown.to(x.dtype).mul_(known)
        outputs, tape = self._ensemble.forward(torch.cat([inputs * self._per_input(shown), shown], 2))
        logits = outputs.view(*shape, self._n_bins) + self._log_marginals[:, None]
        return logits, known - shown, targets.clamp_min(0).expand(shape)[..., None], tape

    def scoring_layers(self, passes: list[Pass], member: int | None = None) -> ScoringLayers:
        """The layers of each pass, taken from the given member, or by default from the member of the pass."""
        places = np.concatenate([features for features, _ in passes]).argsort(kind="stable")
        order, layers = torch.from_numpy(places).to(self.parameters.device), []
        for features, own_member in passes:
            masked = to_tensor(features, torch.int64, self.parameters.device)
            layers.append((masked, self._layers_for(masked, own_member if member is None else member)))
        return ScoringLayers(layers, order)

    def surprisals(self, inputs: Tensor, index: Tensor, scoring_layers: ScoringLayers) -> Tensor:
        """Minus the log-probability of the bin of each entry, averaged over the passes that mask the feature.

        `inputs` may be followed by a column per feature that is 1 for missing entries. Results for missing entries are
        meaningless.
        """
        index = index.clamp_min(0)
        found = [self._surprisals_of(inputs, index[:, masked], layers) for masked, layers in scoring_layers.layers]
        # The passes of each member mask every feature once. After sorting, the results of a feature are adjacent.
        return torch.cat(found, 1)[:, scoring_layers.order].view(inputs.shape[0], self._n_features, -1).mean(2)

    def _surprisals_of(self, inputs: Tensor, index: Tensor, layers: Layers) -> Tensor:
        (weight, bias), *others = layers
        logits = self._ensemble.run(inputs, [(weight[: inputs.shape[1]], bias), *others])
        logits = logits.view(*index.shape, self._n_bins)
        own = logits.gather(2, index[..., None])[..., 0]
        # This takes half the time of logsumexp, and clipping prevents overflow.
        return logits.clamp_(2.0 * NO_BIN, MAX_LOGIT).exp_().sum(2).clamp_min_(math.exp(-MAX_LOGIT)).log_() - own

    def _layers_for(self, masked: Tensor, member: int) -> Layers:
        """The layers of a member without the inputs of the masked features, and with only the outputs of these.

        The mask of a pass is constant, so that its inputs are included in the bias. The inputs for missing entries
        subtract the part of missing features from the bias.
        """
        layers, n_features = self._ensemble.member(member), self._n_features
        shown = torch.ones(n_features, dtype=self.parameters.dtype, device=self.parameters.device)
        shown[masked] = 0.0
        weight, bias = layers[0]
        values, indicators = (weight * torch.cat([self._per_input(shown), shown])[:, None]).split(
            [self._n_inputs, n_features]
        )
        layers[0] = (torch.cat([values, -indicators]), bias + indicators.sum(0))
        weight, bias = layers[-1]
        bias = bias.view(n_features, -1)[masked] + self._log_marginals[member, masked]
        layers[-1] = (weight.view(len(weight), n_features, -1)[:, masked].flatten(1), bias.flatten())
        return layers


# The features that a pass masks, and the member that it uses.
Pass = tuple[np.ndarray, int]


def draw_passes(n_features: int, random_state: np.random.RandomState) -> list[Pass]:
    """Draw the passes for scoring. Each member masks every feature once, in random groups."""
    passes = []
    for member, n_groups in enumerate(PASSES):
        groups = np.array_split(random_state.permutation(n_features), min(n_groups, n_features))
        passes += [(np.sort(group), member) for group in groups]
    return passes
