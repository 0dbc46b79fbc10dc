"""What happens to a code between encoder and decoder: nothing, shrinkage, truncation, or noise.

Each stage turns the encoder's outputs `a` into codes. `forward` is training's version and remembers in a tape what
`backward` needs; `code` is the one users see. A penalty is charged to each row, in units of its summed loss.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from skae._support._draws import integers, normal


class Plain:
    """The code is what the encoder returns."""

    # Outputs of the encoder for each component.
    n_outputs = 1

    def code(self, a: Tensor) -> Tensor:
        """The code of a row."""
        return a

    def preimage(self, z: Tensor) -> Tensor:
        """Outputs of the encoder whose codes are these."""
        return z

    def forward(self, a: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Any]:
        return a, None

    def decoder_inputs(self, z: Tensor, tape: Any) -> Tensor:
        """What the decoder's network is given of a code."""
        return z

    def backward(self, gradient: Tensor, tape: Any, row_share: float | Tensor) -> Tensor:
        """The gradient with respect to `a`, the penalty's included; `row_share` is what a row counts."""
        return gradient

    def penalty(self, tape: Any) -> Tensor | None:
        """The penalty of each row."""
        return None


class SoftThreshold(Plain):
    r"""Shrink codes by t and charge :math:`2 t \lVert z \rVert_1`: those within t of zero become zero.

    For orthonormal axes, and nothing else, this is the lasso's own solution: :math:`\lVert x - z V \rVert^2 + 2 t
    \lVert z \rVert_1` is least at ``soft_threshold(x V^T, t)``.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def code(self, a: Tensor) -> Tensor:
        return torch.nn.functional.softshrink(a, self.threshold)

    def preimage(self, z: Tensor) -> Tensor:
        return z + self.threshold * z.sign()

    def forward(self, a: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        z = self.code(a)
        return z, z

    def backward(self, gradient: Tensor, tape: Tensor, row_share: float | Tensor) -> Tensor:
        return (gradient + 2.0 * self.threshold * row_share * tape.sign()) * (tape != 0)

    def penalty(self, tape: Tensor) -> Tensor:
        return 2.0 * self.threshold * tape.abs().sum(1)


class LargestOnly(Plain):
    """Keep the given number of entries that are largest by magnitude; the others become zero (top-k)."""

    def __init__(self, n_active: int) -> None:
        self.n_active = n_active

    def code(self, a: Tensor) -> Tensor:
        if self.n_active >= a.shape[1]:
            return a
        kept = a.abs().topk(self.n_active, dim=1).indices
        return torch.zeros_like(a).scatter_(1, kept, a.gather(1, kept))

    def forward(self, a: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        z = self.code(a)
        return z, z != 0

    def backward(self, gradient: Tensor, tape: Tensor, row_share: float | Tensor) -> Tensor:
        return gradient * tape


class Prefix(Plain):
    """Keep the first j entries, j drawn for each row (nested dropout, Rippel et al. 2014): early ones matter most."""

    def forward(self, a: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        n_rows, n_components = a.shape
        if generator is None:
            last = torch.arange(n_rows, device=a.device) % n_components
        else:
            last = integers(n_components, n_rows, generator)
        kept = torch.arange(n_components, device=a.device) <= last[:, None]
        return a * kept, kept

    def decoder_inputs(self, z: Tensor, tape: Any) -> Tensor:
        kept = (z != 0) if tape is None else tape
        return torch.cat([z, kept.to(z.dtype)], dim=1)

    def backward(self, gradient: Tensor, tape: Tensor, row_share: float | Tensor) -> Tensor:
        return gradient * tape


class GaussianPosterior(Plain):
    r"""A code is drawn from :math:`N(m, s^2)`, and charged :math:`\beta` times its divergence from :math:`N(0, 1)`.

    The encoder returns m and, beside it, what is added to the logarithm of the anchor's posterior variance.
    """

    n_outputs = 2

    def __init__(self, log_variance: Tensor, beta: float) -> None:
        self._log_variance, self._beta = log_variance, beta

    def code(self, a: Tensor) -> Tensor:
        return a[:, : a.shape[1] // 2]

    def moments(self, a: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of each row's posterior."""
        mean, offset = a.chunk(2, dim=1)
        return mean, offset + self._log_variance

    def forward(self, a: Tensor, generator: torch.Generator | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        mean, log_variance = self.moments(a)
        deviation = (0.5 * log_variance).exp()
        if generator is None:
            generator = torch.Generator(device=a.device).manual_seed(0)
        noise = normal(mean, generator)
        return torch.addcmul(mean, deviation, noise), (mean, log_variance, deviation, noise)

    def backward(self, gradient: Tensor, tape: tuple[Tensor, ...], row_share: float | Tensor) -> Tensor:
        mean, _, deviation, noise = tape
        charge = self._beta * row_share
        return torch.cat(
            [gradient + charge * mean, 0.5 * (gradient * deviation * noise + charge * (deviation.square() - 1.0))],
            dim=1,
        )

    def penalty(self, tape: tuple[Tensor, ...]) -> Tensor:
        return self._beta * self.divergence(tape[0], tape[1])

    @staticmethod
    def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
        """Kullback-Leibler divergence of each row's posterior from the prior, in nats."""
        return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(1)
