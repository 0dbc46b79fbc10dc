"""Lists of alarms: the share of false alarms that `select` allows against the share observed, and what it finds.

    OMP_NUM_THREADS=1 python benchmarks/alarm_lists.py
    OMP_NUM_THREADS=1 python benchmarks/alarm_lists.py --parts real --data DIR
    OMP_NUM_THREADS=1 python benchmarks/alarm_lists.py --parts drift --repeats 3 --novelty

`made`: five distributions. Every repetition draws new training rows, all normal, and a batch of new rows of which a
tenth are outliers: three times as far from the median. For each fdr the mean share of normal rows in the list (zero for
an empty list) ± its standard error, the mean share of the outliers that are in it, and the share of lists that are
empty. "recalibrated" is the same detector after `recalibrate` by as many other normal rows.

`real`: the data sets of `outliers.py` in its protocol N, with all test rows as one batch. For each set: rows that
calibrate, rows of the batch, anomalies, how many rows have the lowest p-value that is possible, whether the list at
each fdr is empty, and how many rows would have to calibrate for those with the lowest p-value to be a list.

`drift`: new normal rows are no longer like the training rows. The share of them with ``p_values <= .05``, and of rows
of which half the features have the values of other such rows, by the detector as fitted, after `recalibrate` by 300
rows, with the surprisals of training kept and only its final scores compared with those of the 300, and by a detector
fitted anew to as many recent rows as there were training rows.

Peers: `ConformalDetector.select` (method "bh") of the package nonconform, calibrated by cross-validation in five folds
(`CrossValidation(k=5)`, mode "plus"), so that all training rows calibrate as ours do, around scikit-learn's
IsolationForest and PyOD's KNN at their defaults. nonconform needs Python 3.12; it is left out where it is missing.
"""

from __future__ import annotations

import argparse
import logging
import math
import warnings
from copy import deepcopy
from dataclasses import replace

import _data
import numpy as np
import pandas as pd
from _results import save
from false_alarms import DISTRIBUTIONS, TIMES_AS_FAR, clustered, wide
from outliers import split
from sklearn.base import clone
from sklearn.ensemble import IsolationForest

from skae import AutoencoderOutlierDetector

LEVELS = (0.05, 0.1, 0.2)
SHARE_OF_OUTLIERS = 0.1
# Rows that recalibrate, and how rows with the given deviations of their features drift; that of the first feature alone
# where it says "one".
N_RECENT, DRIFT_LEVEL = 300, 0.05
DRIFTS = {
    "none": lambda X, deviation, rng: X,
    "noise in all": lambda X, deviation, rng: X + 0.3 * deviation * rng.normal(size=X.shape),
    "noise in one": lambda X, deviation, rng: X + 0.5 * first(deviation) * rng.normal(size=X.shape),
    "gain of one": lambda X, deviation, rng: X * (1 + 0.3 * (first(deviation) > 0)),
    "offset of one": lambda X, deviation, rng: X + 0.5 * first(deviation),
    "all wider": lambda X, deviation, rng: 1.3 * X,
    "sign of one": lambda X, deviation, rng: X * (1 - 2 * (first(deviation) > 0)),
}


def first(deviation: np.ndarray) -> np.ndarray:
    return deviation * (np.arange(len(deviation)) == 0)


def peers() -> dict:
    """Name of every peer that can be run here, and a function of the seed that makes it."""
    try:
        from nonconform import ConformalDetector, CrossValidation
        from pyod.models.knn import KNN
    except (ImportError, SyntaxError) as error:
        print(f"nonconform and PyOD are needed for the peers, which are left out: {error!r}")
        return {}
    logging.getLogger("nonconform").setLevel(logging.ERROR)

    def conformal(make):
        return lambda seed: ConformalDetector(make(seed), CrossValidation(k=5), seed=seed)

    return {
        "nonconform IsolationForest": conformal(lambda seed: IsolationForest(random_state=seed)),
        "nonconform kNN": conformal(lambda seed: KNN()),
    }


def lists(detector, X) -> dict[float, np.ndarray]:
    """The list at each level, by either package."""
    if isinstance(detector, AutoencoderOutlierDetector):
        return {fdr: detector.select(X, fdr) for fdr in LEVELS}
    return {fdr: np.asarray(detector.select(X, alpha=fdr)) for fdr in LEVELS}


def judged(selected: dict[float, np.ndarray], is_outlier: np.ndarray) -> list[dict]:
    return [
        {
            "fdr": fdr,
            "listed": mask.sum(),
            "false": (mask & ~is_outlier).sum() / max(1, mask.sum()),
            "found": mask[is_outlier].mean(),
            "empty": float(not mask.any()),
        }
        for fdr, mask in selected.items()
    ]


def made_batch(draw, n_rows: int, rng) -> tuple[np.ndarray, np.ndarray]:
    n_outliers = round(SHARE_OF_OUTLIERS * n_rows)
    centre = np.median(draw(1000, rng), axis=0)
    outliers = centre + TIMES_AS_FAR * (draw(n_outliers, rng) - centre)
    return np.vstack([draw(n_rows - n_outliers, rng), outliers]), np.arange(n_rows) >= n_rows - n_outliers


def made(arguments) -> pd.DataFrame:
    makers, n_rows, rows = peers(), arguments.rows, []
    for draw in [draw for draw in DISTRIBUTIONS if draw.__name__ in arguments.kinds]:
        for seed in range(arguments.repeats):
            rng = np.random.RandomState(seed)
            X, recent = draw(n_rows, rng), draw(n_rows, rng)
            batch, is_outlier = made_batch(draw, arguments.batch, rng)
            ours = AutoencoderOutlierDetector(novelty=arguments.novelty, random_state=seed).fit(X)
            found = {"skae": lists(ours, batch), "skae recalibrated": lists(ours.recalibrate(recent), batch)}
            found |= {name: lists(make(seed).fit(X), batch) for name, make in makers.items()}
            cell = {"kind": draw.__name__, "seed": seed}
            rows += [cell | {"method": name} | row for name, own in found.items() for row in judged(own, is_outlier)]
        print(draw.__name__, flush=True)
    return pd.DataFrame(rows)


def report_made(results: pd.DataFrame) -> None:
    """Means of each method, and the standard error of the false share."""
    cells = results.groupby(["kind", "fdr", "method"], sort=False)
    table = cells[["false", "found", "empty"]].mean().assign(error=cells["false"].sem())
    print(table.unstack("fdr").round(3).to_string())


def real(arguments) -> pd.DataFrame:
    makers, rows = peers(), []
    for name, (group, path) in _data.detection_sets(arguments.data).items():
        if group not in arguments.groups:
            continue
        X_train, batch, y = split(name, path, "N", 0)
        is_outlier = np.asarray(y) == 1
        ours = AutoencoderOutlierDetector(novelty=True, random_state=0).fit(X_train)
        lowest = ours._calibration.lowest_p_value
        n_lowest = int((ours.p_values(batch) <= lowest).sum())
        cell = {"group": group, "dataset": name, "batch": len(batch), "anomalies": int(is_outlier.sum())}
        for row in judged(lists(ours, batch), is_outlier):
            needed = math.ceil(len(batch) / (row["fdr"] * n_lowest)) - 1 if n_lowest else None
            ranks = {"calibrate": round(1 / lowest - 1), "at the lowest": n_lowest, "needed": needed}
            rows.append(cell | {"method": "skae"} | row | ranks)
        for method, make in makers.items():
            own = lists(make(0).fit(X_train), batch)
            rows += [cell | {"method": method} | row for row in judged(own, is_outlier)]
        print(name, flush=True)
    return pd.DataFrame(rows)


def report_real(results: pd.DataFrame) -> None:
    print(results[results["method"] == "skae"].drop(columns=["group", "method"]).round(3).to_string(index=False))
    print(f"\nMeans over {results['dataset'].nunique()} sets")
    means = results.groupby(["method", "fdr"], sort=False)[["false", "found", "empty"]].mean()
    print(means.unstack("fdr").round(3).to_string())


def machine(n, rng):
    """The sensors of the example `plot_false_alarm_rate.py`."""
    mode = rng.uniform(size=n) < 0.3
    load, speed = rng.uniform(-1.5, 1.5, n), rng.normal(size=n)
    sensors = [load, speed, load**2, np.sin(2 * load) + mode, load * speed, np.exp(speed / 2) - 2 * mode]
    return np.column_stack(sensors) + 0.1 * rng.normal(size=(n, 6))


def broken(X: np.ndarray, rng) -> np.ndarray:
    """Rows of which half the features have the values of other rows."""
    order = rng.uniform(size=X.shape).argsort(axis=1)
    return np.where(order < X.shape[1] // 2, rng.permutation(X), X)


def recalibrated_by_scores(detector, recent):
    result = deepcopy(detector)
    scores = detector.score_samples(recent)
    result._calibration = replace(detector._calibration, scores=scores, weight=np.ones(len(recent)))
    return result


def drift(arguments) -> pd.DataFrame:
    rows = []
    for draw in (machine, clustered, wide):
        for seed in range(arguments.repeats):
            rng = np.random.RandomState(seed)
            X = draw(arguments.rows, rng)
            fitted = AutoencoderOutlierDetector(novelty=arguments.novelty, random_state=seed).fit(X)
            deviation = X.std(axis=0)
            for name, drifted in DRIFTS.items():
                recent, again, new = (drifted(draw(n, rng), deviation, rng) for n in (N_RECENT, len(X), 1000))
                variants = {
                    "as fitted": fitted,
                    "recalibrated": deepcopy(fitted).recalibrate(recent),
                    "by scores alone": recalibrated_by_scores(fitted, recent),
                    "fitted again": clone(fitted).fit(again),
                }
                tests = {"false": new, "found": broken(new, rng)}
                for variant, detector in variants.items():
                    shares = {test: (detector.p_values(T) <= DRIFT_LEVEL).mean() for test, T in tests.items()}
                    rows.append({"kind": draw.__name__, "seed": seed, "drift": name, "variant": variant} | shares)
    return pd.DataFrame(rows)


def report_drift(results: pd.DataFrame) -> None:
    for keys in (["kind", "drift"], ["drift"]):
        means = results.groupby([*keys, "variant"], sort=False)[["false", "found"]].mean().unstack()
        print(means.round(3).to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=("made", "real", "drift"), default=["made"])
    _data.add_arguments(parser)
    parser.add_argument("--groups", nargs="+", default=["adbench", "more", "oddbench"], help="groups of real sets")
    parser.add_argument("--novelty", action="store_true", help="novelty=True; always so with real sets")
    kinds = [draw.__name__ for draw in DISTRIBUTIONS]
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=kinds, help="kinds of made sets")
    parser.add_argument("--rows", type=int, default=500, help="training rows of made sets")
    parser.add_argument("--batch", type=int, default=200, help="rows of their batches")
    parser.add_argument("--repeats", type=int, default=100)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # empty lists
    for part in arguments.parts:
        results = globals()[part](arguments)
        save(results, arguments.out, f"alarm_lists_{part}")
        globals()[f"report_{part}"](results)


if __name__ == "__main__":
    main()
