"""The kinds of codes: what happens between encoder and decoder.

Each kind of code turns the outputs `a` of the encoder into codes. `code` returns what users see. `forward` is used in
training, and returns beside the code a "tape": what `backward` needs. A penalty is added to the summed loss of each
row. The class attributes tell the rest of the package how a kind of code behaves.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from skae._autoencoder._linear import LinearAutoencoder
from skae._linalg._principal_axes import PrincipalAxes
from skae._support._draws import integers, normal


class DenseCode:
    """The code is what the encoder returns."""

    # Outputs of the encoder, and inputs of the decoder, for each component.
    n_outputs: ClassVar[int] = 1
    n_decoder_inputs: ClassVar[int] = 1
    # The map that makes distances between public codes approximate those between reconstructions: a full matrix, a
    # diagonal one, or none; "units" multiplies by one factor, so that codes are as large as PCA's scores.
    metric: ClassVar[str | None] = "full"
    # Whether a rotation of the code makes no difference.
    is_rotatable: ClassVar[bool] = True
    # Whether the first components are a code themselves.
    has_prefixes: ClassVar[bool] = False
    # Whether batches of training consist of rows and their neighbours.
    has_pairs: ClassVar[bool] = False
    # Whether the loss must be a likelihood. Scores are then lower bounds on the log-likelihood.
    is_variational: ClassVar[bool] = False
    # Why whitening must not mix the components, as the end of an error message; None if it may.
    whiten_conflict: ClassVar[str | None] = None

    def __init__(self, config: Any, linear: LinearAutoencoder) -> None:
        """Read parameters from an `AutoencoderConfig` and from the linear path, whose arrays are tensors."""

    @classmethod
    def initial(cls, axes: PrincipalAxes) -> LinearAutoencoder:
        """The closed form that training starts at."""
        return LinearAutoencoder.pca(axes)

    def code(self, a: Tensor) -> Tensor:
        """The code of a row."""
        return a

    def forward(self, a: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Any]:
        return a, None

    def n_decoded(self, n_rows: int) -> int:
        """How many rows of a batch, the first ones, are decoded in training. The penalties are those of these rows."""
        return n_rows

    def decoder_inputs(self, z: Tensor, tape: Any) -> Tensor:
        """The inputs of the decoder's network for a code."""
        return z

    def backward(self, gradient: Tensor, tape: Any, row_share: float | Tensor) -> Tensor:
        """The gradient with respect to `a`, including that of the penalty; `row_share` is the weight of each row."""
        return gradient

    def penalty(self, tape: Any) -> Tensor | None:
        """The penalty of each row."""
        return None


class NeighborCode(DenseCode):
    r"""Rows that are near each other have codes near each other. The loss of a pair is its penalty.

    For pairs i of codes :math:`z_i` and :math:`z'_i` of neighbours, in batches whose first half are the :math:`z_i`,

    .. math:: -\log \frac{k(z_i, z'_i)}{\sum_j k(z_i, z'_j)}, \qquad k(z, z') = \frac{1}{1 + s^2 |z - z'|^2}

    and the same with the two halves exchanged. s grows from 1 to `FINAL_SCALE` during training: with a wide kernel,
    rows on opposite sides of the map can still pass each other. Meanwhile the numerator counts `EXAGGERATION` times, as
    in t-SNE.
    """

    metric = "units"
    has_pairs = True

    # The weight of the penalty, beside a reconstruction error of 1 for the mean of the rows.
    WEIGHT = 5.0
    FINAL_SCALE = 10.0
    EXAGGERATION = 2.0
    # The share of training after which neither changes any more.
    SETTLED = 0.4

    def __init__(self, config: Any, linear: LinearAutoencoder) -> None:
        self._factor = self.WEIGHT * linear.n_features  # the loss of a row is a mean over its features
        self.advance_to(1.0)

    def advance_to(self, progress: float) -> None:
        """Set the kernel for a stage of training, from 0 to 1."""
        self._scale = self.FINAL_SCALE ** min(1.0, progress / self.SETTLED)
        self._attraction = self.EXAGGERATION if progress < self.SETTLED else 1.0

    def pair_losses(self, z: Tensor) -> Tensor:
        """The loss of each pair with the kernel of the end, relative to that of reconstructions."""
        return self.WEIGHT * _pair_losses(_log_kernel(*(self.FINAL_SCALE * z).chunk(2)), 1.0)

    def forward(self, a: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Any]:
        if generator is None:  # rows without their neighbours
            return a, None
        codes, neighbors = (self._scale * a).chunk(2)
        return a, (codes, neighbors, _log_kernel(codes, neighbors))

    def n_decoded(self, n_rows: int) -> int:
        return n_rows // 2

    def penalty(self, tape: Any) -> Tensor | None:
        return None if tape is None else self._factor * _pair_losses(tape[2], self._attraction)

    def backward(self, gradient: Tensor, tape: Any, row_share: float | Tensor) -> Tensor:
        codes, neighbors, similarity = tape
        share = codes.new_full((len(codes), 1), row_share) if isinstance(row_share, float) else row_share
        slope = (share * similarity.softmax(1) + share.t() * similarity.softmax(0)).mul_(0.5)
        slope.diagonal().sub_(self._attraction * share[:, 0])
        # The derivative of log k with respect to a code is -2 (z - z') k.
        slope = slope.mul_(similarity.exp()).mul_(-2.0 * self._factor * self._scale)
        of_codes = slope.sum(1, keepdim=True) * codes - slope @ neighbors
        of_neighbors = slope.sum(0)[:, None] * neighbors - slope.t() @ codes
        return gradient + torch.cat([of_codes, of_neighbors])


def _log_kernel(codes: Tensor, neighbors: Tensor) -> Tensor:
    """Logarithms of the Cauchy kernel between all codes of the first and of the second kind."""
    squares = codes.square().sum(1, keepdim=True) + neighbors.square().sum(1)
    return torch.addmm(squares, codes, neighbors.t(), alpha=-2.0).clamp_min_(0.0).log1p_().neg_()


def _pair_losses(similarity: Tensor, attraction: float) -> Tensor:
    """The loss of each pair: that of the row and that of its neighbour, half each."""
    both = torch.logsumexp(similarity, 1) + torch.logsumexp(similarity, 0)
    return 0.5 * both - attraction * similarity.diagonal()


class SparseCode(DenseCode):
    """Keep the `n_nonzero` entries that are largest by magnitude; the others become zero (top-k)."""

    metric = None
    is_rotatable = False
    whiten_conflict = "sets most of them to zero"

    def __init__(self, config: Any, linear: LinearAutoencoder) -> None:
        self.n_nonzero = config.n_nonzero

    @classmethod
    def initial(cls, axes: PrincipalAxes) -> LinearAutoencoder:
        return LinearAutoencoder.orthonormal(axes)

    def code(self, a: Tensor) -> Tensor:
        if self.n_nonzero >= a.shape[1]:
            return a
        kept = a.abs().topk(self.n_nonzero, dim=1).indices
        return torch.zeros_like(a).scatter_(1, kept, a.gather(1, kept))

    def forward(self, a: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        z = self.code(a)
        return z, z != 0

    def backward(self, gradient: Tensor, tape: Tensor, row_share: float | Tensor) -> Tensor:
        return gradient * tape


class OrderedCode(DenseCode):
    """Keep the first j entries, with j drawn for each row, so that the first entries matter most.

    This is nested dropout (Rippel et al. 2014).
    """

    # The components, and an indicator of those that were kept.
    n_decoder_inputs = 2
    metric = "diagonal"
    is_rotatable = False
    has_prefixes = True
    whiten_conflict = "gives them an order"

    def forward(self, a: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        n_rows, n_components = a.shape
        if generator is None:
            # Each length has the same number of rows. Lengths are shuffled, because rows of two kinds may alternate.
            fixed = torch.Generator(device=a.device).manual_seed(0)
            last = torch.randperm(n_rows, generator=fixed, device=a.device) % n_components
        else:
            last = integers(n_components, n_rows, generator)
        kept = torch.arange(n_components, device=a.device) <= last[:, None]
        return a * kept, kept

    def decoder_inputs(self, z: Tensor, tape: Any) -> Tensor:
        kept = (z != 0) if tape is None else tape
        return torch.cat([z, kept.to(z.dtype)], dim=1)

    def backward(self, gradient: Tensor, tape: Tensor, row_share: float | Tensor) -> Tensor:
        return gradient * tape


class VariationalCode(DenseCode):
    r"""A code is drawn from :math:`N(m, s^2)`; the penalty is :math:`\beta` times the divergence from :math:`N(0, 1)`.

    The encoder returns m and an offset that is added to the logarithm of the posterior variance of probabilistic PCA.
    """

    n_outputs = 2
    metric = None
    is_rotatable = False
    is_variational = True
    whiten_conflict = "gives them a prior"

    def __init__(self, config: Any, linear: LinearAutoencoder) -> None:
        self._log_variance, self._beta = linear.log_posterior_variance, config.beta

    @classmethod
    def initial(cls, axes: PrincipalAxes) -> LinearAutoencoder:
        return LinearAutoencoder.probabilistic_pca(axes)

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


# The values of the `code` parameter.
CODES: dict[str, type[DenseCode]] = {
    "dense": DenseCode,
    "neighbors": NeighborCode,
    "ordered": OrderedCode,
    "sparse": SparseCode,
    "variational": VariationalCode,
}
