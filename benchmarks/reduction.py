"""Dimensionality reduction: skae at its defaults against PCA and other reducers.

    python benchmarks/reduction.py --data DIR
    python benchmarks/reduction.py --heavy-tails --methods PCA --seeds 5
    python benchmarks/reduction.py --bfloat16 --sets digits breast_cancer cardio --code-sizes 8 --seeds 3 --data DIR

For every data set and code size: R² on test rows, accuracy of logistic regression and of 5 nearest neighbours on the
codes, seconds to fit and to transform. Writes a CSV after every cell, `reduction.csv`
or `reduction_5_splits.csv` for instance, and prints the tables.
"""

from __future__ import annotations

import argparse
import time
import warnings

import _data
import numpy as np
import pandas as pd
from _reducers import SkaeBfloat16, available
from _results import explained, save
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
    r2 = explained(X_test, reducer.reconstruct(X_test), X_train.mean(axis=0))
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(codes_train, y_train)
    neighbours = KNeighborsClassifier(5).fit(codes_train, y_train)
    return {
        "r2": r2,
        "logistic": logistic.score(codes_test, y_test),
        "neighbours": neighbours.score(codes_test, y_test),
        "fit_s": fit_seconds,
        "transform_s": transform_seconds,
    }


def file_name(arguments) -> str:
    """The name of the CSV; runs for different tables do not overwrite each other."""
    name = "heavy_tails" if arguments.heavy_tails else "bfloat16" if arguments.bfloat16 else "reduction"
    return name if arguments.seeds == 1 else f"{name}_{arguments.seeds}_splits"


def run(arguments) -> pd.DataFrame:
    reducers, methods = available(), arguments.methods
    if arguments.bfloat16:
        reducers["skae, bfloat16"], methods = SkaeBfloat16, ["skae, bfloat16"]
    if methods:  # the tables compare with skae and PCA
        reducers = {name: r for name, r in reducers.items() if name in {"skae", "PCA", *methods}}
    for reducer in reducers.values():  # the first call of each pays for imports
        reducer(1, 0).fit(np.random.RandomState(0).normal(size=(60, 4)))
    rows = []
    sets = _data.heavy_tailed_sets if arguments.heavy_tails else lambda _: _data.reduction_sets(arguments.data)
    for name in arguments.sets or sets(0):
        for seed in range(arguments.seeds):
            X, y, is_picture = sets(seed)[name]()
            if name != "mnist":
                X, y = _data.subsample(X, y, arguments.max_rows, 0)
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
                save(pd.DataFrame(rows), arguments.out, file_name(arguments))
    return pd.DataFrame(rows)


def report(results: pd.DataFrame) -> None:
    measures = ["r2", "logistic", "neighbours", "fit_s"]
    runs = results.groupby(["dataset", "k", "seed", "method"])[measures].mean().unstack()
    cells = runs.groupby(["dataset", "k"]).mean()
    r2, r2_of_runs = cells["r2"], runs["r2"]
    gain_of_runs = r2_of_runs.sub(r2_of_runs["PCA"], axis=0)
    spread = gain_of_runs.div(1 - r2_of_runs["PCA"], axis=0).groupby(["dataset", "k"]).std()
    gain = r2.sub(r2["PCA"], axis=0)
    share = gain.div(1 - r2["PCA"], axis=0)
    best = r2.drop(columns="skae").max(axis=1)
    at_eight = [(name, 8) for name in TEN_SETS if (name, 8) in share.index]
    table = pd.DataFrame(
        {
            "mean R²": r2.mean(),
            "worst R² - PCA's": gain.min(),
            "of a run": gain_of_runs.min(),
            "cells below PCA": (gain < -0.002).sum(),
            "runs below PCA - .01": (gain_of_runs < -0.01).sum(),
            "PCA's error removed, k=2": share[share.index.get_level_values("k") == 2].mean(),
            "k=8, ten sets": share.loc[at_eight].mean(),
            "spread over splits": spread.mean(),
            "5-NN accuracy": cells["neighbours"].mean(),
            "logistic accuracy": cells["logistic"].mean(),
            "median fit s": cells["fit_s"].median(),
        }
    )
    print(table.round(4).to_string())
    print(f"\n{len(r2)} cells, {len(r2_of_runs)} runs; {len(at_eight)} of the ten sets. The spread is the mean "
          "over cells of the standard deviation over splits of the share removed.")  # fmt: skip
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
    parser.add_argument("--heavy-tails", action="store_true", help="made sets with heavy tails instead")
    parser.add_argument("--bfloat16", action="store_true", help="skae in both precisions, and PCA")
    parser.add_argument("--sets", nargs="+", help="names of data sets; all without it")
    parser.add_argument("--methods", nargs="+", help="names of reducers, besides skae and PCA; all without it")
    # Peers that stop at their limit, and logistic regression on raw codes, warn once a cell.
    warnings.simplefilter("ignore")
    report(run(parser.parse_args()))


if __name__ == "__main__":
    main()
