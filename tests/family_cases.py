"""What the tests of the family share."""

import numpy as np
import pytest
import torch

from skae import AutoencoderTransformer


def untrained(n_components=3, **parameters):
    """The estimator before training, in float64 so that only rounding separates it from PCA."""
    return AutoencoderTransformer(n_components, max_iter=0, dtype="float64", **parameters)


def hide_some(X, share, seed=0):
    hidden = np.random.RandomState(seed).uniform(size=X.shape) < share
    return np.where(hidden, np.nan, X), hidden


def root_mean_square(values):
    return float(np.sqrt(np.mean(np.square(values))))


def banana(n_rows, seed):
    """Rows along a parabola in the first two of four features; the others are noise."""
    rng = np.random.RandomState(seed)
    t = rng.uniform(-2, 2, size=n_rows)
    return np.column_stack([t, t**2, np.zeros(n_rows), t]) + 0.1 * rng.normal(size=(n_rows, 4))


def follow(model, X, cuts, sample_weight=None):
    """The model after chunks that end at the given rows."""
    for start, end in zip([0, *cuts], [*cuts, len(X)], strict=True):
        weight = None if sample_weight is None else sample_weight[start:end]
        model.partial_fit(X[start:end], sample_weight=weight)
    return model


def evenly(X, size):
    return list(range(size, len(X), size))


# Fits that need not have converged.
short = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Dense(torch.nn.Module):
    def __init__(self, n_features, n_outputs, n_components):
        super().__init__()
        self.encoder = torch.nn.Sequential(
            torch.nn.Linear(n_features, 16), torch.nn.SiLU(), torch.nn.Linear(16, n_outputs)
        )
        self.decoder = torch.nn.Sequential(
            torch.nn.Linear(n_components, 16), torch.nn.SiLU(), torch.nn.Linear(16, n_features)
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)
