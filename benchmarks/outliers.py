"""Outlier detection: skae at its defaults against scikit-learn's detectors, simple distances and PyOD.

    OMP_NUM_THREADS=1 python benchmarks/outliers.py --data DIR --protocol N

Protocol N (novelty): training rows are normal; ``novelty=True``. Of sets with one table a random half of the normal
rows, to score the other half and all anomalies; OddBench brings training and test rows. Protocol U (unlabelled): fit on
70 % of all rows, score the others; of OddBench's anomalies as many are drawn as make 2, 5, 10 or 20 % of the normal
rows, a share drawn for each set. Features are standardised by the training rows; sets above 10,000 rows are subsampled
to that. The subsample has seed 0; a seed is that of the split and of the detector.

For every data set, seed and detector: ROC-AUC, average precision and CPU seconds, summed over threads, to fit and to
score. Writes `outliers_N.csv` or `outliers_U.csv` after every data set and prints the tables.

``--missing .2`` hides a fifth of the entries, at random, in training and test rows, and writes
`outliers_N_missing_0.2.csv`. Detectors that take no missing values are then behind scikit-learn's `IterativeImputer` at
its defaults, skae both as it is and behind it; sets with more than 60 features are left out, where imputing is slow.
"""

from __future__ import annotations

import argparse
import time
import warnings
import zlib

import _data
import numpy as np
import pandas as pd
from _detectors import available
from _results import paired_p, save
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

MAX_ROWS = 10_000
MAX_IMPUTED_FEATURES = 60
# Anomalies per normal row of OddBench's sets in protocol U.
SHARES = (0.02, 0.05, 0.1, 0.2)


def split(name: str, path, protocol: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standardised training and test rows, and which test rows are anomalies."""
    tables = _data.load_detection(path)
    if len(tables) == 3 and protocol == "N":
        X_train, X_test, y_test = tables
    else:
        if len(tables) == 3:
            X, y = np.concatenate(tables[:2]), np.append(np.zeros(len(tables[0]), dtype=int), tables[2])
            X, y = _drawn_down(X, y, np.random.RandomState(zlib.crc32(name.encode()) + seed))
        else:
            X, y = tables
        X, y = _data.subsample(X, y, MAX_ROWS, 0)
        if protocol == "N":
            normal = np.random.RandomState(seed).permutation(np.flatnonzero(y == 0))
            train, others = np.split(normal, [len(normal) // 2])
            test = np.concatenate([others, np.flatnonzero(y == 1)])
        else:
            train, test = train_test_split(np.arange(len(y)), test_size=0.3, random_state=seed, stratify=y)
        X_train, X_test, y_test = X[train], X[test], y[test]
    scaler = StandardScaler().fit(X_train)  # divides constant features by 1
    return scaler.transform(X_train), scaler.transform(X_test), y_test


def _drawn_down(X, y, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """All normal rows and some of the anomalies, at least ten if there are."""
    normal, anomalies = np.flatnonzero(y == 0), np.flatnonzero(y == 1)
    n_anomalies = min(len(anomalies), max(10, round(rng.choice(SHARES) * len(normal))))
    chosen = np.concatenate([normal, rng.choice(anomalies, n_anomalies, replace=False)])
    return X[chosen], y[chosen]


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


def hidden(X, share: float, rng: np.random.RandomState):
    """Without a share of the entries."""
    return np.where(rng.uniform(size=X.shape) < share, np.nan, X)


def run(protocol: str, sets: dict, detectors: dict, seeds: int, out, missing: float = 0.0) -> pd.DataFrame:
    X = np.random.RandomState(0).normal(size=(60, 4))
    for make in detectors.values():  # the first call of each pays for imports
        make(0).fit(X).score(X)
    rows, file = [], f"outliers_{protocol}_missing_{missing:g}" if missing else f"outliers_{protocol}"
    for name, (group, path) in sets.items():
        for seed in range(seeds):
            X_train, X_test, y_test = split(name, path, protocol, seed)
            if missing and X_train.shape[1] > MAX_IMPUTED_FEATURES:
                continue
            if missing:
                rng = np.random.RandomState(seed)
                X_train, X_test = hidden(X_train, missing, rng), hidden(X_test, missing, rng)
            cell = {"protocol": protocol, "group": group, "dataset": name}
            cell |= {"n_train": len(X_train), "d": X_train.shape[1], "seed": seed}
            for method, make in detectors.items():
                rows.append(cell | {"method": method} | measure(make(seed), X_train, X_test, y_test))
                print(*(f"{v:.4f}" if isinstance(v, float) else v for v in rows[-1].values()), flush=True)
        save(pd.DataFrame(rows), out, file)
    return pd.DataFrame(rows)


def report(results: pd.DataFrame) -> None:
    """Means of each group, and tests over the sets of all groups."""
    values = ["roc_auc", "average_precision", "fit_cpu_s", "score_cpu_s"]
    cells = results.groupby(["group", "dataset", "method"], sort=False)[values].mean().unstack()
    methods = list(results["method"].unique())
    auc, precision = cells["roc_auc"][methods], cells["average_precision"][methods]
    means = {
        f"{group} ({len(own)}) {measure}": own.mean()
        for measure, table in (("AUC", auc), ("AP", precision))
        for group, own in table.groupby("group", sort=False)
    }
    means = dict(sorted(means.items(), key=lambda item: item[0].rsplit(" ", 1)[0]))
    table = pd.DataFrame(means | {"mean rank": auc.round(9).rank(axis=1, ascending=False).mean()}).loc[methods]
    if methods[0].startswith("skae"):
        table["p AUC"] = [paired_p(auc[methods[0]], auc[method]) for method in methods]
        table["p AP"] = [paired_p(precision[methods[0]], precision[method]) for method in methods]
    table["fit CPU s"], table["score CPU s"] = cells["fit_cpu_s"].sum(), cells["score_cpu_s"].sum()
    protocol, seeds = results["protocol"].iloc[0], results["seed"].nunique()
    print("\nROC-AUC of every set:")
    print(auc.round(4).to_string())
    print(
        f"\nProtocol {protocol}, {len(auc)} sets, mean over {seeds} seed(s); p: two-sided Wilcoxon tests over all sets"
    )
    print("of the first row against each; CPU seconds over all sets, per seed:")
    with pd.option_context("display.width", 250, "display.float_format", "{:.3g}".format):
        print(table.to_string())


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
    parser.add_argument("--seeds", type=int, default=1, help="number of splits")
    parser.add_argument("--sets", nargs="+", help="names of data sets; all without it")
    parser.add_argument("--methods", nargs="+", help="names of detectors; all without it")
    parser.add_argument("--missing", type=float, default=0.0, help="share of the entries to hide, in training and test")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # peers warn about ties and small sets, once a cell
    sets = chosen(parser, _data.detection_sets(arguments.data), arguments.sets)
    detectors = chosen(parser, available(arguments.protocol == "N", arguments.missing > 0), arguments.methods)
    report(run(arguments.protocol, sets, detectors, arguments.seeds, arguments.out, arguments.missing))


if __name__ == "__main__":
    main()
