"""How far components can be trusted, by how well they tell normal rows from corrupted ones."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from skae._detector._entries import Entries

# Rows of each kind, and the standard deviation of the noise in those of a feature.
N_ROWS, NOISE = 500, 0.5
# What the least reliable component weighs, at least.
MIN_WEIGHT = 0.05


@np.errstate(over="ignore")  # far rows are clipped where distances are measured
def corrupted_rows(entries: Entries, unit: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
    """Rows whose features are each of another row, and rows with noise; `unit` is that of each column."""
    n_features, share = entries.rows.shape[1], entries.weight / entries.weight.sum()
    drawn = random_state.choice(len(entries), size=(N_ROWS, n_features + 1), p=share)
    shuffled = entries.rows[drawn[:, 1:], np.arange(n_features)]
    noise, columns = random_state.normal(size=shuffled.shape), entries.columns
    if columns is not None:
        unit = np.where(columns.n_bins > 0, 0.0, unit[columns.first_column])
    noisy = entries.rows[drawn[:, 0]] + NOISE * unit * noise
    if columns is not None:
        # Rows of which two differ in a category are sqrt(2) units apart on average.
        replaced = (columns.n_bins > 0) & (random_state.uniform(size=shuffled.shape) < 0.5 * NOISE**2)
        noisy[replaced] = shuffled[replaced]
    rows = np.concatenate([shuffled, noisy])
    return rows[~np.isnan(rows).all(axis=1)]


def reliability(components: np.ndarray, weight: np.ndarray, corrupted_components: np.ndarray) -> np.ndarray:
    """Weights of components, proportional to the Gini coefficient 2 AUC - 1; the largest is 1."""
    values = np.concatenate([components, corrupted_components])
    is_corrupted = np.repeat([0, 1], [len(components), len(corrupted_components)])
    weights = np.append(weight / weight.sum(), np.full(len(corrupted_components), 1.0 / len(corrupted_components)))
    gini = [2.0 * roc_auc_score(is_corrupted, column, sample_weight=weights) - 1.0 for column in values.T]
    result = np.maximum(gini, MIN_WEIGHT)
    return result / result.max()
