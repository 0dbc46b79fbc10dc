"""The outlier detectors compared, each at its defaults, as an object with `fit` and `score` (the higher, the odder)."""

from __future__ import annotations

import importlib.util

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from skae import AutoencoderOutlierDetector


class Sklearn:
    """A detector with scikit-learn's `score_samples`, where low is odd."""

    def __init__(self, model) -> None:
        self.model = model

    def fit(self, X):
        self.model.fit(X)
        return self

    def score(self, X):
        return -self.model.score_samples(X)


class Neighbours:
    """Distance to the fifth nearest training row, PyOD's default for KNN."""

    def fit(self, X):
        self.model = NearestNeighbors(n_neighbors=5).fit(X)
        return self

    def score(self, X):
        return self.model.kneighbors(X)[0][:, -1]


class Mahalanobis:
    """Squared Mahalanobis distance with Ledoit and Wolf's shrunken covariance."""

    def fit(self, X):
        self.model = LedoitWolf().fit(X)
        return self

    def score(self, X):
        return self.model.mahalanobis(X)


class Norm:
    """Mean squared standardised value: the error of an autoencoder that outputs the mean."""

    def fit(self, X):
        return self

    def score(self, X):
        return np.square(X).mean(axis=1)


class Pyod:
    """A detector with PyOD's `decision_function`."""

    def __init__(self, model) -> None:
        self.model = model

    def fit(self, X):
        self.model.fit(X)
        return self

    def score(self, X):
        return self.model.decision_function(X)


def pyod_detectors() -> dict:
    """PyOD's detectors; its networks take a seed, and draw progress bars unless told not to."""
    from pyod.models.auto_encoder import AutoEncoder
    from pyod.models.ecod import ECOD
    from pyod.models.knn import KNN
    from pyod.models.vae import VAE

    return {
        "PyOD-AutoEncoder": lambda seed: Pyod(AutoEncoder(random_state=seed, verbose=0)),
        "PyOD-VAE": lambda seed: Pyod(VAE(random_state=seed, verbose=0)),
        "PyOD-KNN": lambda seed: Pyod(KNN()),
        "PyOD-ECOD": lambda seed: Pyod(ECOD()),
    }


def available() -> dict:
    """Name of every detector that can be run here, and a function of the seed that makes it."""
    detectors = {
        "skae": lambda seed: Sklearn(AutoencoderOutlierDetector(random_state=seed)),
        "skae-reconstruction": lambda seed: Sklearn(
            AutoencoderOutlierDetector(method="reconstruction", random_state=seed)
        ),
        "IsolationForest": lambda seed: Sklearn(IsolationForest(random_state=seed)),
        "LocalOutlierFactor": lambda seed: Sklearn(LocalOutlierFactor(novelty=True)),
        "kNN": lambda seed: Neighbours(),
        "Mahalanobis": lambda seed: Mahalanobis(),
        "NORM": lambda seed: Norm(),
    }
    if importlib.util.find_spec("pyod"):
        return detectors | pyod_detectors()
    print("PyOD is not installed: it is left out.")
    return detectors
