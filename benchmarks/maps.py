"""Two numbers per row, as a map: skae against PCA, KernelPCA, UMAP, PaCMAP and t-SNE, on new rows and back.

    OMP_NUM_THREADS=1 python benchmarks/maps.py --data DIR
    python benchmarks/maps.py --data DIR --sets mnist --max-rows 60000 --methods "skae, neighbors" PCA

Rows are digits (a quarter to test) and MNIST (the first 10,000 training rows, all 10,000 test rows; `--max-rows`),
pixels in [0, 1]. Of every method and seed:

- *neighbours*: accuracy on the codes of new rows of 10 nearest neighbours among the codes of training rows;
- *trustworthiness*, *continuity*: of the codes of (at most 2,000) new rows, 15 neighbours: neighbours on the map are
  neighbours in the rows, and the reverse (Venna & Kaski 2001);
- *r2*: R² of new rows that went through the map and back, where there is a way back;
- seconds to fit and to encode the new rows;
- *moved*: Procrustes disparity between the new rows' codes with this seed and with the first one.

Settings: skae, PCA and PaCMAP at their defaults; KernelPCA on 2,000 rows, its width and ridge chosen on held-out rows;
UMAP at its defaults (its `inverse_transform` takes about a second per row, and the first 200 new rows go through it);
t-SNE as in openTSNE, at its defaults: it can place new rows, scikit-learn's cannot.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
import warnings

import _data
import numpy as np
import pandas as pd
from _reducers import Kernel, Linear, Skae
from _results import save
from scipy.spatial import procrustes
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skae import AutoencoderTransformer

MAX_ROWS, N_JUDGED, N_NEIGHBOURS, N_BACK = 10_000, 2000, 15, 200


class Neighbors(Skae):
    """skae with ``code="neighbors"``."""

    def __init__(self, k: int, seed: int) -> None:
        self.model = AutoencoderTransformer(k, code="neighbors", random_state=seed)


class Umap:
    """umap-learn at its defaults."""

    n_back = N_BACK

    def __init__(self, k: int, seed: int) -> None:
        from umap import UMAP

        self.model = UMAP(n_components=k, random_state=seed)

    def fit(self, X):
        self.rows = X
        self.model.fit(X)
        return self

    def transform(self, X):
        return self.model.embedding_ if X is self.rows else self.model.transform(X)

    def reconstruct(self, X):
        return self.model.inverse_transform(self.model.transform(X))


class Pacmap:
    """PaCMAP at its defaults; it places new rows among the training rows, which it is given again."""

    def __init__(self, k: int, seed: int) -> None:
        from pacmap import PaCMAP

        self.model = PaCMAP(n_components=k, random_state=seed)

    def fit(self, X):
        self.rows, self.codes = X, self.model.fit_transform(X)
        return self

    def transform(self, X):
        return self.codes if X is self.rows else self.model.transform(X, basis=self.rows)


class Tsne:
    """openTSNE at its defaults."""

    def __init__(self, k: int, seed: int) -> None:
        from openTSNE import TSNE

        self.model = TSNE(n_components=k, random_state=seed)

    def fit(self, X):
        self.rows, self.codes = X, self.model.fit(X)
        return self

    def transform(self, X):
        return np.asarray(self.codes if X is self.rows else self.codes.transform(X))


def available() -> dict:
    """Name and class of every method that can be run here."""
    methods = {"skae, neighbors": Neighbors, "skae": Skae, "PCA": Linear, "KernelPCA": Kernel}
    for name, module, method in (("UMAP", "umap", Umap), ("PaCMAP", "pacmap", Pacmap), ("t-SNE", "openTSNE", Tsne)):
        if importlib.util.find_spec(module):
            methods[name] = method
        else:
            print(f"{module} is not installed: {name} is left out.")
    return methods


def sets(arguments) -> dict:
    """Training rows, new rows, and the labels of both."""
    X, y = load_digits(return_X_y=True)
    found = {"digits": train_test_split(X / 16, y, random_state=0, stratify=y)}
    mnist = _data.load_mnist(arguments.data)
    if mnist is not None:
        n = arguments.max_rows
        found["mnist"] = mnist[0][:n], mnist[2], mnist[1][:n], mnist[3]
    return {name: rows for name, rows in found.items() if name in arguments.sets}


def measure(method, X, X_new, y, y_new) -> tuple[dict, np.ndarray]:
    start = time.perf_counter()
    method.fit(X)
    fit_s = time.perf_counter() - start
    start = time.perf_counter()
    codes_new = method.transform(X_new)
    transform_s = time.perf_counter() - start
    judged, codes_judged = X_new[:N_JUDGED], codes_new[:N_JUDGED]
    result = {
        "neighbours": KNeighborsClassifier(10).fit(method.transform(X), y).score(codes_new, y_new),
        "trustworthiness": trustworthiness(judged, codes_judged, n_neighbors=N_NEIGHBOURS),
        "continuity": trustworthiness(codes_judged, judged, n_neighbors=N_NEIGHBOURS),
        "fit_s": fit_s,
        "transform_s": transform_s,
    }
    if hasattr(method, "reconstruct"):
        rows = X_new[: getattr(method, "n_back", None)]
        error = np.square(rows - method.reconstruct(rows)).sum()
        result["r2"] = 1 - error / np.square(rows - X.mean(axis=0)).sum()
    return result, codes_new


def run(arguments) -> pd.DataFrame:
    results, file = [], "maps" if arguments.max_rows == MAX_ROWS else f"maps_{arguments.max_rows}"
    for name, split in sets(arguments).items():
        for label, method in available().items():
            if arguments.methods and label not in arguments.methods:
                continue
            first = None
            for seed in range(arguments.seeds):
                result, codes = measure(method(2, seed), *split)
                first = codes if first is None else first
                cell = {"dataset": name, "n": len(split[0]), "method": label, "seed": seed}
                results.append(cell | result | {"moved": procrustes(first, codes)[2] if seed else np.nan})
                print(*(f"{v:.3f}" if isinstance(v, float) else v for v in results[-1].values()), flush=True)
                save(pd.DataFrame(results), arguments.out, file)
    return pd.DataFrame(results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _data.add_arguments(parser)
    parser.add_argument("--sets", nargs="+", default=["digits", "mnist"])
    parser.add_argument("--methods", nargs="+", help="names of methods; all without it")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-rows", type=int, default=MAX_ROWS, help="training rows of MNIST")
    warnings.simplefilter("ignore")
    results = run(parser.parse_args())
    print(results.groupby(["dataset", "method"], sort=False).mean(numeric_only=True).drop(columns="seed").round(3))


if __name__ == "__main__":
    main()
