"""Ordered codes: every prefix of one code against a model of that length and against PCA.

    OMP_NUM_THREADS=1 python benchmarks/ordered_codes.py --data DIR

For digits, breast_cancer, MNIST (10,000 rows) and five ADBench sets: test R² of the first j of 8 components of
`AutoencoderTransformer(8, code="ordered")`, of `AutoencoderTransformer(j)` and of `PCA(j)`, all at their defaults; and
the size that ``n_components=0.9, code="ordered"`` chooses beside PCA's.
"""

from __future__ import annotations

import argparse

import pandas as pd
from _data import add_arguments, reduction_sets, split_for_reduction, subsample
from _results import explained, save
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer

SETS = ("digits", "breast_cancer", "mnist", "landsat", "SpamBase", "satellite", "cardio", "musk")
N_COMPONENTS = 8
MAX_ROWS = 5000
SHARE = 0.9


def prefixes(X_train, X_test, n_components: int) -> list[dict]:
    """R² of the first components of one code, of models made for that many, and of PCA."""
    ordered = AutoencoderTransformer(n_components, code="ordered", random_state=0).fit(X_train)
    codes, rows = ordered.transform(X_test), []
    for count in range(1, n_components + 1):
        pca = PCA(count, random_state=0).fit(X_train)
        found = {
            "prefix": explained(X_test, ordered.inverse_transform(codes[:, :count]), ordered.mean_),
            "own model": AutoencoderTransformer(count, random_state=0).fit(X_train).score(X_test),
            "PCA": explained(X_test, pca.inverse_transform(pca.transform(X_test)), pca.mean_),
        }
        rows += [{"method": method, "components": count, "r2": r2} for method, r2 in found.items()]
    return rows


def chosen(X_train, X_test) -> list[dict]:
    """The number of components that explains a share, and what it explains of test rows."""
    ordered = AutoencoderTransformer(SHARE, code="ordered", random_state=0).fit(X_train)
    pca = PCA(SHARE).fit(X_train)
    r2 = explained(X_test, pca.inverse_transform(pca.transform(X_test)), pca.mean_)
    return [
        {"method": f"ordered, {SHARE}", "components": ordered.n_components_, "r2": ordered.score(X_test)},
        {"method": f"PCA, {SHARE}", "components": pca.n_components_, "r2": r2},
    ]


def run(folder) -> pd.DataFrame:
    loaders, rows = reduction_sets(folder), []
    for name in (name for name in SETS if name in loaders):
        X, y, is_picture = loaders[name]()
        X, y = (X, y) if name == "mnist" else subsample(X, y, MAX_ROWS, seed=0)
        X_train, X_test, *_ = split_for_reduction(X, y, is_picture, seed=0)
        found = prefixes(X_train, X_test, min(N_COMPONENTS, X.shape[1] - 1)) + chosen(X_train, X_test)
        rows += [{"dataset": name} | row for row in found]
        print(name, flush=True)
    return pd.DataFrame(rows)


def report(results: pd.DataFrame) -> None:
    for name, own in results.groupby("dataset", sort=False):
        print(f"\n{name}\n{own.pivot_table('r2', 'components', 'method', sort=False).round(3).to_string()}")
    cells = results.pivot_table("r2", ["dataset", "components"], "method")[["prefix", "own model", "PCA"]].dropna()
    gap = cells["own model"] - cells["prefix"]
    print(f"\nprefix above PCA in {(cells['prefix'] > cells['PCA']).sum()} of {len(cells)} cells")
    print(f"prefix within .02 of the model of that length in {(gap <= 0.02).sum()} of {len(cells)} cells")
    print("mean gap by number of components\n" + gap.groupby("components").mean().round(3).to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    arguments = parser.parse_args()
    results = run(arguments.data)
    save(results, arguments.out, "ordered_codes")
    report(results)


if __name__ == "__main__":
    main()
