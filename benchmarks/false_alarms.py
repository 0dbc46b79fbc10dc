"""False alarms: the share of new normal rows that a detector at its defaults flags, against the share promised.

    OMP_NUM_THREADS=1 python benchmarks/false_alarms.py
    OMP_NUM_THREADS=1 python benchmarks/false_alarms.py --novelty

`table`: five distributions without outliers. For each number of training rows and each level a: the share of 1,000 new
rows with `p_values <= a`, and the share that `predict` flags at ``contamination=a``; means over training sets ± their
standard errors, and the lowest and highest of the five means.
`sweep`: the same at a = 0.05 for few Gaussian rows and up to 1,000 features, 300 new rows.
`kinds`: the same at 1,000 training rows for discrete and heavy-tailed rows as well; the share that `predict` flags at
``contamination="auto"``, beside IsolationForest's; and the share of new outliers that it finds then, which are rows
three times as far from the median. Without `--novelty` outliers like those are 5 % of the training rows, with it none.

With `--novelty`, which fits longer, there are fewer training sets of each kind.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from _results import add_out, save
from sklearn.ensemble import IsolationForest

from skae import AutoencoderOutlierDetector
from skae._linalg._quantiles import lower_tail_threshold

PARTS = ("table", "sweep", "kinds")
LEVELS = (0.01, 0.05, 0.1)
SWEEP_LEVEL = 0.05
SWEEP_ROWS, SWEEP_FEATURES = (20, 50, 80, 120, 220), (1, 5, 30, 100, 200, 1000)
ROWS_OF_KINDS, SHARE_OF_OUTLIERS, TIMES_AS_FAR = 1000, 0.05, 3.0
CENTRES = 3.0 * np.random.RandomState(7).normal(size=(4, 8))
MIXING = np.random.RandomState(5).normal(size=(4, 40))


def curved(n, rng):
    t = rng.normal(size=n)
    return np.column_stack([t, t**2 + 0.3 * rng.normal(size=n), 0.5 * rng.normal(size=n)])


def clustered(n, rng):
    spread = rng.gamma(2.0, 0.5, size=(n, 1))
    return CENTRES[rng.randint(4, size=n)] + spread * rng.normal(size=(n, 8))


def gaussian(n, rng):
    return rng.normal(size=(n, 10))


def student_3(n, rng):
    return rng.standard_t(3, size=(n, 5))


def wide(n, rng):
    return np.tanh(rng.normal(size=(n, 4)) @ MIXING) + 0.2 * rng.normal(size=(n, 40))


def bits(n, rng):
    return rng.randint(2, size=(n, 12)).astype(float)


def counts(n, rng):
    return rng.poisson([0.05, 0.5, 1.0, 3.0, 10.0], size=(n, 5)).astype(float)


def rounded(n, rng):
    return rng.normal(size=(n, 5)).round(1)


def student_2(n, rng):
    return rng.standard_t(2, size=(n, 5))


def cauchy(n, rng):
    return rng.standard_cauchy(size=(n, 5))


def one_hot(n, rng):
    return np.hstack([np.eye(n_values)[rng.randint(n_values, size=n)] for n_values in (4, 6, 10)])


DISTRIBUTIONS = (curved, clustered, gaussian, student_3, wide)
KINDS = (*DISTRIBUTIONS, bits, counts, rounded, student_2, cauchy, one_hot)


def fitted(X, novelty: bool, seed: int) -> AutoencoderOutlierDetector:
    return AutoencoderOutlierDetector(novelty=novelty, random_state=seed).fit(X)


def shares(detector, X, new, levels) -> dict[str, float]:
    """The shares of new rows flagged by p-values and by `contamination`.

    `contamination` moves the threshold only, which is found here without another fit.
    """
    p_values, scores = detector.p_values(new), detector.score_samples(new)
    own, weight = detector.score_samples(X), np.ones(len(X))
    if detector.novelty:
        own, weight = detector._calibration.scores, detector._calibration.weight
    measured = {f"p <= {level}": (p_values <= level).mean() for level in levels}
    for level in levels:
        measured[f"predict {level}"] = (scores < lower_tail_threshold(own, level, weight)).mean()
    return measured


def table(arguments) -> list[dict]:
    rows, repeats = [], arguments.repeats
    for n_rows in arguments.rows:
        for draw in DISTRIBUTIONS:
            for seed in range(repeats if n_rows < 5000 else max(1, repeats // 2)):
                rng = np.random.RandomState(seed)
                X, new = draw(n_rows, rng), draw(1000, rng)
                cell = {"rows": n_rows, "kind": draw.__name__, "seed": seed}
                rows.append(cell | shares(fitted(X, arguments.novelty, seed), X, new, LEVELS))
        print(n_rows, "rows", flush=True)
    return rows


def report_table(results: pd.DataFrame) -> None:
    cells = results.drop(columns="seed").groupby(["rows", "kind"], sort=False)
    means, errors = cells.mean(), cells.sem()
    print((means.round(4).astype(str) + " ± " + errors.round(4).astype(str)).to_string())
    print("\nLowest and highest mean\n" + means.groupby("rows").agg(["min", "max"]).round(3).to_string())


def sweep(arguments) -> list[dict]:
    rows = []
    for n_rows in SWEEP_ROWS:
        for n_features in SWEEP_FEATURES:
            for seed in range(max(2, arguments.repeats // 4)):
                rng = np.random.RandomState(seed)
                X, new = rng.normal(size=(n_rows, n_features)), rng.normal(size=(300, n_features))
                found = shares(fitted(X, arguments.novelty, seed), X, new, (SWEEP_LEVEL,))
                rows.append({"rows": n_rows, "features": n_features, "seed": seed} | found)
    return rows


def report_sweep(results: pd.DataFrame) -> None:
    for measure in results.columns[3:]:
        print(f"\nGaussian rows, {measure}: means by rows and features")
        print(results.pivot_table(measure, "rows", "features").round(3).to_string())


def kinds(arguments) -> list[dict]:
    novelty, rows = arguments.novelty, []
    for draw in KINDS:
        for seed in range(max(2, arguments.repeats // 2)):
            rng = np.random.RandomState(seed)
            X, new = draw(ROWS_OF_KINDS, rng), draw(1000, rng)
            n_outliers = round(SHARE_OF_OUTLIERS * ROWS_OF_KINDS)
            centre = np.median(X, axis=0)
            among, others = (centre + TIMES_AS_FAR * (draw(n, rng) - centre) for n in (n_outliers, 1000))
            detector, forest = fitted(X, novelty, seed), IsolationForest(random_state=seed).fit(X)
            own = {"kind": draw.__name__, "seed": seed} | shares(detector, X, new, LEVELS)
            own |= {"auto": flagged(detector, new), "forest's": flagged(forest, new)}
            if not novelty:
                X = np.concatenate([X[n_outliers:], among])
                detector, forest = fitted(X, novelty, seed), IsolationForest(random_state=seed).fit(X)
            rows.append(own | {"finds": flagged(detector, others), "forest finds": flagged(forest, others)})
    return rows


def report_kinds(results: pd.DataFrame) -> None:
    print(results.drop(columns="seed").groupby("kind", sort=False).mean().round(3).to_string())


def flagged(detector, X) -> float:
    return (detector.predict(X) == -1).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--novelty", action="store_true", help="novelty=True")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rows", type=int, nargs="+", default=[50, 200, 500, 5000], help="training rows of the table")
    parser.add_argument("--repeats", type=int, help="training sets of each kind: 20, or 6 with --novelty")
    add_out(parser)
    arguments = parser.parse_args()
    arguments.repeats = arguments.repeats or (6 if arguments.novelty else 20)
    for part in arguments.parts:
        results = pd.DataFrame(globals()[part](arguments))
        save(results, arguments.out, f"false_alarms_{part}_{'N' if arguments.novelty else 'U'}")
        print(f"\n{part}, novelty={arguments.novelty}")
        globals()[f"report_{part}"](results)


if __name__ == "__main__":
    main()
