"""Numeric columns that represent a table with categorical features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

# Maximum number of columns for all categorical features together. It is divided equally among them. If a feature has
# more categories than its part, rare categories share a column.
MAX_COLUMNS = 1280


@dataclass(frozen=True, eq=False)
class FeatureColumns:
    """One column for each numeric feature, and one indicator for each bin of the categories of a categorical feature.

    `n_bins`, of shape (n_features,), is 0 for numeric features. `bins`, of shape (n_features, n_codes), contains the
    bin of each category. Rare categories may share a bin. The last bin is for categories that `fit` has not seen.
    """

    n_bins: np.ndarray
    bins: np.ndarray

    @classmethod
    def of(cls, codes: np.ndarray, weight: np.ndarray, n_categories: np.ndarray) -> FeatureColumns:
        """Choose the bins from weighted rows, which contain categories as codes from 0.

        `n_categories` is the number of categories of each feature, 0 for numeric features. It is also the code of
        categories that `fit` has not seen.
        """
        limit = max(2, MAX_COLUMNS // int(np.count_nonzero(n_categories)) - 1)
        n_bins = np.where(n_categories > 0, np.minimum(n_categories, limit) + 1, 0)
        bins = np.zeros((len(n_categories), n_categories.max() + 1), dtype=np.intp)
        for feature in np.flatnonzero(n_categories):
            known, count = ~np.isnan(codes[:, feature]), n_categories[feature]
            total = np.bincount(codes[known, feature].astype(np.intp), weights=weight[known], minlength=count)
            order = np.argsort(-total[:count], kind="stable")
            common = order if count <= limit else order[: limit - 1]
            bins[feature, :count] = n_bins[feature] - 2
            bins[feature, np.sort(common)] = np.arange(len(common))
            bins[feature, count:] = n_bins[feature] - 1
        return cls(n_bins, bins)

    @cached_property
    def feature_of(self) -> np.ndarray:
        """The feature of each column."""
        return np.repeat(np.arange(len(self.n_bins)), np.maximum(self.n_bins, 1))

    @cached_property
    def first_column(self) -> np.ndarray:
        """The first column of each feature."""
        return np.searchsorted(self.feature_of, np.arange(len(self.n_bins)))

    @cached_property
    def is_numeric(self) -> np.ndarray:
        """Mask of the columns that represent numeric features."""
        return self.n_bins[self.feature_of] == 0

    @cached_property
    def input_features(self) -> np.ndarray:
        """The feature of each input of a masked autoencoder: first the columns, then the ranks of numeric features."""
        return np.append(self.feature_of, self.feature_of[self.is_numeric])

    @property
    def categorical(self) -> list[tuple[int, slice]]:
        """The categorical features, each with its columns."""
        features = np.flatnonzero(self.n_bins).tolist()
        return [
            (each, slice(self.first_column[each], self.first_column[each] + self.n_bins[each])) for each in features
        ]

    def expanded(self, rows: np.ndarray) -> np.ndarray:
        """Columns for rows of numbers and codes. All columns of a missing entry are NaN."""
        result = rows[:, self.feature_of].astype(np.float64)
        for feature, columns in self.categorical:
            known = ~np.isnan(rows[:, feature])
            bins = self.bins[feature, rows[known, feature].astype(np.intp)]
            result[known, columns] = bins[:, np.newaxis] == np.arange(self.n_bins[feature])
        return result

    def collapsed(self, columns: np.ndarray) -> np.ndarray:
        """Numbers and bins, shape (n_rows, n_features), for columns that may be centred and scaled; NaN remains NaN."""
        result = columns[:, self.first_column]
        for feature, own in self.categorical:
            known = ~np.isnan(result[:, feature])
            result[known, feature] = columns[known, own].argmax(axis=1)
        return result
