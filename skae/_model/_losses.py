"""Losses of a reconstruction: each a function of every entry, with its derivative and its link to the linear path.

A network's outputs are the linear path and the decoder's correction, joined by the loss: added where outputs are the
reconstruction itself; added on the scale of log-odds or logarithms where reconstructions are probabilities or rates.
So before training every loss starts at PCA's reconstruction (clipped to the loss' range).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Reconstructions by the linear path are kept this far inside (0, 1), and above this share of a feature's mean.
MIN_PROBABILITY = 0.01
MIN_RATE_SHARE = 0.05
# Where Huber's loss turns from squares to distances, in units of a feature's root mean variance.
HUBER_WIDTH = 1.0


class SquaredError:
    r""":math:`(x - \hat x)^2`; the base of the others.

    `mean` and `scale` lead from standardised rows to the units of X, in which losses with a range of their own work.
    """

    # Whether the loss is minus a log-likelihood, so that a variational bound can be made of it.
    is_likelihood = False
    n_parameters = 0
    # The power of X's unit that summed losses are in.
    unit_power = 2

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        self._mean, self._scale = mean, scale

    @classmethod
    def link(cls, mean: Tensor, scale: Tensor) -> SquaredError:
        """An instance for `outputs` and `reconstruction` alone."""
        return cls(mean, scale)

    def outputs(self, correction: Tensor, linear: Tensor) -> Tensor:
        """Join the decoder's correction (overwritten) and the linear path."""
        return correction.add_(linear)

    def linear_slope(self, slope: Tensor, linear: Tensor) -> Tensor:
        """The gradient with respect to the linear path, from that with respect to the outputs."""
        return slope

    def reconstruction(self, outputs: Tensor) -> Tensor:
        """The standardised reconstruction that outputs stand for."""
        return outputs

    def losses(self, outputs: Tensor, x: Tensor) -> Tensor:
        """The loss of each entry."""
        return (outputs - x).square_()

    def slope(self, outputs: Tensor, x: Tensor) -> Tensor:
        """The derivative of the loss of each entry with respect to its output."""
        return (outputs - x).mul_(2.0)

    def loss_and_slope(self, outputs: Tensor, x: Tensor, share: float | Tensor) -> tuple[Tensor, Tensor]:
        """The sum of ``share * losses`` and its gradient with respect to the outputs (which are overwritten)."""
        residual = outputs.sub_(x)
        slope = residual * share
        return torch.dot(residual.view(-1), slope.view(-1)), slope.mul_(2.0)

    def parameter_slope(self, outputs: Tensor, x: Tensor, share: float | Tensor) -> Tensor:
        """The gradient with respect to the loss' own parameters."""
        return outputs.new_zeros(0)

    def log_normaliser(self, x: Tensor) -> Tensor:
        """What makes minus the losses log-likelihoods in the units of X, for each entry."""
        return torch.zeros_like(x)


class _GeneralLoss(SquaredError):
    """A loss whose value is computed apart from its slope."""

    def loss_and_slope(self, outputs: Tensor, x: Tensor, share: float | Tensor) -> tuple[Tensor, Tensor]:
        return (self.losses(outputs, x) * share).sum(), self.slope(outputs, x).mul_(share)


class AbsoluteError(_GeneralLoss):
    r""":math:`|x - \hat x|`: medians in place of means."""

    unit_power = 1

    def losses(self, outputs: Tensor, x: Tensor) -> Tensor:
        return (outputs - x).abs_()

    def slope(self, outputs: Tensor, x: Tensor) -> Tensor:
        return (outputs - x).sign_()


class Huber(_GeneralLoss):
    r""":math:`r^2` for residuals up to `HUBER_WIDTH` w, :math:`2 w |r| - w^2` beyond (Huber 1964)."""

    def losses(self, outputs: Tensor, x: Tensor) -> Tensor:
        residual = (outputs - x).abs_()
        return torch.where(residual <= HUBER_WIDTH, residual.square(), 2.0 * HUBER_WIDTH * residual - HUBER_WIDTH**2)

    def slope(self, outputs: Tensor, x: Tensor) -> Tensor:
        return (outputs - x).clamp_(-HUBER_WIDTH, HUBER_WIDTH).mul_(2.0)


class BinaryCrossEntropy(_GeneralLoss):
    r""":math:`-x \log \hat x - (1 - x) \log(1 - \hat x)` for entries in [0, 1]; outputs are log-odds."""

    is_likelihood = True
    unit_power = 0

    def _probability(self, linear: Tensor) -> Tensor:
        return (linear * self._scale).add_(self._mean).clamp_(MIN_PROBABILITY, 1.0 - MIN_PROBABILITY)

    def outputs(self, correction: Tensor, linear: Tensor) -> Tensor:
        return correction.add_(self._probability(linear).logit_())

    def linear_slope(self, slope: Tensor, linear: Tensor) -> Tensor:
        p = self._probability(linear)
        inside = (p > MIN_PROBABILITY) & (p < 1.0 - MIN_PROBABILITY)
        return slope * self._scale * inside / (p * (1.0 - p))

    def reconstruction(self, outputs: Tensor) -> Tensor:
        return (outputs.sigmoid() - self._mean) / self._scale

    def losses(self, outputs: Tensor, x: Tensor) -> Tensor:
        return torch.nn.functional.softplus(outputs) - outputs * torch.addcmul(self._mean, x, self._scale)

    def slope(self, outputs: Tensor, x: Tensor) -> Tensor:
        return outputs.sigmoid() - torch.addcmul(self._mean, x, self._scale)


class PoissonDeviance(_GeneralLoss):
    r""":math:`\hat x - x + x \log(x / \hat x)`, half the Poisson deviance; outputs are logarithms of rates."""

    is_likelihood = True
    unit_power = 0

    def _rate(self, linear: Tensor) -> Tensor:
        return torch.maximum((linear * self._scale).add_(self._mean), self._lowest())

    def _lowest(self) -> Tensor:
        return (MIN_RATE_SHARE * self._mean).clamp_min(torch.finfo(self._mean.dtype).tiny)

    def outputs(self, correction: Tensor, linear: Tensor) -> Tensor:
        return correction.add_(self._rate(linear).log_())

    def linear_slope(self, slope: Tensor, linear: Tensor) -> Tensor:
        rate = self._rate(linear)
        return slope * self._scale * (rate > self._lowest()) / rate

    def reconstruction(self, outputs: Tensor) -> Tensor:
        return (outputs.exp() - self._mean) / self._scale

    def losses(self, outputs: Tensor, x: Tensor) -> Tensor:
        # Centring and scaling leave zeros a rounding below zero.
        counts = torch.addcmul(self._mean, x, self._scale).clamp_min_(0.0)
        return outputs.exp() - counts + torch.xlogy(counts, counts) - counts * outputs

    def slope(self, outputs: Tensor, x: Tensor) -> Tensor:
        return outputs.exp() - torch.addcmul(self._mean, x, self._scale)

    def log_normaliser(self, x: Tensor) -> Tensor:
        counts = torch.addcmul(self._mean, x, self._scale).clamp_min_(0.0)
        return torch.xlogy(counts, counts) - counts - torch.lgamma(counts + 1.0)


class GaussianLikelihood(_GeneralLoss):
    r"""Minus the log-density of :math:`x \sim N(\hat x, \psi e^\delta)`; the offset :math:`\delta` is learned.

    The variational form of the squared error. `noise_variance`, :math:`\psi`, is that of probabilistic PCA.
    """

    is_likelihood = True
    n_parameters = 1
    unit_power = 0

    def __init__(self, mean: Tensor, scale: Tensor, parameters: Tensor, noise_variance: float) -> None:
        super().__init__(mean, scale)
        self._offset, self._noise_variance = parameters, noise_variance

    @classmethod
    def link(cls, mean: Tensor, scale: Tensor) -> SquaredError:
        return SquaredError(mean, scale)

    @property
    def _variance(self) -> Tensor:
        return self._noise_variance * self._offset.exp()

    def losses(self, outputs: Tensor, x: Tensor) -> Tensor:
        variance = self._variance
        return (outputs - x).square_().div_(variance).add_((2.0 * math.pi * variance).log()).mul_(0.5)

    def slope(self, outputs: Tensor, x: Tensor) -> Tensor:
        return (outputs - x).div_(self._variance)

    def parameter_slope(self, outputs: Tensor, x: Tensor, share: float | Tensor) -> Tensor:
        excess = 1.0 - (outputs - x).square_() / self._variance
        return 0.5 * (excess * share).sum().view(1)

    def log_normaliser(self, x: Tensor) -> Tensor:
        return -self._scale.log().expand_as(x)


LOSSES: dict[str, type[SquaredError]] = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "binary_cross_entropy": BinaryCrossEntropy,
    "poisson": PoissonDeviance,
}
