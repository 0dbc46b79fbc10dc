"""How unusual rows are to a trained autoencoder, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skae._fitted import FittedAutoencoder
from skae._numerics._moments import dense_rows, row_blocks
from skae._support._inputs import check_finite_result

# Added to mean squares before their logarithm: rows that are reconstructed exactly are not infinitely usual.
SQUARED_FLOOR = 1e-3
VIEWS = ("error", "code")


@dataclass(frozen=True)
class ReconstructionViews:
    """Two logarithms of distances: of a row to its reconstruction, and of its code to the mean code.

    Codes are whitened over the training rows, so that the second is their Mahalanobis distance.
    """

    autoencoder: FittedAutoencoder
    code_mean: np.ndarray

    def codes(self, X, device: str) -> np.ndarray:
        return self.autoencoder.encode(X, device)

    @np.errstate(over="ignore")
    def views(self, X, device: str) -> np.ndarray:
        """The two views of each row, shape (n_rows, 2)."""
        errors, _ = self.autoencoder.squared_errors(X, device)
        # Whitened codes of far rows may be beyond float32, though the rows are not.
        deviations = self.autoencoder.encode(X, device, double=True) - self.code_mean
        means = np.column_stack([errors / X.shape[1], np.square(deviations).mean(axis=1)])
        return 0.5 * np.log(check_finite_result(means, self.autoencoder.weights.dtype) + SQUARED_FLOOR)

    def feature_shares(self, X, view: np.ndarray, device: str) -> np.ndarray:
        """Share of each feature in each row's view `view` (an index per row), shape of X; rows sum to one.

        Features share in the distance of a code by how far its reconstruction is from the mean row in each.
        """
        shares = np.empty(X.shape)
        mean, scale = self.autoencoder.mean, self.autoencoder.scale
        for part in row_blocks(*X.shape):
            rows = dense_rows(X, part).astype(np.float64)
            reconstructed = self.autoencoder.reconstruct(rows, device)
            origin = np.where(view[part, np.newaxis] == 0, rows, mean)
            shares[part] = np.square((reconstructed - origin) / scale)
        total = shares.sum(axis=1, keepdims=True)
        return np.divide(shares, total, out=np.full_like(shares, 1.0 / X.shape[1]), where=total > 0)
