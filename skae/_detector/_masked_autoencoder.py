"""Masked autoencoders, which predict the probabilities of the bins of masked features from the other features."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skae._detector._bins import MISSING, NO_BIN
from skae._detector._coordinates import Systems
from skae._detector._ensemble import Layers, PerceptronEnsemble
from skae._support._torch import to_tensor

# Inputs of the network are clipped at this many deviations.
INPUT_CLIP = 8.0
# For scoring, the number of passes of each member. Each pass masks a part of the features; together, the passes of a
# member mask every feature once.
PASSES = (2, 2, 3)
# Logits are clipped here, because exponentials of larger ones may overflow.
MAX_LOGIT = 60.0


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
        if input_features is None:
            input_features = np.tile(np.arange(self._n_features), 2)
        self._input_features = to_tensor(input_features, torch.int64, log_marginals.device)
        self._n_inputs = len(input_features)
        sizes = (self._n_inputs + self._n_features, *hidden_layer_sizes, self._n_features * self._n_bins)
        if parameters is None:
            parameters = log_marginals.new_zeros(PerceptronEnsemble.count_parameters(sizes, self._n_members))
        self._log_marginals, self._generator = log_marginals, generator
        self._ensemble = PerceptronEnsemble(sizes, activation, self._n_members, parameters)
        self.parameters = parameters

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
        outputs, tape = self._ensemble.forward(torch.cat([inputs * shown[..., self._input_features], shown], 2))
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
        values, indicators = (weight * torch.cat([shown[self._input_features], shown])[:, None]).split(
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


def masked_inputs(systems: Systems) -> np.ndarray:
    """The inputs: values and rank coordinates side by side; zero for NaN. Categories have no rank coordinates."""
    inputs = np.concatenate([np.clip(systems.deviations, -INPUT_CLIP, INPUT_CLIP), systems.ranks], axis=1)
    if systems.missing is not None:
        inputs = np.where(np.tile(systems.missing, 2), np.float32(0.0), inputs)
    if systems.columns is None:
        return inputs
    return inputs[:, np.append(np.ones(len(systems.columns.is_numeric), dtype=bool), systems.columns.is_numeric)]
