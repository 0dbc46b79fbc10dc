"""The MNIST experiment of Hinton & Salakhutdinov (2006): 784-1000-500-250-30, squared error per test picture.

    python benchmarks/hinton2006.py --data DIR

The paper reports 3.00 for its autoencoder and 13.87 for PCA with 30 components. Pixels are in [0, 1]; the 60,000
training pictures alone decide everything, the stopping point included. Writes `hinton2006.csv`.
"""

from __future__ import annotations

import argparse
import sys
import time

import _data
import numpy as np
import pandas as pd
from _results import save
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _data.add_arguments(parser)
    parser.add_argument("--max-iter", type=int, default=105)
    parser.add_argument("--learning-rate-init", type=float, default=0.0025)
    parser.add_argument("--alpha", type=float, default=0.4)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--random-state", type=int, default=0)
    arguments = parser.parse_args()
    mnist = _data.load_mnist(arguments.data)
    if mnist is None:
        sys.exit(1)
    X_train, _, X_test, _ = mnist

    pca = PCA(30, random_state=0).fit(X_train)
    errors = {"PCA": squared_error(X_test, pca.inverse_transform(pca.transform(X_test)))}
    model = AutoencoderTransformer(
        30,
        hidden_layer_sizes=(1000, 500, 250),
        max_iter=arguments.max_iter,
        learning_rate_init=arguments.learning_rate_init,
        alpha=arguments.alpha,
        batch_size=arguments.batch_size,
        n_iter_no_change=arguments.max_iter,  # the learning rate falls over the last third of the epochs
        early_stopping=0.01,
        random_state=arguments.random_state,
        verbose=True,
    )
    start = time.perf_counter()
    model.fit(X_train)
    minutes = (time.perf_counter() - start) / 60
    reconstructed = model.reconstruct(X_test)
    errors["skae"] = squared_error(X_test, reconstructed)
    errors["skae, clipped to [0, 1]"] = squared_error(X_test, np.clip(reconstructed, 0, 1))
    errors["skae, training pictures"] = squared_error(X_train, model.reconstruct(X_train))
    results = pd.DataFrame({"method": errors.keys(), "squared_error": errors.values()})
    save(results, arguments.out, "hinton2006")
    print(results.round(2).to_string(index=False), f"\n{minutes:.1f} minutes")


def squared_error(X: np.ndarray, reconstructed: np.ndarray) -> float:
    return float(np.square(X - reconstructed).sum(axis=1).mean())


if __name__ == "__main__":
    main()
