"""Rows that belong together: what an estimator claims and what new groups show, fitted with and without `groups`.

    OMP_NUM_THREADS=1 python benchmarks/groups.py

`transformer`: R² on the held-out rows as training reports it, on rows of new groups, and PCA's on those; means over
seeds. `few`: how far R² on rows of new groups is above PCA's where groups are few, the mean and the lowest of all
kinds, code sizes and seeds. `detector`: the share of rows of new groups with `p_values <= a`.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from _results import add_out, save

from skae import AutoencoderOutlierDetector, AutoencoderTransformer

PARTS = ("transformer", "few", "detector")
N_FEATURES, N_ROWS, N_NEW, N_COMPONENTS = 20, 10, 300, 4
LEVELS = (0.01, 0.05)
FIXED = np.random.RandomState(0)
AXES = FIXED.normal(size=(4, N_FEATURES))
DIRECTIONS, PHASES = FIXED.normal(size=(2, N_FEATURES)), FIXED.uniform(0, 6, size=N_FEATURES)


def subjects(n_groups, rng, n_rows=N_ROWS):
    """Each subject has a vector of its own, in part along four axes that all share, and rows are that and noise."""
    vectors = 0.5 * rng.normal(size=(n_groups, 4)) @ AXES + rng.normal(size=(n_groups, N_FEATURES))
    return np.repeat(vectors, n_rows, axis=0) + 0.2 * rng.normal(size=(n_groups * n_rows, N_FEATURES))


def heavy_tails(n_groups, rng, n_rows=N_ROWS):
    """The same with tails of Student's t with three degrees of freedom."""
    vectors = 0.5 * rng.standard_t(3, size=(n_groups, 4)) @ AXES + 0.7 * rng.standard_t(3, size=(n_groups, N_FEATURES))
    return np.repeat(vectors, n_rows, axis=0) + 0.2 * rng.normal(size=(n_groups * n_rows, N_FEATURES))


def curved(n_groups, rng, n_rows=N_ROWS):
    """A curved surface that all subjects share, and an offset for each."""
    t = rng.uniform(-2, 2, size=(n_groups * n_rows, 2))
    offsets = np.repeat(0.3 * rng.normal(size=(n_groups, N_FEATURES)), n_rows, axis=0)
    return np.sin(t @ DIRECTIONS + PHASES) + offsets + 0.1 * rng.normal(size=(len(t), N_FEATURES))


def windows(n_groups, rng, n_rows=N_ROWS):
    """Windows of 20 values, three apart, of a signal for each group: an oscillation, its octave and a random walk."""
    rows = []
    for _ in range(n_groups):
        time = np.arange(3 * n_rows + N_FEATURES)
        frequency, phases = rng.uniform(0.1, 0.5), rng.uniform(0, 6, size=2)
        signal = np.sin(frequency * time + phases[0]) + 0.5 * np.sin(2 * frequency * time + phases[1])
        signal += np.cumsum(0.1 * rng.normal(size=len(time)))
        rows += [signal[3 * i : 3 * i + N_FEATURES] for i in range(n_rows)]
    return np.array(rows)


KINDS = (subjects, heavy_tails, curved, windows)


def data(kind, n_groups, seed, n_rows=N_ROWS):
    """Training rows, their groups, and rows of new groups."""
    groups = np.repeat(np.arange(n_groups), n_rows)
    return kind(n_groups, np.random.RandomState(seed), n_rows), groups, kind(N_NEW, np.random.RandomState(1000 + seed))


def of_pca(X, new, n_components):
    """R² about the mean of the training rows, as that of the other models."""
    return AutoencoderTransformer(n_components, max_iter=0).fit(X).score(new)


def transformer(n_seeds) -> list[dict]:
    rows = []
    for kind in KINDS:
        for seed in range(n_seeds):
            X, groups, new = data(kind, 300, seed)
            cell = {"kind": kind.__name__, "seed": seed}
            for name, each in (("without groups", None), ("with groups", groups)):
                model = AutoencoderTransformer(N_COMPONENTS, random_state=seed).fit(X, groups=each)
                rows.append(cell | {"method": name, "claimed": 1.0 - model.best_loss_, "new": model.score(new)})
            rows.append(cell | {"method": "PCA", "new": of_pca(X, new, N_COMPONENTS)})
    return rows


def few(n_seeds) -> list[dict]:
    rows = []
    for n_groups in (2, 3, 4, 5, 8, 12, 20, 50):
        for kind in KINDS:
            for n_components in (2, 6):
                for seed in range(n_seeds):
                    X, groups, new = data(kind, n_groups, seed, n_rows=20)
                    model = AutoencoderTransformer(n_components, random_state=seed).fit(X, groups=groups)
                    gain = model.score(new) - of_pca(X, new, n_components)
                    cell = {"groups": n_groups, "kind": kind.__name__, "components": n_components, "seed": seed}
                    rows.append(cell | {"gain": gain})
    return rows


def detector(n_seeds) -> list[dict]:
    detectors = {
        "novelty=True": {"novelty": True},
        "novelty=False": {},
        "reconstruction": {"method": "reconstruction"},
    }
    rows = []
    for kind in (subjects, windows):
        for name, parameters in detectors.items():
            for n_groups in (20, 100, 300):
                for seed in range(n_seeds):
                    X, groups, new = data(kind, n_groups, seed)
                    cell = {"kind": kind.__name__, "detector": name, "groups": n_groups, "seed": seed}
                    for given, each in (("without groups", None), ("with groups", groups)):
                        model = AutoencoderOutlierDetector(random_state=seed, **parameters).fit(X, groups=each)
                        p = model.p_values(new)
                        rows.append(cell | {"fitted": given} | {f"p <= {a}": np.mean(p <= a) for a in LEVELS})
    return rows


def report(part: str, results: pd.DataFrame) -> None:
    if part == "transformer":
        table = results.pivot_table(["claimed", "new"], "kind", "method", sort=False)
    elif part == "few":
        table = results.groupby("groups")["gain"].agg(["mean", "min", "size"])
    else:
        shares = [f"p <= {a}" for a in LEVELS]
        table = results.pivot_table(shares, ["kind", "detector", "groups"], "fitted", sort=False)
    print(f"\n{part}\n{table.round(3).to_string()}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seeds", type=int, default=3)
    add_out(parser)
    arguments = parser.parse_args()
    for part in arguments.parts:
        results = pd.DataFrame({"transformer": transformer, "few": few, "detector": detector}[part](arguments.seeds))
        save(results, arguments.out, f"groups_{part}")
        report(part, results)


if __name__ == "__main__":
    main()
