"""Masked autoencoders over bins: how surprising each feature is, given the others."""

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

# At most so many, with so many rows in each on average.
MAX_BINS, MIN_ROWS_PER_BIN = 20, 5
# Deviations beyond which the network's inputs count as this far.
INPUT_CLIP = 8.0
# Passes of each member over the rows it scores; each pass masks one group of the features, and all passes of a member
# together mask every feature once.
PASSES = (2, 2, 3)
# Logits beyond this size would overflow.
MAX_LOGIT = 60.0
# The bin of a missing entry.
MISSING = -1
# A logit that no bin of a feature has which does not exist.
NO_BIN = -1e4


@dataclass(frozen=True, eq=False)
class Bins:
    """Bins of each feature: its distinct values, if there are few, else quantile bins, which count by their widths.

    Categories are a bin each, however many there are. `edges` of shape (n_features, max_bins - 1) are infinite where
    there are fewer bins, and so are `values` where bins are quantiles. `log_widths` are relative to the median bin of
    the feature, and zero for distinct values. `lowest` and `highest` of shape (n_members, n_features) are those of the
    rows that a member learns from.
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
        """Of weighted rows in the units of a `FeatureScale`, NaN where missing, and what they weigh for each member.

        Features of which `categories`, of shape (n_features,), is not 0 are numbers of categories, below that.
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
            inner = 0.5 * (distinct[places - 1] + distinct[places])  # where no value is, roundings do not matter
            widths = np.maximum(np.diff(inner, prepend=distinct[0], append=distinct[-1]), 1e-3)
            log_widths[feature, : len(widths)] = np.log(widths / np.median(widths))
            edges[feature, : len(inner)] = inner
        own = [deviations[weight_of > 0] for weight_of in member_weight.T]
        # A member that never saw a feature takes the range of all rows.
        ranges = [np.stack([reduce.reduce(x, axis=0) for x in [*own, deviations]]) for reduce in (np.fmin, np.fmax)]
        lowest, highest = (np.nan_to_num(np.where(np.isnan(each[:-1]), each[-1], each[:-1])) for each in ranges)
        return cls(edges, values, log_widths, lowest, highest, tolerance, math.log(weight.sum() + 1.0))

    @property
    def n_bins(self) -> np.ndarray:
        """Number of bins of each feature."""
        return np.isfinite(self.edges).sum(axis=1) + 1

    def index(self, deviations: np.ndarray) -> np.ndarray:
        """Bin of each entry, -1 for NaN."""
        columns = zip(self.edges, deviations.T, strict=True)
        index = np.stack([np.searchsorted(edges, column, side="right") for edges, column in columns], axis=1)
        index[np.isnan(deviations)] = MISSING
        return index

    def offset(self, deviations: np.ndarray, index: np.ndarray, member: int | None = None) -> np.ndarray:
        """What is added to the surprisal of each entry: the log-width of its bin, and a penalty for unseen values.

        Unseen by the given member, or by all. NaN stays NaN.
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
    """Logarithms of the weighted frequencies of bins, shape (n_features, max_bins)."""
    result = np.full((len(n_bins), max(MAX_BINS, n_bins.max())), NO_BIN, np.float32)
    for feature, count in enumerate(n_bins):
        known = index[:, feature] != MISSING
        frequency = np.bincount(index[known, feature], weights=weight[known], minlength=count) + 0.5
        result[feature, :count] = np.log(frequency / frequency.sum())
    return result


@dataclass(frozen=True)
class ScoringLayers:
    """Masked features and layers of each pass, and the order that sorts the features of all passes."""

    layers: list[tuple[Tensor, Layers]]
    order: Tensor


class MaskedAutoencoder:
    r"""Members that give each masked feature's bins their probabilities, :math:`p(x_j \mid x_{\text{shown}})`.

    Logits are the logarithms of the bins' marginal frequencies plus a perceptron whose output starts at zero. Its
    inputs are the values and the rank coordinates that are shown, and which they are. Members differ in their initial
    weights and, by the weights of the rows, in the rows they learn from.

    Parameters
    ----------
    log_marginals : Tensor of shape (n_members, n_features, n_bins)
    hidden_layer_sizes : tuple of int
    activation : str
    parameters : Tensor, optional
        Zeros, the default, make the marginal frequencies.
    generator : torch.Generator, optional
        Draws the masks of training.
    input_features : ndarray of shape (n_inputs,), optional
        The feature that each input belongs to. By default there are two inputs for each feature, all values first.
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
        """Values and rank coordinates, of numbers only, side by side, zeros where deviations are NaN."""
        known = ~np.isnan(deviations)
        inputs = np.concatenate([np.clip(deviations, -INPUT_CLIP, INPUT_CLIP), ranks], axis=1)
        if not known.all():
            inputs = np.where(np.tile(known, 2), inputs, np.float32(0.0))
        if is_numeric is None:
            return inputs
        return inputs[:, np.append(np.ones(len(is_numeric), dtype=bool), is_numeric)]

    def _per_input(self, shown: Tensor) -> Tensor:
        """What is said of features, for each of the inputs."""
        if self._input_features is None:
            return shown.repeat(*(1,) * (shown.ndim - 1), 2)
        return shown[..., self._input_features]

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the hidden layers; every member still gives the marginal frequencies."""
        self._ensemble.initialise(generator)

    def bind_gradient(self, gradient: Tensor) -> None:
        """Name the vector that `loss_and_gradient` writes to."""
        self._gradients = self._ensemble.layer_views(gradient)

    def row_losses(self, x: Tensor) -> Tensor:
        """Loss of each row and member, shape (n_rows, n_members), under masks that are the same in every call."""
        generator = torch.Generator(device=x.device).manual_seed(0)
        logits, masked, targets, _ = self._masked_logits(x, generator)
        own = torch.log_softmax(logits, 3).gather(3, targets)[..., 0]
        return (-(own * masked).sum(2) / masked.sum(2).clamp_min(1.0)).t()

    def loss_and_gradient(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """The weighted mean of the cross-entropies of masked entries; its gradient goes into the bound vector.

        Rows x are inputs and indices of bins side by side. `weight` has shape (n_rows, n_members); zero keeps a row
        from a member.
        """
        logits, masked, targets, tape = self._masked_logits(x, self._generator)
        share = masked if weight is None else masked * weight.t()[..., None]
        share = share / share.sum((1, 2), keepdim=True).clamp_min(torch.finfo(share.dtype).tiny) / self._n_members
        log_probabilities = torch.log_softmax(logits, 3)
        loss = -(log_probabilities.gather(3, targets)[..., 0] * share).sum()
        # The gradient of the cross-entropy: probabilities, minus one at the target.
        slope = log_probabilities.exp_()
        slope.scatter_add_(3, targets, slope.new_full((), -1.0).expand(targets.shape))
        self._ensemble.backward(slope.mul_(share[..., None]).flatten(2), tape, self._gradients)
        return loss

    def _masked_logits(self, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor, Any]:
        """Logits of rows of which a random share of the entries is masked; the mask, the targets, and the tape.

        Missing entries are neither shown nor among the targets.
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
        """The layers of each pass, all of them of the given member, if any, else each of its own."""
        places = np.concatenate([features for features, _ in passes]).argsort(kind="stable")
        order, layers = torch.from_numpy(places).to(self.parameters.device), []
        for features, own_member in passes:
            masked = to_tensor(features, torch.int64, self.parameters.device)
            layers.append((masked, self._layers_for(masked, own_member if member is None else member)))
        return ScoringLayers(layers, order)

    def surprisals(self, inputs: Tensor, index: Tensor, prepared: ScoringLayers) -> Tensor:
        """Minus the logarithm of each bin's probability, averaged over the passes that mask its feature.

        `inputs` may have one column more for each feature that is 1 where it is missing. What is returned there is no
        surprisal.
        """
        index = index.clamp_min(0)
        found = [self._surprisals_of(inputs, index[:, masked], layers) for masked, layers in prepared.layers]
        # Every member's passes mask each feature once: in the order of the features, their results lie side by side.
        return torch.cat(found, 1)[:, prepared.order].view(inputs.shape[0], self._n_features, -1).mean(2)

    def _surprisals_of(self, inputs: Tensor, index: Tensor, layers: Layers) -> Tensor:
        (weight, bias), *others = layers
        logits = self._ensemble.run(inputs, [(weight[: inputs.shape[1]], bias), *others])
        logits = logits.view(*index.shape, self._n_bins)
        own = logits.gather(2, index[..., None])[..., 0]
        # Half the time of logsumexp; logits are logarithms of frequencies and corrections.
        return logits.clamp_(2.0 * NO_BIN, MAX_LOGIT).exp_().sum(2).clamp_min_(math.exp(-MAX_LOGIT)).log_() - own

    def _layers_for(self, masked: Tensor, member: int) -> Layers:
        """A member's layers without the inputs that are masked, and with the outputs of those features only.

        Indicators of what is shown are constant, and part of the bias; indicators of what is missing take that back.
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


# Features that a pass masks, and the member that makes it.
Pass = tuple[np.ndarray, int]


def draw_passes(n_features: int, random_state: np.random.RandomState) -> list[Pass]:
    """The passes of scoring: each member masks every feature once, in groups."""
    passes = []
    for member, n_groups in enumerate(PASSES):
        groups = np.array_split(random_state.permutation(n_features), min(n_groups, n_features))
        passes += [(np.sort(group), member) for group in groups]
    return passes
