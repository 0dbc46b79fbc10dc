r"""Imputation: missing entries (NaN) get their expectation given the observed ones, as if rows were Gaussian.

With K the inverse of the covariance, the expectation of the missing entries m given the observed ones o solves

.. math:: K_{mm} x_m = - K_{mo} x_o.

Conjugate gradients solve this system for all rows at once, although each row has other missing entries: they need
products with K only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skae._rows._strata import stratified_rows
from skae._support._torch import to_numpy, to_tensor

# Correlations are approximated by this many factors and isotropic noise. This is exact for up to one feature more,
# unless the noise is raised to its minimum.
MAX_FACTORS = 256
# Minimum of the noise variance, as a share of the mean variance. If entries are missing, weaker axes cannot be told
# from noise, and the condition of the systems gets worse as the noise gets smaller.
MIN_NOISE_SHARE = 1e-2
# Minimum of the deviation of a feature, as a share of the largest one, so that float32 can divide by those of constant
# features.
MIN_DEVIATION_SHARE = 1e-12
# Entries are clipped at this many deviations: a feature that is constant in most rows may vary by thousands.
CLIP = 10.0
# Steps of conjugate gradients. On 64 pixels the remaining error was .003 deviations with a tenth of the entries
# missing, and .03 with half of them.
N_STEPS = 10
# Expectation-maximisation: number of iterations, the share of them before moments are averaged, and limits of rows.
N_ITERATIONS, AVERAGED = 20, 0.5
MAX_MOMENT_ROWS, MAX_WORK = 10_000, 2e9


@dataclass(frozen=True, eq=False)
class GaussianImputer:
    r"""Fills rows of mean zero. Divided by `deviation`, they have the covariance :math:`W W^\top + \psi I`.

    W, the `factors`, has shape (n_features, n_factors). A `deviation` of None means 1. Both are tensors; in a
    `FittedAutoencoder` they are arrays, which `to` converts to tensors.
    """

    factors: Any
    noise_variance: float
    deviation: Any = None

    @classmethod
    def from_covariance(cls, covariance: Tensor) -> GaussianImputer:
        """Factors are leading eigenvectors of the correlations; the noise is the mean of the other eigenvalues."""
        deviation = covariance.diagonal().clamp_min(0.0).sqrt()
        largest = float(deviation.max())
        deviation = deviation.clamp_min(MIN_DEVIATION_SHARE * largest) if largest else torch.ones_like(deviation)
        values, vectors = torch.linalg.eigh(covariance / torch.outer(deviation, deviation))
        count = min(MAX_FACTORS, len(values) - 1)
        leading, rest = values.flip(0)[:count], values.flip(0)[count:].clamp_min(0.0)
        noise = max(float(rest.mean()), MIN_NOISE_SHARE * float(values.clamp_min(0.0).mean()), 1e-30)
        return cls(vectors.flip(1)[:, :count] * (leading - noise).clamp_min(0.0).sqrt(), noise, deviation)

    @classmethod
    def from_axes(cls, components: np.ndarray, variances: np.ndarray, total_variance: float) -> GaussianImputer:
        """Probabilistic PCA with the given axes (Tipping & Bishop 1999)."""
        n_components, n_features = components.shape
        left = max(n_features - n_components, 1)
        noise = max((total_variance - variances.sum()) / left, MIN_NOISE_SHARE * total_variance / n_features, 1e-30)
        factors = components.T * np.sqrt(np.clip(variances - noise, 0.0, None))
        return cls(torch.from_numpy(np.ascontiguousarray(factors)), float(noise))

    def in_unit(self, unit: float) -> GaussianImputer:
        """The imputer of rows divided by `unit`."""
        if self.deviation is None:
            return GaussianImputer(self.factors / unit, self.noise_variance / unit**2)
        return replace(self, deviation=self.deviation / unit)

    def to(self, dtype: torch.dtype, device: torch.device) -> GaussianImputer:
        """The imputer in another precision, at least float32: in less, the systems could not be solved."""
        dtype = torch.float32 if dtype == torch.bfloat16 else dtype
        deviation = None if self.deviation is None else to_tensor(self.deviation, dtype, device)
        return GaussianImputer(to_tensor(self.factors, dtype, device), self.noise_variance, deviation)

    def to_arrays(self) -> GaussianImputer:
        """The imputer with arrays, as `FittedAutoencoder` has it."""
        deviation = None if self.deviation is None else to_numpy(self.deviation)
        return replace(self, factors=np.ascontiguousarray(to_numpy(self.factors)), deviation=deviation)

    def __call__(self, x: Tensor) -> Tensor:
        """Rows with NaN replaced by the expectation of the entry."""
        missing, observed = torch.isnan(x), self._observed(x)
        filled = self._solve(-self._times_precision(observed), missing.to(observed.dtype))
        return torch.where(missing, self._in_units_of_x(filled).to(x.dtype), x)

    def draw(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Rows with NaN replaced by draws from the conditional distribution.

        Noise of covariance :math:`K_{mm}` on the right-hand side becomes noise of covariance :math:`K_{mm}^{-1}` in the
        solution, which is the conditional covariance.
        """
        missing, observed = torch.isnan(x), self._observed(x)
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device) @ self._root
        drawn = self._solve(noise - self._times_precision(observed), missing.to(x.dtype))
        return torch.where(missing, self._in_units_of_x(drawn), x)

    def _observed(self, x: Tensor) -> Tensor:
        """Rows divided by the deviation, with zeros for NaN."""
        observed = torch.nan_to_num(x).to(self.factors.dtype)
        return observed if self.deviation is None else (observed / self.deviation).clamp_(-CLIP, CLIP)

    def _in_units_of_x(self, filled: Tensor) -> Tensor:
        return filled if self.deviation is None else filled * self.deviation

    @cached_property
    def _projector(self) -> Tensor:
        r""":math:`W (W^\top W + \psi I)^{-1}`, so that :math:`\psi K = I - W` times its transpose."""
        inner = self.factors.t() @ self.factors
        inner.diagonal().add_(self.noise_variance)
        return torch.linalg.solve(inner, self.factors.t()).t().contiguous()

    @cached_property
    def _dense(self) -> Tensor | None:
        r""":math:`\psi K`, or None if multiplication by the factors is faster."""
        n_features, n_factors = self.factors.shape
        if 2 * n_factors < n_features:
            return None
        return (
            torch.eye(n_features, dtype=self.factors.dtype, device=self.factors.device)
            - self._projector @ self.factors.t()
        )

    @cached_property
    def _root(self) -> Tensor:
        r"""A square root of :math:`\psi K`, times the deviation of the noise, :math:`\sqrt\psi`."""
        left, strengths, _ = torch.linalg.svd(self.factors, full_matrices=False)
        shrinkage = (self.noise_variance / (strengths.square() + self.noise_variance)).sqrt() - 1.0
        root = (left * shrinkage) @ left.t()
        root.diagonal().add_(1.0)
        return root * self.noise_variance**0.5

    def _times_precision(self, x: Tensor) -> Tensor:
        r""":math:`\psi K x`."""
        if self._dense is not None:
            return x @ self._dense
        return x - (x @ self._projector) @ self.factors.t()

    def _solve(self, right: Tensor, missing: Tensor) -> Tensor:
        """Preconditioned conjugate gradients on the missing entries of every row."""
        diagonal = (1.0 - (self._projector * self.factors).sum(1)).clamp_min(1e-6)
        tiny = torch.finfo(right.dtype).tiny
        solution, residual = torch.zeros_like(right), right * missing
        scaled = residual / diagonal
        direction, energy = scaled, (residual * scaled).sum(1, keepdim=True)
        for _ in range(N_STEPS):
            image = self._times_precision(direction).mul_(missing)
            step = energy / (direction * image).sum(1, keepdim=True).clamp_min_(tiny)
            solution = torch.addcmul(solution, step, direction)
            residual = torch.addcmul(residual, step, image, value=-1.0)
            scaled = residual / diagonal
            before, energy = energy, (residual * scaled).sum(1, keepdim=True)
            direction = torch.addcmul(scaled, energy / before.clamp_min(tiny), direction)
        return solution


def estimate_moments(x: Tensor, weight: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mean and covariance of rows with NaN by stochastic expectation-maximisation (Celeux & Diebolt 1985), in float64.

    Each iteration draws the missing entries given the observed ones and the present moments, and computes the moments
    of the filled rows. The moments of the later iterations are averaged. The start is the covariance of entries that
    are observed together. Rows should have a mean near zero and unit variance. Off-diagonal entries are shrunk as
    Ledoit & Wolf (2004) estimate to be best.
    """
    n_features = x.shape[1]
    n_rows = int(min(len(x), MAX_MOMENT_ROWS, max(2 * n_features, MAX_WORK / n_features**2)))
    chosen = torch.from_numpy(stratified_rows(len(x), n_rows)).to(x.device)
    x, weight = x[chosen].double(), weight[chosen].double()
    weight = weight / weight.sum()
    shrinkage = 0.0

    observed, known = (~torch.isnan(x)).double(), torch.nan_to_num(x)
    together = (observed * weight[:, None]).t() @ observed
    covariance = (known * weight[:, None]).t() @ known / together.clamp_min(1e-12)
    mean = torch.zeros(n_features, dtype=torch.float64, device=x.device)
    kept = []
    for iteration in range(N_ITERATIONS):
        fill = GaussianImputer.from_covariance(_shrunk(covariance, shrinkage))
        filled = fill.draw(x - mean, generator) + mean
        mean = weight @ filled
        centred = filled - mean
        covariance = (centred * weight[:, None]).t() @ centred
        shrinkage = _shrinkage(centred, weight, covariance)
        if iteration >= N_ITERATIONS * AVERAGED:
            kept.append((mean, covariance))
    means, covariances = zip(*kept, strict=True)
    return torch.stack(means).mean(0), _shrunk(torch.stack(covariances).mean(0), shrinkage)


def _shrinkage(centred: Tensor, weight: Tensor, covariance: Tensor) -> float:
    """Ledoit and Wolf's weight of the identity: the sampling error of the covariance over its distance from it."""
    identity = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    off = covariance - identity * covariance.diagonal().mean()
    distance = off.square().sum()
    error = (weight.square() * (centred.square().sum(1).square() - covariance.square().sum())).sum()
    return float((error / distance.clamp_min(1e-30)).clamp(0.0, 1.0))


def _shrunk(covariance: Tensor, share: float) -> Tensor:
    return covariance * (1.0 - share) + torch.diag(covariance.diagonal() * share)
