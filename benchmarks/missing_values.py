"""Missing values: error of what is filled in, against scikit-learn's imputers.

    OMP_NUM_THREADS=1 python benchmarks/missing_values.py --data DIR

Up to nine sets (digits, breast_cancer and wine from scikit-learn; three of ADBench, at most 3,000 rows of each and 200
of each), features standardised. 10, 30 and 50 % of the entries are hidden at random; every method is fitted to the
incomplete rows and fills them. Printed are the root mean square error on the hidden entries, in standard deviations,
and the processor time of all fills. Writes `missing_values.csv`.

skae: `AutoencoderTransformer(n_components=None)` at its defaults; "untrained" is its Gaussian fill, ``max_iter=0``.
IterativeImputer: ridge regressions on all other features (`BayesianRidge`, the default), 20 rounds instead of 10; and
with trees, as missForest: `ExtraTreesRegressor(30)`, else at its defaults, 5 rounds. KNNImputer: the best of 3, 5, 10
and 20 neighbours *on the hidden entries themselves*, which flatters it; its time is that of all four.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from _data import adbench_files, add_arguments, load_adbench, subsample
from _results import save
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer

ADBENCH = ("cardio", "landsat", "magic.gamma")
SHARES = (0.1, 0.3, 0.5)
MAX_ROWS, FEW_ROWS = 3000, 200


def sets(folder):
    yield "digits", load_digits().data
    yield "breast_cancer", load_breast_cancer().data
    yield "wine", load_wine().data
    files = adbench_files(folder)
    for name in ADBENCH:
        if name in files:
            for max_rows in (MAX_ROWS, FEW_ROWS):
                X, _ = subsample(*load_adbench(files[name]), max_rows, seed=0)
                yield (name if max_rows == MAX_ROWS else f"{name}, {FEW_ROWS} rows"), X


def fillers():
    """Name and candidates (functions of incomplete rows) of every method; the best candidate counts."""

    def skae(**parameters):
        return lambda X: AutoencoderTransformer(None, random_state=0, **parameters).fit(X).reconstruct(X)

    trees = ExtraTreesRegressor(30, random_state=0)
    return {
        "skae": [skae()],
        "skae, untrained": [skae(max_iter=0)],
        "IterativeImputer": [IterativeImputer(max_iter=20, random_state=0).fit_transform],
        "IterativeImputer, trees": [IterativeImputer(trees, max_iter=5, random_state=0).fit_transform],
        "KNNImputer": [KNNImputer(n_neighbors=k).fit_transform for k in (3, 5, 10, 20)],
        "mean": [SimpleImputer().fit_transform],
    }


def run(folder) -> pd.DataFrame:
    rows = []
    for name, X in sets(folder):
        X = StandardScaler().fit_transform(X[:, X.std(axis=0) > 0])
        for share in SHARES:
            hidden = np.random.RandomState(1).uniform(size=X.shape) < share
            incomplete = np.where(hidden, np.nan, X)
            cell = {"dataset": name, "rows": len(X), "features": X.shape[1], "missing": share}
            for method, candidates in fillers().items():
                start = time.process_time()
                rmse = min(np.sqrt(np.mean((fill(incomplete) - X)[hidden] ** 2)) for fill in candidates)
                rows.append(cell | {"method": method, "rmse": rmse, "seconds": time.process_time() - start})
            print(name, share, flush=True)
    return pd.DataFrame(rows)


def report(results: pd.DataFrame) -> None:
    cells = results.pivot_table("rmse", ["dataset", "missing"], "method", sort=False)
    print(cells.round(3).to_string())
    print("\nmeans over cells\n" + cells.mean().round(3).to_string())
    print("\nseconds\n" + results.groupby("method", sort=False)["seconds"].sum().round(1).to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    results = run(arguments.data)
    save(results, arguments.out, "missing_values")
    report(results)


if __name__ == "__main__":
    main()
