"""Weights of component scores, from how well they distinguish training rows from corrupted rows."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from skae._detector._entries import Entries

# The number of corrupted rows of each kind, and the standard deviation of the noise in units of the features.
N_ROWS, NOISE = 500, 0.5
# Minimum weight of a component score, before the largest weight is set to 1.
MIN_WEIGHT = 0.05


@np.errstate(over="ignore")  # infinite values are clipped by `FeatureScale`
def corrupted_rows(entries: Entries, unit: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
    """Rows in which each feature is taken from another row, followed by rows with noise.

    `unit` are the units of the columns in `FeatureScale`.
    """
    n_features, share = entries.rows.shape[1], entries.weight / entries.weight.sum()
    drawn = random_state.choice(len(entries), size=(N_ROWS, n_features + 1), p=share)
    shuffled = entries.rows[drawn[:, 1:], np.arange(n_features)]
    noise, columns = random_state.normal(size=shuffled.shape), entries.columns
    if columns is not None:
        unit = np.where(columns.n_bins > 0, 0.0, unit[columns.first_column])
    noisy = entries.rows[drawn[:, 0]] + NOISE * unit * noise
    if columns is not None:
        # Two rows have a mean square distance of 2 in units of the feature. Replacing categories with this probability
        # therefore changes them by the mean square of the noise.
        replaced = (columns.n_bins > 0) & (random_state.uniform(size=shuffled.shape) < 0.5 * NOISE**2)
        noisy[replaced] = shuffled[replaced]
    rows = np.concatenate([shuffled, noisy])
    return rows[~np.isnan(rows).all(axis=1)]


def reliability(components: np.ndarray, weight: np.ndarray, corrupted_components: np.ndarray) -> np.ndarray:
    """Weights of component scores, proportional to the Gini coefficient, 2 AUC - 1. The largest is 1."""
    values = np.concatenate([components, corrupted_components])
    is_corrupted = np.repeat([0, 1], [len(components), len(corrupted_components)])
    weights = np.append(weight / weight.sum(), np.full(len(corrupted_components), 1.0 / len(corrupted_components)))
    gini = [2.0 * roc_auc_score(is_corrupted, column, sample_weight=weights) - 1.0 for column in values.T]
    result = np.maximum(gini, MIN_WEIGHT)
    return result / result.max()
