"""What the outlier detector costs: seconds to score and to fit beside IsolationForest, one row, and the size of a file.

    OMP_NUM_THREADS=1 python benchmarks/detector_cost.py

Gaussian rows of 20 features on curved directions, detectors at their defaults, with novelty=False and True.
`score`: CPU seconds to score 100,000 rows after a fit to 10,000, and their ratio to IsolationForest's in the same run.
`row`: seconds to score one row. `file`: megabytes of a pickle. `fit`: seconds to fit 10,000 and 100,000 rows.

Medians of `--repeats` interleaved runs (one for `fit`) on one thread, after one run of each that is not counted.
"""

from __future__ import annotations

import argparse
import pickle
import time

import numpy as np
import pandas as pd
import torch
from _results import add_out, save
from sklearn.ensemble import IsolationForest
from speed import interleaved

from skae import AutoencoderOutlierDetector

PARTS = ("score", "row", "file", "fit")
N_FEATURES, N_TRAIN, N_SCORED, N_MANY = 20, 10_000, 100_000, 100_000
CALLS_PER_RUN = 100


def rows(n_rows: int, seed: int) -> np.ndarray:
    """Rows with five curved directions and noise."""
    mixing = np.random.RandomState(0).normal(size=(5, N_FEATURES))
    rng = np.random.RandomState(seed)
    return np.tanh(rng.normal(size=(n_rows, 5)) @ mixing) + 0.3 * rng.normal(size=(n_rows, N_FEATURES))


def detectors() -> dict:
    return {
        "IsolationForest": IsolationForest(random_state=0),
        "novelty=False": AutoencoderOutlierDetector(random_state=0),
        "novelty=True": AutoencoderOutlierDetector(novelty=True, random_state=0),
    }


def score(fitted: dict, repeats: int) -> dict:
    X = rows(N_SCORED, 1)
    functions = {name: (lambda detector=detector: detector.score_samples(X)) for name, detector in fitted.items()}
    return {f"score {N_SCORED:,} rows, CPU s": interleaved(functions, repeats, time.process_time)}


def row(fitted: dict, repeats: int) -> dict:
    one = rows(1, 2)

    def repeated(detector):
        for _ in range(CALLS_PER_RUN):
            detector.score_samples(one)

    functions = {name: (lambda detector=detector: repeated(detector)) for name, detector in fitted.items()}
    seconds = interleaved(functions, repeats)
    return {"score one row, ms": {name: 1e3 * value / CALLS_PER_RUN for name, value in seconds.items()}}


def file(fitted: dict, repeats: int) -> dict:
    return {"pickle, MB": {name: len(pickle.dumps(detector)) / 1e6 for name, detector in fitted.items()}}


def fit(fitted: dict, repeats: int) -> dict:
    seconds: dict[str, dict] = {}
    for n_rows in (N_TRAIN, N_MANY):
        X, own = rows(n_rows, 0), seconds.setdefault(f"fit {n_rows:,} rows, s", {})
        for name, detector in detectors().items():
            start = time.perf_counter()
            detector.fit(X)
            own[name] = time.perf_counter() - start
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--repeats", type=int, default=3)
    add_out(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    X = rows(N_TRAIN, 0)
    fitted = {name: detector.fit(X) for name, detector in detectors().items()}
    measured = {}
    for part in arguments.parts:
        measured |= globals()[part](fitted, arguments.repeats)
    table = pd.DataFrame.from_dict(measured, orient="index").rename_axis("measure")
    save(table.reset_index(), arguments.out, "detector_cost")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread\n{table.round(2).to_string()}")


if __name__ == "__main__":
    main()
