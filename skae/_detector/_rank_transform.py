"""Normal quantiles of the ranks of values among the training rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from skae._detector._feature_scale import CLIP
from skae._linalg._quantiles import observed

# Maximum number of distinct values (knots) stored per feature. If there are more, ranks between knots are interpolated.
MAX_KNOTS = 256


@dataclass(frozen=True, eq=False)
class RankTransform:
    """Normal quantiles of mid-ranks. Outside the range of the training rows, the excess in deviations is added.

    Feature j has the knots ``values[starts[j] : starts[j + 1]]``. Values within `tolerance` of a knot are equal to it.
    `at` contains the rank coordinate of each knot. `between` contains those of other values: for each feature that of
    values below the first knot, then that of each gap, then that of values above the last knot. If a feature is
    `interpolated`, the coordinates in gaps are interpolated between knots instead.
    """

    starts: np.ndarray
    values: np.ndarray
    at: np.ndarray
    between: np.ndarray
    interpolated: np.ndarray
    tolerance: np.ndarray

    @classmethod
    def of(cls, deviations: np.ndarray, weight: np.ndarray, tolerance: np.ndarray) -> RankTransform:
        """Compute the knots from weighted rows in the units of a `FeatureScale`."""
        if not deviations.shape[1]:
            none = np.empty(0, np.float32)
            return cls(np.zeros(1, dtype=np.intp), none, none, none, np.empty(0, dtype=bool), tolerance)
        parts = [_knots(*observed(column, weight)) for column in deviations.T]
        starts = np.append(0, np.cumsum([len(values) for values, _, _, _ in parts]))
        *tables, interpolated = zip(*parts, strict=True)
        values, at, between = (np.concatenate(table) for table in tables)
        at, between = at.astype(np.float32), between.astype(np.float32)
        return cls(starts, values, at, between, np.array(interpolated), tolerance)

    def nearest_known(self, deviations: np.ndarray, where: np.ndarray) -> np.ndarray:
        """Deviations in which the chosen entries are replaced by the nearest knot of their feature."""
        for feature, column in enumerate(deviations.T):
            knots, chosen = self.values[self.starts[feature] : self.starts[feature + 1]], where[:, feature]
            column[chosen] = knots[np.searchsorted(0.5 * (knots[1:] + knots[:-1]), column[chosen])]
        return deviations

    def __call__(self, deviations: np.ndarray) -> np.ndarray:
        """Rank coordinates of rows, in the dtype of the rows, which are given in the units of the `FeatureScale`."""
        ranks = np.empty(deviations.shape, deviations.dtype)
        for feature in range(deviations.shape[1]):
            start, stop = self.starts[feature], self.starts[feature + 1]
            knots, at, column = self.values[start:stop], self.at[start:stop], deviations[:, feature]
            between = self.between[start + feature : stop + feature + 1]
            if self.interpolated[feature]:
                ranks[:, feature] = np.interp(column, knots, at, left=between[0], right=between[-1])
                continue
            after = np.searchsorted(knots, column + self.tolerance[feature], side="right")
            before = np.maximum(after - 1, 0)
            known = np.abs(knots[before] - column) <= self.tolerance[feature]
            ranks[:, feature] = np.where(known, at[before], between[after])
        lowest, highest = self.values[self.starts[:-1]], self.values[self.starts[1:] - 1]
        beyond = deviations - np.clip(deviations, lowest, highest)
        return ranks + np.clip(beyond, -CLIP, CLIP, out=beyond)


def _knots(column: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Knots of a feature, normal quantiles of their mid-ranks and of the gaps, and whether some values are no knots."""
    values, group = np.unique(column, return_inverse=True)
    counts = np.bincount(group, weights=weight)
    up_to = np.cumsum(counts)
    middle = up_to - 0.5 * counts
    too_many = len(values) > MAX_KNOTS
    if too_many:
        kept = np.unique(np.searchsorted(middle, np.linspace(middle[0], middle[-1], MAX_KNOTS)))
        values, middle, up_to = values[kept], middle[kept], up_to[kept]
    # Values below all knots get the probability of half a row, because the normal quantile of zero is infinite.
    lowest = min(0.5, max(0.5 / weight.sum(), np.finfo(np.float32).eps))
    at, between = (
        special.ndtri(np.clip(share / weight.sum(), lowest, 1.0 - lowest)) for share in (middle, np.append(0.0, up_to))
    )
    return values, at, between, too_many
