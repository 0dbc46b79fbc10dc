"""The linear autoencoder that training starts at, and that stays the linear path of the network."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from skae._linalg._principal_axes import PrincipalAxes
from skae._support._state import fields_of
from skae._support._torch import to_tensor

# Codes are divided by the deviations along the axes, but by at least this share of the largest deviation. Otherwise the
# decoder would get noise of unit variance if a deviation is mostly rounding error.
MIN_RELATIVE_DEVIATION = 1e-2
# Minimum of the noise variance of probabilistic PCA, as a share of the mean variance of a feature. It is needed if the
# axes leave no variance out.
MIN_NOISE_SHARE = 1e-3


@dataclass(frozen=True, eq=False)
class LinearAutoencoder:
    r"""A linear autoencoder :math:`z = \tilde x E + c,\ \tilde x = z D` of rows :math:`\tilde x = (x - \mu) / s`.

    `scale`, s, is the scale of the features times `unit`, the root of the mean variance of a feature. The mean square
    of standardised rows is therefore one, and a mean squared error is a share of the variance.

    The arrays are NumPy arrays, or tensors in what `to` returns. `noise_variance` and `log_posterior_variance` are
    those of probabilistic PCA. When `rotation` is undone, codes times `code_scale` are PCA's scores in the units of X;
    both are known during fit only.
    """

    mean: Any
    scale: Any
    unit: float
    encoder_axes: Any
    decoder_axes: Any
    code_bias: Any = None
    noise_variance: float = 1.0
    log_posterior_variance: Any = None
    code_scale: np.ndarray | None = None
    rotation: np.ndarray | None = None

    @classmethod
    def pca(cls, axes: PrincipalAxes) -> LinearAutoencoder:
        """PCA with codes of unit variance."""
        unit, deviations = unit_of(axes), _deviations(axes)
        return cls(
            axes.mean,
            axes.scale * unit,
            unit,
            axes.components.T / deviations,
            axes.components * deviations[:, np.newaxis],
            code_scale=deviations * unit,
        )

    @classmethod
    def orthonormal(cls, axes: PrincipalAxes) -> LinearAutoencoder:
        """PCA with the codes that PCA returns, in which the largest component matters most."""
        unit, n_components = unit_of(axes), len(axes.components)
        return cls(
            axes.mean,
            axes.scale * unit,
            unit,
            axes.components.T.copy(),
            axes.components,
            code_scale=np.full(n_components, unit),
        )

    @classmethod
    def probabilistic_pca(cls, axes: PrincipalAxes) -> LinearAutoencoder:
        r"""Probabilistic PCA (Tipping & Bishop 1999): :math:`x \sim N(z D, \psi I),\ z \sim N(0, I)`.

        Its posterior, :math:`z \sim N(x E, \mathrm{diag}(\psi / \lambda))`, is what a variational encoder starts at.
        """
        unit = unit_of(axes)
        variances = axes.variances / unit**2
        n_left = len(axes.mean) - len(variances)
        left = max(0.0, axes.total_variance / unit**2 - variances.sum())
        noise = float(max(left / n_left if n_left > 0 else 0.0, MIN_NOISE_SHARE))
        variances = np.maximum(variances, noise)
        loadings = np.sqrt(variances - noise)
        return cls(
            axes.mean,
            axes.scale * unit,
            unit,
            axes.components.T * (loadings / variances),
            axes.components * loadings[:, np.newaxis],
            noise_variance=noise,
            log_posterior_variance=np.log(noise / variances),
            code_scale=np.full(len(variances), 1.0),
        )

    @property
    def n_features(self) -> int:
        return self.encoder_axes.shape[0]

    @property
    def n_components(self) -> int:
        return self.encoder_axes.shape[1]

    def to(self, dtype: torch.dtype, device: torch.device) -> LinearAutoencoder:
        """The autoencoder with tensors of a dtype on a device."""

        def tensor(array: Any) -> Any:
            return None if array is None else to_tensor(np.ascontiguousarray(array), dtype, device)

        return replace(
            self,
            mean=tensor(self.mean),
            scale=tensor(self.scale),
            encoder_axes=tensor(self.encoder_axes),
            decoder_axes=tensor(self.decoder_axes),
            code_bias=tensor(self.code_bias),
            log_posterior_variance=tensor(self.log_posterior_variance),
        )

    def truncated(self, n_components: int) -> LinearAutoencoder:
        """The autoencoder of the first components."""
        encoder_axes, decoder_axes = self.encoder_axes[:, :n_components], self.decoder_axes[:n_components]
        is_tensor = isinstance(encoder_axes, torch.Tensor)
        return replace(
            self,
            encoder_axes=encoder_axes.contiguous() if is_tensor else np.ascontiguousarray(encoder_axes),
            decoder_axes=decoder_axes if is_tensor else np.ascontiguousarray(decoder_axes),
            code_bias=None if self.code_bias is None else self.code_bias[:n_components],
        )

    def denoising(
        self, axes: PrincipalAxes, kept_share: float, noise_variance: float, shift: np.ndarray | None
    ) -> LinearAutoencoder:
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

    def recoded(self, atoms: np.ndarray, values: np.ndarray) -> LinearAutoencoder:
        """The autoencoder with codes ``z @ atoms``, decoded through ``values``."""
        bias = None if self.code_bias is None else self.code_bias @ atoms
        return replace(
            self, encoder_axes=self.encoder_axes @ atoms, decoder_axes=values @ self.decoder_axes, code_bias=bias
        )

    def rotated(self, rotation: np.ndarray) -> LinearAutoencoder:
        """The same autoencoder with codes ``z @ rotation``."""
        return replace(
            self,
            encoder_axes=self.encoder_axes @ rotation,
            decoder_axes=rotation.T @ self.decoder_axes,
            code_bias=None if self.code_bias is None else self.code_bias @ rotation,
            rotation=rotation,
        )

    def unrotated(self, code_map: np.ndarray) -> np.ndarray:
        """The map of codes `code_map`, followed by the inverse of the rotation."""
        n_components = len(code_map)
        return code_map if self.rotation is None else code_map @ self.rotation[:n_components, :n_components].T

    def score_map(self) -> np.ndarray:
        """The map from codes to PCA's scores."""
        assert self.code_scale is not None
        scores = np.diag(self.code_scale[: self.n_components])
        if self.rotation is None:
            return scores
        return self.rotation[: self.n_components, : self.n_components].T @ scores

    def code_covariance(self, axes: PrincipalAxes) -> np.ndarray:
        """Covariance of the codes of rows with these axes."""
        loadings = axes.components @ self.encoder_axes
        return (loadings.T * (axes.variances / self.unit**2)) @ loadings

    def to_state(self) -> dict[str, Any]:
        """The arrays and numbers that a file keeps, without those that are known during fit only."""
        return {name: value for name, value in fields_of(self).items() if name not in ("code_scale", "rotation")}


def unit_of(axes: PrincipalAxes) -> float:
    """The root of the mean variance of a feature."""
    return math.sqrt(axes.total_variance / len(axes.mean)) or 1.0


def _deviations(axes: PrincipalAxes) -> np.ndarray:
    deviations, unit = np.sqrt(axes.variances), unit_of(axes)
    # If rows do not vary along any axis, codes are not magnified: they would consist of training noise only.
    smallest = MIN_RELATIVE_DEVIATION * deviations.max(initial=0.0) or unit
    return np.maximum(deviations, smallest) / unit
