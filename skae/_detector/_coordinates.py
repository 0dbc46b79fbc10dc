"""The three coordinate systems in which distances are measured: standardised features, whitened features, ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from skae._autoencoder._imputation import GaussianImputer, estimate_moments
from skae._detector._columns import FeatureColumns
from skae._detector._feature_scale import FeatureScale
from skae._detector._rank_transform import RankTransform
from skae._detector._whitening import Whitening
from skae._support._state import fields_of

# Values are clipped at this many deviations to estimate the moments of rows with missing entries.
MOMENTS_CLIP = 4.0

# The number of coordinate systems, and the index of the whitened one, which needs all features.
N_SYSTEMS, WHITENED = 3, 1


class Systems(NamedTuple):
    """Rows in the three coordinate systems, with missing entries filled.

    `missing` is the mask of these entries; None means that no entry is missing. `columns` describes which coordinates
    represent which feature; None means that there is one coordinate per feature.
    """

    deviations: np.ndarray
    whitened: np.ndarray
    ranks: np.ndarray
    missing: np.ndarray | None = None
    columns: FeatureColumns | None = None

    @property
    def filled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The rows in each coordinate system."""
        return self.deviations, self.whitened, self.ranks

    @property
    def observed(self) -> np.ndarray:
        """Deviations, with NaN for missing entries."""
        return self.deviations if self.missing is None else np.where(self.missing, np.nan, self.deviations)

    @property
    def values(self) -> np.ndarray:
        """Deviations or, for categorical features, bins; one column per feature, with NaN for missing entries."""
        return self.observed if self.columns is None else self.columns.collapsed(self.observed)

    def select(self, part) -> Systems:
        """The rows chosen by a mask, by indices or by a slice."""
        missing = None if self.missing is None else self.missing[part]
        return Systems(self.deviations[part], self.whitened[part], self.ranks[part], missing, self.columns)


def _filled_at_random(deviations: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Deviations with missing entries drawn from their conditional distribution, which preserves the covariance."""
    if not np.isnan(deviations.sum()):
        return deviations
    # The seed is constant, so that equal rows give equal coordinates.
    generator = torch.Generator().manual_seed(0)
    rows = torch.from_numpy(deviations.astype(np.float64))
    mean, covariance = estimate_moments(
        rows.clamp(-MOMENTS_CLIP, MOMENTS_CLIP), torch.from_numpy(weight.astype(np.float64)), generator
    )
    filled = GaussianImputer.from_covariance(covariance).draw(rows - mean, generator) + mean
    return filled.numpy().astype(deviations.dtype)


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Three coordinate systems: standardised features, whitened features, and normal quantiles of ranks.

    Categories have no ranks. Instead, their indicators are multiplied by `FeatureScale.rarity`.
    """

    scale: FeatureScale
    whitening: Whitening
    ranks: RankTransform

    @classmethod
    def of(
        cls,
        X: np.ndarray,
        weight: np.ndarray,
        scale_features: bool,
        dtype: str,
        columns: FeatureColumns | None = None,
    ) -> Coordinates:
        """Fit the coordinate systems to dense weighted rows. Coordinates have the given dtype."""
        scale = FeatureScale.of(X, weight, scale_features, dtype, columns)
        deviations = scale.deviations(X)
        numbers = slice(None) if columns is None else columns.is_numeric
        ranks = RankTransform.of(deviations[:, numbers], weight, scale.tolerance[numbers])
        return cls(scale, Whitening.of(_filled_at_random(deviations, weight), weight), ranks)

    def filled(self, deviations: np.ndarray) -> np.ndarray:
        """Deviations with missing entries replaced by the known value of the feature nearest to their expectation.

        The expectation is conditional on the observed features. It is not used itself, because between the values of a
        discrete feature it would make the row look unusual.
        """
        if not np.isnan(deviations.sum()):
            return deviations
        incomplete = np.isnan(deviations).any(axis=1)
        rows = torch.from_numpy(deviations[incomplete].astype(np.float64))
        filled, missing, numbers = self.whitening.imputer(rows).numpy(), rows.isnan().numpy(), self._numbers
        filled[:, numbers] = self.ranks.nearest_known(filled[:, numbers], missing[:, numbers])
        deviations[incomplete] = self.scale.nearest_category(filled, missing)
        return deviations

    def __call__(self, deviations: np.ndarray) -> Systems:
        """The three coordinates of rows, which are given in the units of `scale`."""
        missing = np.isnan(deviations) if np.isnan(deviations.sum()) else None
        deviations, columns = self.filled(deviations), self.scale.columns
        if columns is None:
            ranks = self.ranks(deviations)
        else:
            ranks = (deviations * self.scale.rarity).astype(deviations.dtype, copy=False)
            ranks[:, columns.is_numeric] = self.ranks(deviations[:, columns.is_numeric])
        return Systems(deviations, self.whitening(deviations), ranks, missing, columns)

    @property
    def _numbers(self) -> slice | np.ndarray:
        """The columns that represent numeric features."""
        return slice(None) if self.scale.columns is None else self.scale.columns.is_numeric

    def to_state(self) -> dict[str, Any]:
        """Arrays and plain values for a file."""
        state = {name: fields_of(part) for name, part in vars(self).items()}
        columns = self.scale.columns
        return state | {"scale": state["scale"] | {"columns": None if columns is None else fields_of(columns)}}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Coordinates:
        """The coordinates that `to_state` described."""
        scale = dict(state["scale"])
        if scale.get("columns") is not None:
            scale["columns"] = FeatureColumns(**scale["columns"])
        return cls(FeatureScale(**scale), Whitening(**state["whitening"]), RankTransform(**state["ranks"]))
