"""The linear autoencoder that is PCA, in the units the networks work in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from skae._numerics._principal_axes import PrincipalAxes

# Axes with less than this share of the first axis' deviation keep a code below unit variance: dividing by a deviation
# that is mostly rounding would hand the decoder noise of unit variance.
MIN_RELATIVE_DEVIATION = 1e-2


@dataclass(frozen=True)
class LinearAnchor:
    r"""PCA as an autoencoder with codes of unit variance, :math:`z = x E,\ \hat x = z D`.

    Rows are measured in `unit`, the root of the mean variance of a feature, so that their mean square is one and a
    mean squared error is a share of the variance. `code_scale` (in the unit of X) turns z into PCA's scores.
    """

    unit: float
    encoder_axes: np.ndarray
    decoder_axes: np.ndarray
    code_scale: np.ndarray

    @classmethod
    def from_axes(cls, axes: PrincipalAxes) -> LinearAnchor:
        unit = math.sqrt(axes.total_variance / len(axes.mean)) or 1.0
        deviations = np.sqrt(axes.variances)
        # Where no axis varies none is magnified: training noise is all there would be to see.
        smallest = MIN_RELATIVE_DEVIATION * deviations.max(initial=0.0) or unit
        scale = np.maximum(deviations, smallest) / unit
        return cls(unit, axes.components.T / scale, axes.components * scale[:, np.newaxis], scale * unit)
