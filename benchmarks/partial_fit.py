"""MNIST in chunks: `partial_fit` against `fit` on all rows, PCA and IncrementalPCA.

    OMP_NUM_THREADS=1 python benchmarks/partial_fit.py --data DIR

Test R² and seconds with 16 components: 60,000 rows in order, in chunks of 2,000, once and three times over; in chunks
of 100; and after a `fit` on the first 10,000 rows. Without MNIST, scikit-learn's digits in chunks of 100.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from _data import add_arguments, load_mnist
from _results import explained, save
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.exceptions import ConvergenceWarning

from skae import AutoencoderTransformer

N_COMPONENTS = 16


def load(folder) -> tuple[np.ndarray, np.ndarray, int]:
    """Training rows, test rows, and the size of a chunk."""
    mnist = load_mnist(folder)
    if mnist is not None:
        return mnist[0], mnist[2], 2000
    X = load_digits().data / 16.0
    return X[:1400], X[1400:], 100


def follow(model, X, size: int, n_passes: int = 1):
    for _ in range(n_passes):
        for start in range(0, len(X), size):
            model.partial_fit(X[start : start + size])
    return model


def r2(model, X_train, X) -> float:
    if isinstance(model, AutoencoderTransformer):
        return model.score(X)
    return explained(X, model.inverse_transform(model.transform(X)), X_train.mean(axis=0))


def run(X: np.ndarray, X_test: np.ndarray, size: int) -> pd.DataFrame:
    first = len(X) // 6

    def ours(**parameters) -> AutoencoderTransformer:
        return AutoencoderTransformer(N_COMPONENTS, random_state=0, **parameters)

    fits = {
        "PCA": lambda: PCA(N_COMPONENTS, random_state=0).fit(X),
        "IncrementalPCA, chunks": lambda: follow(IncrementalPCA(N_COMPONENTS), X, size),
        "skae, chunks, once": lambda: follow(ours(), X, size),
        "skae, chunks, three times": lambda: follow(ours(), X, size, 3),
        "skae, chunks a twentieth as large, once": lambda: follow(ours(), X, size // 20),
        "skae, fit on a sixth": lambda: ours().fit(X[:first]),
        "skae, fit on a sixth, chunks of the rest": lambda: follow(ours().fit(X[:first]), X[first:], size),
        "skae, fit(max_iter=1)": lambda: ours(max_iter=1).fit(X),
        "skae, fit(max_iter=3)": lambda: ours(max_iter=3).fit(X),
        "skae, fit": lambda: ours().fit(X),
    }
    print(f"{len(X)} rows of {X.shape[1]} features, chunks of {size}, {N_COMPONENTS} components")
    rows = []
    for name, fit in fits.items():
        start = time.perf_counter()
        model = fit()
        rows.append({"method": name, "seconds": time.perf_counter() - start, "r2": r2(model, X, X_test)})
        print(*rows[-1].values(), flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    save(run(*load(arguments.data)), arguments.out, "partial_fit")


if __name__ == "__main__":
    main()
