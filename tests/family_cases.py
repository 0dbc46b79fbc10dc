"""What the tests of the family share."""

import numpy as np
import pytest
import torch

from skae import AutoencoderTransformer


def untrained(n_components=3, **parameters):
    return AutoencoderTransformer(n_components, max_iter=0, dtype="float64", **parameters)


def hide_some(X, share, seed=0):
    hidden = np.random.RandomState(seed).uniform(size=X.shape) < share
    return np.where(hidden, np.nan, X), hidden


def root_mean_square(values):
    return float(np.sqrt(np.mean(np.square(values))))


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
