"""How often `feature_contributions` name a broken feature first, beside linear regressions on the other features.

    OMP_NUM_THREADS=1 python benchmarks/contributions.py --data DIR

16 sets of ADBench and others with 3 to 36 features, normal rows only: 2,000 or half of them to train, 300 others to
break. In each row one feature is moved by 3 or 6 standard deviations, or replaced by its value in another row. The
regressions name the feature with the largest residual in deviations of the training residuals.
"""

from __future__ import annotations

import argparse

import _data
import numpy as np
import pandas as pd
from _results import save
from outliers import split
from sklearn.linear_model import Ridge

from skae import AutoencoderOutlierDetector

SETS = (
    *("cover", "landsat", "letter", "magic.gamma", "pendigits", "annthyroid", "satimage-2", "vowels", "Wilt", "cardio"),
    *("fault", "vehicle", "phoneme", "wine_red", "skin", "thyroid"),
)
N_TRAIN, N_BROKEN = 2000, 300


def squared_residuals(X_train, X) -> np.ndarray:
    found = np.empty(X.shape)
    for j in range(X.shape[1]):
        others = np.delete(np.arange(X.shape[1]), j)
        model = Ridge(1e-3).fit(X_train[:, others], X_train[:, j])
        deviation = np.std(X_train[:, j] - model.predict(X_train[:, others])) + 1e-6
        found[:, j] = ((X[:, j] - model.predict(X[:, others])) / deviation) ** 2
    return found


def broken(rows, X_train, broken_feature, how: str, rng) -> np.ndarray:
    rows, places = rows.copy(), np.arange(len(rows))
    if how == "another row's":
        rows[places, broken_feature] = X_train[rng.randint(len(X_train), size=len(rows)), broken_feature]
    else:
        rows[places, broken_feature] += float(how) * rng.choice([-1, 1], len(rows))
    return rows


def run(sets: dict) -> pd.DataFrame:
    rows = []
    for name in SETS:
        X_train, X_test, y_test = split(name, sets[name][1], "N", 0)
        X_train, rng = X_train[:N_TRAIN], np.random.RandomState(0)
        normal = X_test[y_test == 0]
        normal = normal[rng.choice(len(normal), min(N_BROKEN, len(normal)), replace=False)]
        detectors = {
            f"novelty={novelty}": AutoencoderOutlierDetector(novelty=novelty, random_state=0).fit(X_train)
            for novelty in (False, True)
        }
        for how in ("3", "6", "another row's"):
            feature = rng.randint(X_train.shape[1], size=len(normal))
            moved = broken(normal, X_train, feature, how, rng)
            named = {key: each.feature_contributions(moved).argmax(axis=1) for key, each in detectors.items()}
            named["regressions"] = squared_residuals(X_train, moved).argmax(axis=1)
            cell = {"dataset": name, "moved by": how}
            rows += [cell | {"method": key, "share": (found == feature).mean()} for key, found in named.items()]
        print(name, flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _data.add_arguments(parser)
    arguments = parser.parse_args()
    sets = _data.detection_sets(arguments.data)
    missing = sorted(set(SETS) - set(sets))
    if missing:
        parser.error(f"there is no {', '.join(missing)} in {arguments.data}")
    results = run(sets)
    save(results, arguments.out, "contributions")
    print(results.pivot_table("share", "moved by", "method", sort=False).round(3).to_string())


if __name__ == "__main__":
    main()
