"""An ensemble of denoising autoencoders that start at the Wiener filter."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from skae._detector._ensemble import Layers, PerceptronEnsemble

# In training, noise levels are drawn log-uniformly between these. The rows have unit variance.
MIN_NOISE, MAX_NOISE = 0.05, 6.0
# Noise levels of scoring. No single level finds all kinds of outliers; the mean over a geometric grid is better.
NOISE_LEVELS = (0.2, 0.8, 3.2)
# In each batch, this share of the rows with the highest losses is ignored, because outliers may be among them.
TRIMMED = 0.1
# The number of inputs that encode the noise level.
N_EMBEDDED = 4


class DenoiserEnsemble:
    r"""Networks (members) that remove Gaussian noise of any standard deviation :math:`\sigma` from rows.

    .. math:: D(y, \sigma) = \frac{\lambda}{\lambda + \sigma^2}\, y
              + \frac{\sigma}{\sqrt{1 + \sigma^2}}\, F\!\left(\frac{y}{\sqrt{1 + \sigma^2}}, \log\sigma\right)

    Rows are coordinates along principal axes, with variances :math:`\lambda`. The first term is the Wiener filter, the
    best linear denoiser. F is a perceptron whose output starts at zero. Members differ in their initial weights, in the
    noise, and in the rows they are trained on, which the weights of the rows determine.

    Parameters
    ----------
    variances : Tensor of shape (n_features,)
    hidden_layer_sizes : tuple of int
    activation : str
    n_members : int
    parameters : Tensor, optional
        Zeros by default, which make every member the Wiener filter.
    generator : torch.Generator, optional
        Draws the noise of training.
    """

    def __init__(
        self,
        variances: Tensor,
        hidden_layer_sizes: tuple[int, ...],
        activation: str,
        n_members: int,
        parameters: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        sizes = (len(variances) + N_EMBEDDED, *hidden_layer_sizes, len(variances))
        if parameters is None:
            parameters = variances.new_zeros(PerceptronEnsemble.count_parameters(sizes, n_members))
        self._variances, self._n_members, self._generator = variances, n_members, generator
        self._ensemble = PerceptronEnsemble(sizes, activation, n_members, parameters)
        self.parameters = parameters

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the weights of the hidden layers. Every member remains the Wiener filter."""
        self._ensemble.initialise(generator)

    def bind_gradient(self, gradient: Tensor) -> None:
        """Set the vector that `loss_and_gradient` writes to."""
        self._gradients = self._ensemble.layer_views(gradient)

    def scoring_layers(self, member: int | None = None) -> list[Layers]:
        """The layers that are used at each noise level: those of the given member, or of one member per level, in turn.

        Since the level is the same for all rows, its inputs are included in the bias of the first layer.
        """
        scoring_layers, n_axes = [], len(self._variances)
        for number, level in enumerate(NOISE_LEVELS):
            layers = self._ensemble.member(number % self._n_members if member is None else member)
            weight, bias = layers[0]
            embedded = level_embedding(self._variances.new_tensor([level])) @ weight[n_axes:]
            layers[0] = (weight[:n_axes] / math.sqrt(1.0 + level**2), bias + embedded)
            scoring_layers.append(layers)
        return scoring_layers

    def squared_residuals(self, x: Tensor, scoring_layers: list[Layers]) -> Tensor:
        r"""Squared lengths of the residuals :math:`D(x, \sigma) - x` of clean rows, shape (n_rows, n_levels)."""
        found = []
        for level, layers in zip(NOISE_LEVELS, scoring_layers, strict=True):
            correction = self._ensemble.run(x, layers).mul_(level / math.sqrt(1.0 + level**2))
            found.append(correction.sub_(x * (level**2 / (self._variances + level**2))).square().sum(1))
        return torch.stack(found, 1)

    def row_losses(self, x: Tensor) -> Tensor:
        """Loss of each row and member, shape (n_rows, n_members). The noise is the same in every call."""
        generator = torch.Generator(device=x.device).manual_seed(0)
        rows, noisy, level = self._corrupt(x, generator)
        residual, _ = self._denoise(noisy, level)
        return self._losses(residual.sub_(rows), level).t()

    def loss_and_gradient(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """The trimmed, weighted mean of the losses. Its gradient is written to the bound vector.

        `weight` has shape (n_rows, n_members). A member is not trained on rows with weight zero.
        """
        rows, noisy, level = self._corrupt(x, self._generator)
        residual, tape = self._denoise(noisy, level)
        residual.sub_(rows)
        losses = self._losses(residual, level)
        share = _trimming_mask(losses)
        if weight is not None:
            share = share * weight.t()
        share = share / share.sum(1, keepdim=True).clamp_min(torch.finfo(share.dtype).tiny) / len(share)
        # The factor of F in the residual cancels one of its two occurrences in the denominator of the loss.
        slope = residual * (share[..., None] * (1.0 + level.square()).sqrt() / level * (2.0 / x.shape[1]))
        self._ensemble.backward(slope, tape, self._gradients)
        return (share * losses).sum()

    def _corrupt(self, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
        rows = x.expand(self._n_members, -1, -1)
        drawn = torch.rand((*rows.shape[:2], 1), generator=generator, dtype=x.dtype, device=x.device)
        level = MIN_NOISE * torch.exp(drawn * math.log(MAX_NOISE / MIN_NOISE))
        noise = torch.randn(rows.shape, generator=generator, dtype=x.dtype, device=x.device)
        return rows, noise.mul_(level).add_(rows), level

    @staticmethod
    def _losses(residual: Tensor, level: Tensor) -> Tensor:
        """Mean squares of the residuals divided by the factor of F, shape (n_members, n_rows)."""
        squared_level = level.square()
        return (residual.square().mean(2, keepdim=True) * ((1.0 + squared_level) / squared_level)).squeeze(2)

    def _denoise(self, noisy: Tensor, level: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor, Tensor]]]:
        """The value of D, and the tape for back-propagation."""
        contraction = (1.0 + level.square()).rsqrt()
        correction, tape = self._ensemble.forward(torch.cat([noisy * contraction, level_embedding(level)], 2))
        correction = correction.mul_(level * contraction)
        return correction.addcmul_(noisy, self._variances / (self._variances + level.square())), tape


def level_embedding(level: Tensor) -> Tensor:
    """The inputs that encode the noise level, in `N_EMBEDDED` columns."""
    log_level = level.log()
    return torch.cat([log_level.sin(), log_level.cos(), (2.0 * log_level).sin(), (2.0 * log_level).cos()], -1)


def _trimming_mask(losses: Tensor) -> Tensor:
    """1 for rows that count, and 0 for the share `TRIMMED` of each member's rows with the highest losses."""
    kept = max(1, round((1.0 - TRIMMED) * losses.shape[1]))
    return (losses <= losses.kthvalue(kept, dim=1, keepdim=True).values).to(losses.dtype)
