"""False alarms: the share of new normal rows that a detector at its defaults flags, against the share promised.

    OMP_NUM_THREADS=1 python benchmarks/false_alarms.py

Five distributions without outliers. For each number of training rows and each level a: the share of 1,000 new rows with
`p_values <= a`, and the share that `predict` flags at ``contamination=a``; means over training sets ± their standard
errors.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from skae import AutoencoderOutlierDetector

LEVELS = (0.01, 0.05, 0.1)
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


def heavy_tailed(n, rng):
    return rng.standard_t(3, size=(n, 5))


def wide(n, rng):
    return np.tanh(rng.normal(size=(n, 4)) @ MIXING) + 0.2 * rng.normal(size=(n, 40))


DISTRIBUTIONS = (curved, clustered, gaussian, heavy_tailed, wide)


def rates(draw, n_rows: int, seed: int) -> dict[str, float]:
    """The shares flagged in one training set's new rows."""
    rng = np.random.RandomState(seed)
    X, new = draw(n_rows, rng), draw(1000, rng)
    p_values = AutoencoderOutlierDetector(random_state=seed).fit(X).p_values(new)
    measured = {f"p <= {level}": (p_values <= level).mean() for level in LEVELS}
    for level in LEVELS:
        detector = AutoencoderOutlierDetector(contamination=level, random_state=seed).fit(X)
        measured[f"predict {level}"] = (detector.predict(new) == -1).mean()
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[50, 200, 500, 5000])
    parser.add_argument("--repeats", type=int, default=20, help="training sets of each kind")
    arguments = parser.parse_args()
    for n_rows in arguments.rows:
        table = {}
        for draw in DISTRIBUTIONS:
            measured = pd.DataFrame([rates(draw, n_rows, seed) for seed in range(arguments.repeats)])
            table[draw.__name__] = measured.mean().round(4).astype(str) + " ± " + measured.sem().round(4).astype(str)
        print(f"\n{n_rows} training rows")
        print(pd.DataFrame(table).T.to_string(), flush=True)


if __name__ == "__main__":
    main()
