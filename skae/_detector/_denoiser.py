"""An ensemble of denoisers, each of which starts at the Wiener filter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from skae._autoencoder._activations import ACTIVATIONS

# Training draws noise levels log-uniformly between these; rows have unit variance.
MIN_NOISE, MAX_NOISE = 0.05, 6.0
# Share of each batch, the rows that fit worst, that teaches a member nothing: outliers among the training rows.
TRIMMED = 0.1
N_EMBEDDED = 4


@dataclass(frozen=True)
class DenoiserArchitecture:
    """The widths that fix the layout of the parameter vector."""

    n_features: int
    hidden_layer_sizes: tuple[int, ...]
    activation: str
    n_members: int

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.n_features + N_EMBEDDED, *self.hidden_layer_sizes, self.n_features)

    @property
    def n_parameters(self) -> int:
        return self.n_members * sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(self.sizes))


class DenoiserEnsemble:
    r"""Members that restore rows from Gaussian noise of any level :math:`\sigma`.

    .. math:: D(y, \sigma) = \frac{\lambda}{\lambda + \sigma^2}\, y
              + \frac{\sigma}{\sqrt{1 + \sigma^2}}\, F\!\left(\frac{y}{\sqrt{1 + \sigma^2}}, \log\sigma\right)

    Rows are in principal coordinates with variances :math:`\lambda`; the first term is the Wiener filter, the best
    linear denoiser. F is a perceptron with skips between hidden layers of equal width, and starts at zero. Members
    differ in their initial weights, in the noise they see and, by the weights of the rows, in the rows they learn from.

    Parameters
    ----------
    architecture : DenoiserArchitecture
    variances : Tensor of shape (n_features,)
    parameters : Tensor of shape (architecture.n_parameters,)
    generator : torch.Generator, optional
        Draws the noise of training.
    """

    def __init__(
        self,
        architecture: DenoiserArchitecture,
        variances: Tensor,
        parameters: Tensor,
        generator: torch.Generator | None = None,
    ) -> None:
        self._architecture, self._activation = architecture, ACTIVATIONS[architecture.activation]
        self._variances, self._generator = variances, generator
        self.layers = self._layer_views(parameters)
        self.parameters = parameters

    def _layer_views(self, flat: Tensor) -> list[tuple[Tensor, Tensor]]:
        layers, start, members = [], 0, self._architecture.n_members
        for fan_in, fan_out in pairwise(self._architecture.sizes):
            end = start + members * fan_in * fan_out
            stop = end + members * fan_out
            layers.append((flat[start:end].view(members, fan_in, fan_out), flat[end:stop].view(members, 1, fan_out)))
            start = stop
        return layers

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the hidden layers; the last stays zero, so that every member starts as the Wiener filter."""
        for weight, _ in self.layers[:-1]:
            weight.normal_(0.0, self._activation.gain * weight.shape[1] ** -0.5, generator=generator)

    def bind_gradient(self, gradient: Tensor) -> None:
        """Name the vector that `loss_and_gradient` writes to."""
        self._gradients = self._layer_views(gradient)

    def residuals(self, x: Tensor, noise: float) -> Tensor:
        r"""Residuals :math:`D(x, \sigma) - x` of clean rows, shape (n_members, n_rows, n_features)."""
        rows = x.expand(self._architecture.n_members, -1, -1)
        level = torch.full((*rows.shape[:2], 1), noise, dtype=x.dtype, device=x.device)
        return self._denoise(rows, level)[0].sub_(rows)

    def row_losses(self, x: Tensor) -> Tensor:
        """Loss of each row and member, shape (n_rows, n_members), under noise that is the same in every call."""
        generator = torch.Generator(device=x.device).manual_seed(0)
        rows, noisy, level = self._corrupt(x, generator)
        residual, _ = self._denoise(noisy, level)
        return self._losses(residual.sub_(rows), level).t()

    def loss_and_gradient(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """The trimmed, weighted mean of the losses; its gradient goes into the bound vector.

        `weight` has shape (n_rows, n_members); zero keeps a row from a member.
        """
        rows, noisy, level = self._corrupt(x, self._generator)
        residual, tape = self._denoise(noisy, level)
        residual.sub_(rows)
        losses = self._losses(residual, level)
        share = _untrimmed(losses)
        if weight is not None:
            share = share * weight.t()
        share = share / share.sum(1, keepdim=True).clamp_min(torch.finfo(share.dtype).tiny) / len(share)
        # The factor of F in the residual cancels one of the two in the loss' denominator.
        slope = residual * (share[..., None] * (1.0 + level.square()).sqrt() / level * (2.0 / x.shape[1]))
        self._backward(slope, tape)
        return (share * losses).sum()

    def _corrupt(self, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
        rows = x.expand(self._architecture.n_members, -1, -1)
        drawn = torch.rand((*rows.shape[:2], 1), generator=generator, dtype=x.dtype, device=x.device)
        level = MIN_NOISE * torch.exp(drawn * math.log(MAX_NOISE / MIN_NOISE))
        noise = torch.randn(rows.shape, generator=generator, dtype=x.dtype, device=x.device)
        return rows, noise.mul_(level).add_(rows), level

    @staticmethod
    def _losses(residual: Tensor, level: Tensor) -> Tensor:
        """Mean squared residuals in units of what F is scaled by, shape (n_members, n_rows)."""
        squared_level = level.square()
        return (residual.square().mean(2, keepdim=True) * ((1.0 + squared_level) / squared_level)).squeeze(2)

    def _denoise(self, noisy: Tensor, level: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor, Tensor]]]:
        """D, and the tape for `_backward`: the input, argument and value of each hidden layer."""
        contraction = (1.0 + level.square()).rsqrt()
        inputs = torch.cat([noisy * contraction, level_embedding(level)], 2)
        tape = []
        for weight, bias in self.layers[:-1]:
            argument = torch.baddbmm(bias, inputs, weight)
            value = self._activation.function(argument)
            tape.append((inputs, argument, value))
            inputs = inputs + value if weight.shape[1] == weight.shape[2] else value
        weight, bias = self.layers[-1]
        tape.append((inputs, inputs, inputs))
        correction = torch.baddbmm(bias, inputs, weight).mul_(level * contraction)
        return correction.addcmul_(noisy, self._variances / (self._variances + level.square())), tape

    def _backward(self, gradient: Tensor, tape: list[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Write the gradient of the parameters, given that of F's output."""
        for depth in range(len(self.layers) - 1, -1, -1):
            inputs, argument, value = tape[depth]
            weight, _ = self.layers[depth]
            before = gradient
            if depth < len(self.layers) - 1:
                gradient = self._activation.backward(gradient, argument, value)
            torch.bmm(inputs.transpose(1, 2), gradient, out=self._gradients[depth][0])
            torch.sum(gradient, 1, keepdim=True, out=self._gradients[depth][1])
            if depth > 0:
                skipped = depth < len(self.layers) - 1 and weight.shape[1] == weight.shape[2]
                gradient = gradient.bmm(weight.transpose(1, 2))
                gradient = gradient.add_(before) if skipped else gradient


def level_embedding(level: Tensor) -> Tensor:
    """What the network is told of the noise, a column for each of `N_EMBEDDED` numbers."""
    log_level = level.log()
    return torch.cat([log_level.sin(), log_level.cos(), (2.0 * log_level).sin(), (2.0 * log_level).cos()], -1)


def _untrimmed(losses: Tensor) -> Tensor:
    """One for the rows that count, zero for the share of each member's rows with the highest losses."""
    kept = max(1, round((1.0 - TRIMMED) * losses.shape[1]))
    return (losses <= losses.kthvalue(kept, dim=1, keepdim=True).values).to(losses.dtype)
