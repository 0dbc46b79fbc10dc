"""The linear autoencoder that training starts at, in the units the networks work in."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from skae._numerics._principal_axes import PrincipalAxes

# Axes with less than this share of the first axis' deviation keep a code below unit variance: dividing by a deviation
# that is mostly rounding would hand the decoder noise of unit variance.
MIN_RELATIVE_DEVIATION = 1e-2
# Noise of probabilistic PCA that leaves nothing out, as a share of a feature's mean variance.
MIN_NOISE_SHARE = 1e-3


@dataclass(frozen=True)
class LinearAnchor:
    r"""A linear autoencoder :math:`z = x E + c,\ \hat x = z D` on principal axes.

    Rows are measured in `unit`, the root of the mean variance of a feature, so that their mean square is one and a
    mean squared error is a share of the variance. `code_scale` (in the unit of X) turns z into PCA's scores, once
    `rotation` is undone (None: there is none).
    """

    unit: float
    encoder_axes: np.ndarray
    decoder_axes: np.ndarray
    code_scale: np.ndarray
    code_bias: np.ndarray | None = None
    rotation: np.ndarray | None = None

    @classmethod
    def from_axes(cls, axes: PrincipalAxes) -> LinearAnchor:
        """PCA with codes of unit variance."""
        unit, scale = unit_of(axes), _deviations(axes)
        return cls(unit, axes.components.T / scale, axes.components * scale[:, np.newaxis], scale * unit)

    @classmethod
    def orthonormal(cls, axes: PrincipalAxes) -> LinearAnchor:
        """PCA with PCA's own codes: what is largest in a code matters most."""
        unit = unit_of(axes)
        return cls(unit, axes.components.T.copy(), axes.components, np.full(len(axes.components), unit))

    def denoising(
        self, axes: PrincipalAxes, kept_share: float, noise_variance: float, shift: np.ndarray | None
    ) -> LinearAnchor:
        r"""The best linear denoiser with these axes for rows corrupted to :math:`y = \rho x + e`.

        Component i is multiplied by Wiener's :math:`\rho \lambda_i / (\rho^2 \lambda_i + \nu)`, with :math:`\nu` the
        variance of e and :math:`\lambda` the axes' variances.
        """
        variances = axes.variances / self.unit**2
        signal = kept_share * variances
        below = kept_share * signal + noise_variance
        gain = np.divide(signal, below, out=np.zeros_like(signal), where=below > 0)
        encoder_axes = self.encoder_axes * gain
        bias = None if shift is None else -shift @ encoder_axes
        return replace(self, encoder_axes=encoder_axes, code_bias=bias)

    def recoded(self, atoms: np.ndarray, values: np.ndarray) -> LinearAnchor:
        """Codes z taken on to ``z @ atoms``, which is decoded by way of ``values``."""
        bias = None if self.code_bias is None else self.code_bias @ atoms
        return replace(
            self, encoder_axes=self.encoder_axes @ atoms, decoder_axes=values @ self.decoder_axes, code_bias=bias
        )

    def rotated(self, rotation: np.ndarray) -> LinearAnchor:
        """The same autoencoder with codes ``z @ rotation``."""
        return replace(
            self,
            encoder_axes=self.encoder_axes @ rotation,
            decoder_axes=rotation.T @ self.decoder_axes,
            code_bias=None if self.code_bias is None else self.code_bias @ rotation,
            rotation=rotation,
        )

    def unrotated(self, code_map: np.ndarray) -> np.ndarray:
        """A map of the codes, the rotation undone after it."""
        n_components = len(code_map)
        return code_map if self.rotation is None else code_map @ self.rotation[:n_components, :n_components].T

    def score_map(self, n_components: int) -> np.ndarray:
        """The map from codes to PCA's scores."""
        scores = np.diag(self.code_scale[:n_components])
        return scores if self.rotation is None else self.rotation[:n_components, :n_components].T @ scores

    def code_covariance(self, axes: PrincipalAxes) -> np.ndarray:
        """Covariance of the codes of rows with these axes."""
        loadings = axes.components @ self.encoder_axes
        return (loadings.T * (axes.variances / self.unit**2)) @ loadings


@dataclass(frozen=True)
class ProbabilisticAnchor(LinearAnchor):
    r"""Probabilistic PCA (Tipping & Bishop 1999): :math:`x \sim N(z D, \psi I),\ z \sim N(0, I)`.

    Its posterior, :math:`z \sim N(x E, \mathrm{diag}(\psi / \lambda))`, is what a variational encoder starts at.
    """

    noise_variance: float = 1.0
    log_posterior_variance: np.ndarray | None = None

    @classmethod
    def from_axes(cls, axes: PrincipalAxes) -> ProbabilisticAnchor:
        unit = unit_of(axes)
        variances = axes.variances / unit**2
        n_left = len(axes.mean) - len(variances)
        left = max(0.0, axes.total_variance / unit**2 - variances.sum())
        noise = max(left / n_left if n_left > 0 else 0.0, MIN_NOISE_SHARE)
        variances = np.maximum(variances, noise)
        loadings = np.sqrt(variances - noise)
        return cls(
            unit,
            axes.components.T * (loadings / variances),
            axes.components * loadings[:, np.newaxis],
            np.full(len(variances), 1.0),
            noise_variance=noise,
            log_posterior_variance=np.log(noise / variances),
        )


def unit_of(axes: PrincipalAxes) -> float:
    """The root of the mean variance of a feature."""
    return math.sqrt(axes.total_variance / len(axes.mean)) or 1.0


def _deviations(axes: PrincipalAxes) -> np.ndarray:
    deviations, unit = np.sqrt(axes.variances), unit_of(axes)
    # Where no axis varies none is magnified: training noise is all there would be to see.
    smallest = MIN_RELATIVE_DEVIATION * deviations.max(initial=0.0) or unit
    return np.maximum(deviations, smallest) / unit
