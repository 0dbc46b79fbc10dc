"""Ordered codes: every prefix of one code against a model of that length and against PCA.

    OMP_NUM_THREADS=1 python benchmarks/ordered_codes.py --data DIR

For digits, breast_cancer, MNIST (10,000 rows) and five ADBench sets: test R² of the first j of 8 components of
`AutoencoderTransformer(8, code="ordered")`, of `AutoencoderTransformer(j)` and of `PCA(j)`, all at their defaults; and
the size that ``n_components=0.9, code="ordered"`` chooses beside PCA's.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from _data import add_arguments, reduction_sets, split_for_reduction, subsample
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer

SETS = ("digits", "breast_cancer", "mnist", "landsat", "SpamBase", "satellite", "cardio", "musk")
N_COMPONENTS = 8
MAX_ROWS = 5000


def explained(X, mean, reconstruction) -> float:
    return 1.0 - np.square(X - reconstruction).sum() / np.square(X - mean).sum()


def prefixes(X_train, X_test, n_components: int) -> pd.DataFrame:
    ordered = AutoencoderTransformer(n_components, code="ordered", random_state=0).fit(X_train)
    codes = ordered.transform(X_test)
    rows = []
    for count in range(1, n_components + 1):
        own = AutoencoderTransformer(count, random_state=0).fit(X_train)
        pca = PCA(count, random_state=0).fit(X_train)
        rows.append(
            {
                "components": count,
                "prefix": explained(X_test, ordered.mean_, ordered.inverse_transform(codes[:, :count])),
                "own model": own.score(X_test),
                "PCA": explained(X_test, pca.mean_, pca.inverse_transform(pca.transform(X_test))),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    arguments = parser.parse_args()
    loaders, tables = reduction_sets(arguments.data), []
    for name in (name for name in SETS if name in loaders):
        X, y, is_picture = loaders[name]()
        X, y = (X, y) if name == "mnist" else subsample(X, y, MAX_ROWS, seed=0)
        X_train, X_test, *_ = split_for_reduction(X, y, is_picture, seed=0)
        table = prefixes(X_train, X_test, min(N_COMPONENTS, X.shape[1] - 1))
        chosen = AutoencoderTransformer(0.9, code="ordered", random_state=0).fit(X_train)
        print(f"\n{name}: {len(X_train)} rows of {X.shape[1]} features")
        print(table.round(3).to_string(index=False))
        print(
            f"n_components=0.9: {chosen.n_components_} (test R² {chosen.score(X_test):.3f}), "
            f"PCA {PCA(0.9).fit(X_train).n_components_}",
            flush=True,
        )
        tables.append(table)
    table = pd.concat(tables)
    gap = table["own model"] - table["prefix"]
    print(f"\nprefix above PCA in {int((table['prefix'] > table['PCA']).sum())} of {len(table)} cells")
    print(f"prefix within .02 of the model of that length in {int((gap <= 0.02).sum())} of {len(table)} cells")
    print("mean gap by number of components\n" + gap.groupby(table["components"]).mean().round(3).to_string())


if __name__ == "__main__":
    main()
