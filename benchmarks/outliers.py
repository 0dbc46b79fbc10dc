"""Outlier detection: skae at its defaults against scikit-learn's detectors, simple distances and PyOD.

    OMP_NUM_THREADS=1 python benchmarks/outliers.py --data DIR --protocol N

Protocol N (novelty): fit on a random half of the normal rows, score the other half and all anomalies. Protocol U
(unlabelled): fit on 70 % of all rows, score the others. Features are standardised by the training rows; sets above
10,000 rows are subsampled to that. The subsample has seed 0; a seed is that of the split and of the detector.

For every data set, seed and detector: ROC-AUC, average precision and CPU seconds, summed over threads, to fit and to
score. Writes `outliers_N.csv` or `outliers_U.csv` after every data set and prints the tables.
"""

from __future__ import annotations

import argparse
import time
import warnings

import _data
import numpy as np
import pandas as pd
from _detectors import available
from scipy.stats import wilcoxon
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

MAX_ROWS = 10_000


def split(X, y, protocol: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standardised training and test rows, and which test rows are anomalies."""
    X, y = _data.subsample(X, y, MAX_ROWS, 0)
    if protocol == "N":
        normal = np.random.RandomState(seed).permutation(np.flatnonzero(y == 0))
        train, others = np.split(normal, [len(normal) // 2])
        test = np.concatenate([others, np.flatnonzero(y == 1)])
    else:
        train, test = train_test_split(np.arange(len(y)), test_size=0.3, random_state=seed, stratify=y)
    scaler = StandardScaler().fit(X[train])  # divides constant features by 1
    return scaler.transform(X[train]), scaler.transform(X[test]), y[test]


def cpu_timed(function, *arguments):
    start = time.process_time()
    result = function(*arguments)
    return result, time.process_time() - start


def measure(detector, X_train, X_test, y_test) -> dict:
    _, fit_seconds = cpu_timed(detector.fit, X_train)
    scores, score_seconds = cpu_timed(detector.score, X_test)
    return {
        "roc_auc": roc_auc_score(y_test, scores),
        "average_precision": average_precision_score(y_test, scores),
        "fit_cpu_s": fit_seconds,
        "score_cpu_s": score_seconds,
    }


def run(protocol: str, sets: dict, detectors: dict, seeds: int, out) -> pd.DataFrame:
    out.mkdir(parents=True, exist_ok=True)
    X = np.random.RandomState(0).normal(size=(60, 4))
    for make in detectors.values():  # the first call of each pays for imports
        make(0).fit(X).score(X)
    rows = []
    for name, path in sets.items():
        X, y = _data.load_adbench(path)
        for seed in range(seeds):
            X_train, X_test, y_test = split(X, y, protocol, seed)
            cell = {
                "protocol": protocol,
                "dataset": name,
                "n_train": len(X_train),
                "d": X.shape[1],
                "seed": seed,
            }
            for method, make in detectors.items():
                rows.append(cell | {"method": method} | measure(make(seed), X_train, X_test, y_test))
                print(*(f"{v:.4f}" if isinstance(v, float) else v for v in rows[-1].values()), flush=True)
        pd.DataFrame(rows).to_csv(out / f"outliers_{protocol}.csv", index=False)
    return pd.DataFrame(rows)


def paired_p(a: pd.Series, b: pd.Series) -> float:
    """Two-sided p of Wilcoxon's signed-rank test; not a number where nothing differs."""
    differences = (a - b).round(9)  # equal means may differ in their last bits
    return wilcoxon(differences).pvalue if differences.any() else np.nan


def report(results: pd.DataFrame) -> None:
    values = ["roc_auc", "average_precision", "fit_cpu_s", "score_cpu_s"]
    cells = results.groupby(["dataset", "method"], sort=False)[values].mean().unstack()
    methods = list(results["method"].unique())
    auc = cells["roc_auc"][methods]
    table = pd.DataFrame(
        {
            "mean AUC": auc.mean(),
            "median AUC": auc.median(),
            "mean AP": cells["average_precision"].mean(),
            "mean rank": auc.round(9).rank(axis=1, ascending=False).mean(),
            "fit CPU s": cells["fit_cpu_s"].sum(),
            "score CPU s": cells["score_cpu_s"].sum(),
        }
    ).loc[methods]
    if "skae" in methods:
        table["p against skae"] = [paired_p(auc["skae"], auc[method]) for method in methods]
    protocol, seeds = results["protocol"].iloc[0], results["seed"].nunique()
    print("\nROC-AUC of every set:")
    print(auc.round(4).to_string())
    print(f"\nProtocol {protocol}, {len(auc)} sets, mean over {seeds} seed(s); CPU seconds over all sets, per seed; "
          "p: two-sided Wilcoxon test of the sets' AUC:")  # fmt: skip
    print(table.round(4).to_string())


def chosen(parser: argparse.ArgumentParser, items: dict, names: list[str] | None) -> dict:
    """The items named, in their own order; all without names."""
    unknown = sorted(set(names or ()) - set(items))
    if not items:
        parser.error("there are no data sets")
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there is: {', '.join(items)}")
    return {name: item for name, item in items.items() if not names or name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _data.add_arguments(parser)
    parser.add_argument("--protocol", choices=("N", "U"), required=True)
    parser.add_argument("--seeds", type=int, default=3, help="number of splits")
    parser.add_argument("--sets", nargs="+", help="names of data sets; all without it")
    parser.add_argument("--methods", nargs="+", help="names of detectors; all without it")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # peers warn about ties and small sets, once a cell
    sets = chosen(parser, _data.adbench_files(arguments.data), arguments.sets)
    detectors = chosen(parser, available(), arguments.methods)
    report(run(arguments.protocol, sets, detectors, arguments.seeds, arguments.out))


if __name__ == "__main__":
    main()
