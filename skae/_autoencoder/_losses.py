"""Losses of a reconstruction: functions of every entry, with their derivatives.

Each loss also says how the correction of the decoder is added to the linear path: directly if the outputs of the
network are the reconstruction itself, on the scale of log-odds or logarithms if reconstructions are probabilities or
rates. Before training, every loss therefore starts at PCA's reconstruction, clipped to the range of the loss. Entries
of X outside this range count as its nearest bound, because there the loss would not be defined or have no lower bound.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from skae._linalg._moments import feature_ranges
from skae._rows._row_source import RowSource

# Reconstructions by the linear path are kept this far inside (0, 1), and above this share of a feature's mean.
MIN_PROBABILITY = 0.01
MIN_RATE_SHARE = 0.05
# The residual at which Huber's loss turns from squared to linear, in units of the root mean variance of a feature.
HUBER_WIDTH = 1.0
# Training rows may be outside the range of a loss by this many rounding errors. The output of `MinMaxScaler` is outside
# of [0, 1] by as many as the values of a feature are larger than its range: by 200 for years within a decade.
MAX_ROUNDINGS = 500


class SquaredError:
    r""":math:`(x - \hat x)^2`; the base class of the other losses.

    `mean` and `scale` convert standardised rows to the units of X, in which losses with a limited range are computed.
    """

    # The values of X for which the loss is defined, and a description of them for error messages.
    value_range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    range_words: ClassVar[str] = ""
    n_parameters: ClassVar[int] = 0
    # Summed losses are in this power of the unit of X.
    unit_power: ClassVar[int] = 2

    def __init__(
        self, mean: Tensor, scale: Tensor, parameters: Tensor | None = None, noise_variance: float = 1.0
    ) -> None:
        self._mean, self._scale = mean, scale
        self._parameters, self._noise_variance = parameters, noise_variance

    @classmethod
    def likelihood(cls) -> type[SquaredError] | None:
        """The loss as minus a log-likelihood, which a variational bound needs; None if it is no likelihood."""
        return GaussianLikelihood

    def outputs(self, correction: Tensor, linear: Tensor) -> Tensor:
        """The outputs: the correction of the decoder, which is overwritten, added to the linear path."""
        return correction.add_(linear)

    def linear_slope(self, slope: Tensor, linear: Tensor) -> Tensor:
        """The gradient with respect to the linear path, from that with respect to the outputs."""
        return slope

    def reconstruction(self, outputs: Tensor) -> Tensor:
        """The standardised reconstruction that belongs to the outputs."""
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
        """For each entry, what is added to minus the loss to make it a log-likelihood in the units of X."""
        return torch.zeros_like(x)


class EntrywiseLoss(SquaredError):
    """The base class of all losses except the squared error: `losses` and `slope` of each entry define them."""

    @classmethod
    def likelihood(cls) -> type[SquaredError] | None:
        return None

    def loss_and_slope(self, outputs: Tensor, x: Tensor, share: float | Tensor) -> tuple[Tensor, Tensor]:
        return (self.losses(outputs, x) * share).sum(), self.slope(outputs, x).mul_(share)


class AbsoluteError(EntrywiseLoss):
    r""":math:`|x - \hat x|`: medians instead of means."""

    unit_power = 1

    def losses(self, outputs: Tensor, x: Tensor) -> Tensor:
        return (outputs - x).abs_()

    def slope(self, outputs: Tensor, x: Tensor) -> Tensor:
        return (outputs - x).sign_()


class Huber(EntrywiseLoss):
    r""":math:`r^2` for residuals up to `HUBER_WIDTH` w, :math:`2 w |r| - w^2` beyond (Huber 1964)."""

    def losses(self, outputs: Tensor, x: Tensor) -> Tensor:
        residual = (outputs - x).abs_()
        return torch.where(residual <= HUBER_WIDTH, residual.square(), 2.0 * HUBER_WIDTH * residual - HUBER_WIDTH**2)

    def slope(self, outputs: Tensor, x: Tensor) -> Tensor:
        return (outputs - x).clamp_(-HUBER_WIDTH, HUBER_WIDTH).mul_(2.0)


class BinaryCrossEntropy(EntrywiseLoss):
    r""":math:`-x \log \hat x - (1 - x) \log(1 - \hat x)` for entries in [0, 1]; outputs are log-odds."""

    value_range = (0.0, 1.0)
    range_words = "in the range [0, 1]"
    unit_power = 0

    @classmethod
    def likelihood(cls) -> type[SquaredError] | None:
        return cls

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

    def _shares(self, x: Tensor) -> Tensor:
        return torch.addcmul(self._mean, x, self._scale).clamp_(0.0, 1.0)

    def losses(self, outputs: Tensor, x: Tensor) -> Tensor:
        return torch.nn.functional.softplus(outputs) - outputs * self._shares(x)

    def slope(self, outputs: Tensor, x: Tensor) -> Tensor:
        return outputs.sigmoid() - self._shares(x)


class PoissonDeviance(EntrywiseLoss):
    r""":math:`\hat x - x + x \log(x / \hat x)`, half the Poisson deviance; outputs are logarithms of rates."""

    value_range = (0.0, math.inf)
    range_words = "in the range [0, inf)"
    unit_power = 0

    @classmethod
    def likelihood(cls) -> type[SquaredError] | None:
        return cls

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

    def _counts(self, x: Tensor) -> Tensor:
        return torch.addcmul(self._mean, x, self._scale).clamp_min_(0.0)

    def losses(self, outputs: Tensor, x: Tensor) -> Tensor:
        counts = self._counts(x)
        return outputs.exp() - counts + torch.xlogy(counts, counts) - counts * outputs

    def slope(self, outputs: Tensor, x: Tensor) -> Tensor:
        return outputs.exp() - self._counts(x)

    def log_normaliser(self, x: Tensor) -> Tensor:
        counts = self._counts(x)
        return torch.xlogy(counts, counts) - counts - torch.lgamma(counts + 1.0)


class GaussianLikelihood(EntrywiseLoss):
    r"""Minus the log-density of :math:`x \sim N(\hat x, \psi e^\delta)`; the offset :math:`\delta` is learned.

    The variational form of the squared error. :math:`\psi` is the noise variance of probabilistic PCA.
    """

    n_parameters = 1
    unit_power = 0

    @property
    def _variance(self) -> Tensor:
        assert self._parameters is not None
        return self._noise_variance * self._parameters.exp()

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


# The values of the `loss` parameter.
LOSSES: dict[str, type[SquaredError]] = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "binary_cross_entropy": BinaryCrossEntropy,
    "poisson": PoissonDeviance,
}


def check_range(rows: RowSource, loss: str) -> None:
    """Raise ValueError if values of the rows are outside of the range of the loss by more than rounding."""
    low, high = LOSSES[loss].value_range
    if np.isinf(low) and np.isinf(high):
        return
    features_lowest, features_highest = feature_ranges(rows)
    lowest, highest = np.nanmin(features_lowest, initial=low), np.nanmax(features_highest, initial=low)
    # Rounding errors are relative to the upper bound or, if that is infinite, to the largest entry.
    largest = max(-lowest, highest) if np.isinf(high) else high
    rounding = MAX_ROUNDINGS * np.finfo(rows.dtype).eps * largest
    for extreme in (lowest, highest):
        if not low - rounding <= extreme <= high + rounding:
            # As a number of its own dtype, it is printed with enough digits to differ from the bound.
            raise ValueError(
                f"loss={loss!r} requires values of X {LOSSES[loss].range_words}. Got "
                f"{rows.dtype.type(extreme)!s} instead. Scale X into this range or use another loss: see "
                "docs/guide_losses.md."
            )
