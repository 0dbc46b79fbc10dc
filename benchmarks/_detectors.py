"""The outlier detectors compared, each at its defaults, as an object with `fit` and `score` (the higher, the odder)."""

from __future__ import annotations

import importlib.util

import numpy as np
from scipy.stats import norm
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import IsolationForest
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
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


class NeighboursOfRanks(Neighbours):
    """The same where each feature is replaced by the normal quantile of its rank among the training rows.

    Beyond their range it goes on by the excess in standard deviations.
    """

    def fit(self, X):
        self.columns = np.sort(X, axis=0)
        return super().fit(self.ranks(X))

    def score(self, X):
        return super().score(self.ranks(X))

    def ranks(self, X):
        ranks = np.empty(X.shape)
        for j, known in enumerate(self.columns.T):
            middle = 0.5 * sum(np.searchsorted(known, X[:, j], side=side) for side in ("left", "right"))
            excess = X[:, j] - np.clip(X[:, j], known[0], known[-1])
            ranks[:, j] = norm.ppf(np.clip(middle, 0.5, len(known) - 0.5) / len(known)) + np.clip(excess, -20, 20)
        return ranks


class Mahalanobis:
    """Squared Mahalanobis distance with Ledoit and Wolf's shrunken covariance."""

    def fit(self, X):
        self.model = LedoitWolf().fit(X)
        return self

    def score(self, X):
        return self.model.mahalanobis(X)


class Pyod:
    """A detector with PyOD's `decision_function`."""

    def __init__(self, model) -> None:
        self.model = model

    def fit(self, X):
        self.model.fit(X)
        return self

    def score(self, X):
        return self.model.decision_function(X)


class Filled:
    """A detector that takes no missing values, behind scikit-learn's `IterativeImputer` at its defaults."""

    def __init__(self, detector) -> None:
        self.detector = detector

    def fit(self, X):
        # Features that are nowhere observed in a small set stay as columns of zeros.
        self.imputer = IterativeImputer(random_state=0, keep_empty_features=True).fit(X)
        self.detector.fit(self.imputer.transform(X))
        return self

    def score(self, X):
        return self.detector.score(self.imputer.transform(X))


def pyod_detectors() -> dict:
    """PyOD's detectors; its networks take a seed, and draw progress bars unless told not to."""
    from pyod.models.auto_encoder import AutoEncoder
    from pyod.models.ecod import ECOD
    from pyod.models.lunar import LUNAR

    return {
        "PyOD-AutoEncoder": lambda seed: Pyod(AutoEncoder(random_state=seed, verbose=0)),
        "PyOD-LUNAR": lambda seed: Pyod(LUNAR()),
        "PyOD-ECOD": lambda seed: Pyod(ECOD()),
    }


def available(novelty: bool, missing: bool = False) -> dict:
    """Name of every detector that can be run here, and a function of the seed that makes it.

    `novelty` says that training rows are normal, to those that can be told. If values are `missing`, those that do not
    take them get filled ones.
    """
    detectors = {
        "skae": lambda seed: Sklearn(AutoencoderOutlierDetector(novelty=novelty, random_state=seed)),
        "skae-reconstruction": lambda seed: Sklearn(
            AutoencoderOutlierDetector(method="reconstruction", novelty=novelty, random_state=seed)
        ),
        "IsolationForest": lambda seed: Sklearn(IsolationForest(random_state=seed)),
        "LocalOutlierFactor": lambda seed: Sklearn(LocalOutlierFactor(novelty=True)),
        "kNN": lambda seed: Neighbours(),
        "kNN on ranks": lambda seed: NeighboursOfRanks(),
        "Mahalanobis": lambda seed: Mahalanobis(),
    }
    if importlib.util.find_spec("pyod"):
        detectors |= pyod_detectors()
    else:
        print("PyOD is not installed: it is left out.")
    if missing:
        takes = ("skae", "skae-reconstruction", "IsolationForest")
        detectors["skae, imputed"] = detectors["skae"]
        return {
            name: make if name in takes else lambda seed, make=make: Filled(make(seed))
            for name, make in detectors.items()
        }
    return detectors
