"""Generation: how real, how varied and how new the rows of `sample` are, against PCA with a mixture of Gaussians.

    python benchmarks/generation.py --data DIR

Rows are digits (1,297 to train, 500 to test) and MNIST (5,000 and the first 1,000 of the test set), pixels in [0, 1].
Every model draws as many rows as there are test rows; pixels are clipped to [0, 1] for all. The columns:

- *recognised*: share that a classifier trained on the real training rows (a support vector machine with calibrated
  probabilities) assigns to a class with probability above 0.9;
- *density*, *coverage*: Naeem et al. (2020), 5 nearest neighbours, against the test rows: density counts how many
  test rows' neighbourhoods a sample lies in, coverage is the share of test rows with a sample in their neighbourhood;
- *novelty*: median distance of a sample to its nearest training row, divided by that of test rows; copies have 0.

The line "test rows" gives what rows of the same source score, here other real rows (half of the test rows against the
other half). Models: skae at its defaults (a mixture of Gaussians on codes), skae with `code="variational"` (codes from
the prior), each at 8 components; PCA at 4, 8, 16 or 32 components, whichever covers training rows held out best,
and a mixture on its scores, its number of Gaussians by BIC, from 1 to 32 as skae's.
"""

from __future__ import annotations

import argparse
import warnings

import _data
import numpy as np
import pandas as pd
from _results import save
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import SVC

from skae import AutoencoderTransformer

N_NEIGHBOURS = 5
CONFIDENT = 0.9
N_COMPONENTS = 8
PCA_COMPONENTS = (4, 8, 16, 32)


class Mixture:
    """PCA's scores and a mixture of Gaussians with full covariances on them."""

    def __init__(self, k: int) -> None:
        self.pca = PCA(k, random_state=0)

    def fit(self, X):
        scores = self.pca.fit_transform(X).astype(np.float64)
        sizes = [n for n in (1, 2, 4, 8, 16, 32) if n == 1 or len(X) >= 2 * n * (scores.shape[1] + 1)]
        mixtures = [GaussianMixture(n, reg_covar=1e-4, random_state=0).fit(scores) for n in sizes]
        self.mixture = min(mixtures, key=lambda mixture: mixture.bic(scores))
        return self

    def sample(self, n_samples: int, random_state: int):
        self.mixture.set_params(random_state=random_state)
        return self.pca.inverse_transform(self.mixture.sample(n_samples)[0])


def best_mixture(X: np.ndarray) -> Mixture:
    train, held_out = train_test_split(X, test_size=min(1000, len(X) // 4), random_state=0)
    coverages = {
        k: density_and_coverage(held_out, np.clip(Mixture(k).fit(train).sample(len(held_out), 0), 0, 1))[1]
        for k in PCA_COMPONENTS
    }
    return Mixture(max(coverages, key=coverages.get)).fit(X)


def density_and_coverage(real: np.ndarray, drawn: np.ndarray) -> tuple[float, float]:
    """Equations 3 and 4 of Naeem et al. (2020)."""
    radii = NearestNeighbors(n_neighbors=N_NEIGHBOURS).fit(real).kneighbors()[0][:, -1]
    squared = np.square(real).sum(1)[:, None] - 2 * real @ drawn.T + np.square(drawn).sum(1)
    inside = squared <= np.square(radii)[:, None]
    return float(inside.sum() / (N_NEIGHBOURS * len(drawn))), float(inside.any(axis=1).mean())


def distances(train: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return NearestNeighbors(n_neighbors=1).fit(train).kneighbors(rows)[0]


def measure(train: np.ndarray, test: np.ndarray, classifier, drawn: np.ndarray) -> dict:
    density, coverage = density_and_coverage(test, drawn)
    return {
        "recognised": (classifier.predict_proba(drawn).max(axis=1) > CONFIDENT).mean(),
        "density": density,
        "coverage": coverage,
        "novelty": np.median(distances(train, drawn)) / np.median(distances(train, test)),
    }


def models() -> dict:
    autoencoder = AutoencoderTransformer(N_COMPONENTS, random_state=0)
    variational = AutoencoderTransformer(N_COMPONENTS, code="variational", random_state=0)
    bernoulli = AutoencoderTransformer(N_COMPONENTS, code="variational", loss="binary_cross_entropy", random_state=0)
    return {
        "skae": autoencoder.fit,
        "skae, variational": variational.fit,
        "skae, variational, cross-entropy": bernoulli.fit,
        "PCA + mixture": best_mixture,
    }


def sets(folder) -> dict:
    X, y = load_digits(return_X_y=True)
    digits = train_test_split(X / 16, y, test_size=500, random_state=0)
    pairs = {"digits": (digits[0], digits[1], digits[2])}
    mnist = _data.load_mnist(folder)
    if mnist is not None:
        pairs["mnist"] = mnist[0][:5000], mnist[2][:1000], mnist[1][:5000]
    return pairs


def run(arguments) -> pd.DataFrame:
    rows = []
    for name, (train, test, y) in sets(arguments.data).items():
        classifier = CalibratedClassifierCV(SVC(C=10), ensemble=False, cv=3).fit(train, y)
        half = len(test) // 2
        results = {"test rows": measure(train, test[:half], classifier, test[half:])}
        for method, fit in models().items():
            drawn = fit(train).sample(len(test), random_state=0)
            results[method] = measure(train, test, classifier, np.clip(drawn, 0, 1).astype(test.dtype))
        for method, result in results.items():
            rows.append({"dataset": name, "method": method} | result)
            print(*(f"{v:.3f}" if isinstance(v, float) else v for v in rows[-1].values()), flush=True)
            save(pd.DataFrame(rows), arguments.out, "generation")
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _data.add_arguments(parser)
    warnings.simplefilter("ignore")
    print(run(parser.parse_args()).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
