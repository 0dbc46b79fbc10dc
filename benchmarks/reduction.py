"""Dimensionality reduction: skae at its defaults against PCA and other reducers.

    python benchmarks/reduction.py --data DIR

For every data set and code size: R² on test rows, accuracy of logistic regression and of 5 nearest neighbours on the
codes, seconds to fit and to transform. Writes `reduction.csv` after every cell and prints the tables.
"""

from __future__ import annotations

import argparse
import time
import warnings

import _data
import numpy as np
import pandas as pd
from _reducers import available
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

CODE_SIZES = (2, 8, 16, 32)
# The sets of the table of unexplained variance removed, at 8 components.
TEN_SETS = (
    "digits", "breast_cancer", "satimage-2", "SpamBase", "optdigits",
    "pendigits", "magic.gamma", "cardio", "letter", "landsat",
)  # fmt: skip


def timed(function, *arguments):
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


def measure(reducer, X_train, X_test, y_train, y_test) -> dict:
    _, fit_seconds = timed(reducer.fit, X_train)
    codes_test, transform_seconds = timed(reducer.transform, X_test)
    codes_train = reducer.transform(X_train)
    error = np.square(X_test - reducer.reconstruct(X_test)).sum()
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(codes_train, y_train)
    neighbours = KNeighborsClassifier(5).fit(codes_train, y_train)
    return {
        "r2": 1 - error / np.square(X_test - X_train.mean(axis=0)).sum(),
        "logistic": logistic.score(codes_test, y_test),
        "neighbours": neighbours.score(codes_test, y_test),
        "fit_s": fit_seconds,
        "transform_s": transform_seconds,
    }


def run(arguments) -> pd.DataFrame:
    reducers = available()
    if arguments.methods:  # the tables compare with skae and PCA
        reducers = {name: r for name, r in reducers.items() if name in {"skae", "PCA", *arguments.methods}}
    arguments.out.mkdir(parents=True, exist_ok=True)
    for reducer in reducers.values():  # the first call of each pays for imports
        reducer(1, 0).fit(np.random.RandomState(0).normal(size=(60, 4)))
    rows = []
    for name, load in _data.reduction_sets(arguments.data).items():
        if arguments.sets and name not in arguments.sets:
            continue
        X, y, is_picture = load()
        if name != "mnist":
            X, y = _data.subsample(X, y, arguments.max_rows, 0)
        for seed in range(arguments.seeds):
            split = _data.split_for_reduction(X, y, is_picture, seed)
            for k in (k for k in arguments.code_sizes if k < X.shape[1]):
                for method, reducer in reducers.items():
                    result = measure(reducer(k, seed), *split)
                    cell = {
                        "dataset": name,
                        "n": len(split[0]),
                        "d": X.shape[1],
                        "k": k,
                        "method": method,
                        "seed": seed,
                    }
                    rows.append(cell | result)
                    print(*(f"{v:.4f}" if isinstance(v, float) else v for v in rows[-1].values()), flush=True)
                pd.DataFrame(rows).to_csv(arguments.out / "reduction.csv", index=False)
    return pd.DataFrame(rows)


def report(results: pd.DataFrame) -> None:
    cells = results.groupby(["dataset", "k", "method"])[["r2", "logistic", "neighbours", "fit_s"]].mean().unstack()
    r2 = cells["r2"]
    gain = r2.sub(r2["PCA"], axis=0)
    share = gain.div(1 - r2["PCA"], axis=0)
    best = r2.drop(columns="skae").max(axis=1)
    at_eight = [(name, 8) for name in TEN_SETS if (name, 8) in share.index]
    table = pd.DataFrame(
        {
            "mean R²": r2.mean(),
            "worst R² - PCA's": gain.min(),
            "cells below PCA": (gain < -0.002).sum(),
            "share of PCA's error removed, k=8": share.loc[at_eight].mean(),
            "5-NN accuracy": cells["neighbours"].mean(),
            "logistic accuracy": cells["logistic"].mean(),
            "median fit s": cells["fit_s"].median(),
        }
    )
    print(table.round(4).to_string())
    print(f"\n{len(r2)} cells; share removed over {len(at_eight)} of the ten sets.")
    wins = r2["skae"] >= best - 1e-9
    print(f"skae has the best R² of all in {wins.sum()} cells ({wins.mean():.0%}); within 0.002 of the best in "
          f"{(r2['skae'] >= best - 0.002).mean():.0%}.")  # fmt: skip
    print("\n5-NN accuracy on the codes, skae - PCA:")
    neighbours = cells["neighbours"]
    print((neighbours["skae"] - neighbours["PCA"]).unstack("k").round(4).to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _data.add_arguments(parser)
    parser.add_argument("--max-rows", type=int, default=5000, help="larger ADBench sets are subsampled to this")
    parser.add_argument("--seeds", type=int, default=1, help="number of splits")
    parser.add_argument("--code-sizes", type=int, nargs="+", default=CODE_SIZES)
    parser.add_argument("--sets", nargs="+", help="names of data sets; all without it")
    parser.add_argument("--methods", nargs="+", help="names of reducers, besides skae and PCA; all without it")
    # Peers that stop at their limit, and logistic regression on raw codes, warn once a cell.
    warnings.simplefilter("ignore")
    report(run(parser.parse_args()))


if __name__ == "__main__":
    main()
