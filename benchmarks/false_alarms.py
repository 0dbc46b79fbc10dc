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


def table(arguments) -> None:
    novelty, repeats = arguments.novelty, arguments.repeats
    for n_rows in arguments.rows:
        measured = {}
        for draw in DISTRIBUTIONS:
            found = []
            for seed in range(repeats if n_rows < 5000 else max(1, repeats // 2)):
                rng = np.random.RandomState(seed)
                X, new = draw(n_rows, rng), draw(1000, rng)
                found.append(shares(fitted(X, novelty, seed), X, new, LEVELS))
            measured[draw.__name__] = pd.DataFrame(found)
        means = pd.DataFrame({name: each.mean() for name, each in measured.items()}).T
        errors = pd.DataFrame({name: each.sem() for name, each in measured.items()}).T
        shown = means.round(4).astype(str) + " ± " + errors.round(4).astype(str)
        shown.loc["lowest to highest"] = means.min().map("{:.3f}".format) + " to " + means.max().map("{:.3f}".format)
        print(f"\n{n_rows} training rows, {len(found)} training sets")
        print(shown.to_string(), flush=True)


def sweep(arguments) -> None:
    novelty, repeats = arguments.novelty, max(2, arguments.repeats // 4)
    measured: dict[str, pd.DataFrame] = {}
    for n_rows in SWEEP_ROWS:
        for n_features in SWEEP_FEATURES:
            found = []
            for seed in range(repeats):
                rng = np.random.RandomState(seed)
                X, new = rng.normal(size=(n_rows, n_features)), rng.normal(size=(300, n_features))
                found.append(shares(fitted(X, novelty, seed), X, new, (SWEEP_LEVEL,)))
            for name, value in pd.DataFrame(found).mean().items():
                measured.setdefault(name, pd.DataFrame()).loc[n_rows, n_features] = value
    for name, means in measured.items():
        print(f"\nGaussian rows, {name}: mean over {repeats} training sets, by rows and features")
        print(means.round(3).to_string(), flush=True)


def kinds(arguments) -> None:
    novelty, repeats, measured = arguments.novelty, max(2, arguments.repeats // 2), {}
    for draw in KINDS:
        found = []
        for seed in range(repeats):
            rng = np.random.RandomState(seed)
            X, new = draw(ROWS_OF_KINDS, rng), draw(1000, rng)
            n_outliers = round(SHARE_OF_OUTLIERS * ROWS_OF_KINDS)
            centre = np.median(X, axis=0)
            among, others = (centre + TIMES_AS_FAR * (draw(n, rng) - centre) for n in (n_outliers, 1000))
            detector, forest = fitted(X, novelty, seed), IsolationForest(random_state=seed).fit(X)
            own = shares(detector, X, new, LEVELS)
            own |= {"auto": flagged(detector, new), "forest's": flagged(forest, new)}
            if not novelty:
                X = np.concatenate([X[n_outliers:], among])
                detector, forest = fitted(X, novelty, seed), IsolationForest(random_state=seed).fit(X)
            found.append(own | {"finds": flagged(detector, others), "forest finds": flagged(forest, others)})
        measured[draw.__name__] = pd.DataFrame(found).mean()
    print(f"\n{ROWS_OF_KINDS} training rows, means over {repeats} training sets")
    print(pd.DataFrame(measured).T.round(3).to_string(), flush=True)


def flagged(detector, X) -> float:
    return (detector.predict(X) == -1).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--novelty", action="store_true", help="novelty=True")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rows", type=int, nargs="+", default=[50, 200, 500, 5000], help="training rows of the table")
    parser.add_argument("--repeats", type=int, help="training sets of each kind: 20, or 6 with --novelty")
    arguments = parser.parse_args()
    arguments.repeats = arguments.repeats or (6 if arguments.novelty else 20)
    print(f"novelty={arguments.novelty}")
    for part in arguments.parts:
        globals()[part](arguments)


if __name__ == "__main__":
    main()
