"""Time to quality: how soon skae is as good as each peer is after the whole of its training.

    python benchmarks/time_to_quality.py --data DIR

Eight components, hidden layers (256, 128) for all. Each peer is fitted once at the settings of `_reducers.py`; its test
R² is the mark. skae is fitted at its defaults with 1, 2, 3, 5, 8, ... epochs (`max_iter`, to which the learning-rate
schedule stretches); the first budget whose test R² passes the mark is timed. Medians of `--repeats` fits of one seed.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings

import _data
from _reducers import available
from _results import explained
from sklearn.neural_network import MLPRegressor

from skae import AutoencoderTransformer

K, SEED = 8, 0
SETS = ("digits", "SpamBase", "mnist")
BUDGETS = (1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 90)


class Regressor:
    """`MLPRegressor(X, X)` with early stopping and the other settings at their defaults."""

    def __init__(self, k: int, seed: int) -> None:
        sizes = (256, 128, k, 128, 256)
        self.model = MLPRegressor(hidden_layer_sizes=sizes, early_stopping=True, random_state=seed)

    def fit(self, X):
        self.model.fit(X, X)
        return self

    def reconstruct(self, X):
        return self.model.predict(X)


def timed_fits(make, X_train, X_test, repeats: int) -> tuple[float, float]:
    """Median seconds, and test R²."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        model = make().fit(X_train)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), explained(X_test, model.reconstruct(X_test), X_train.mean(axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _data.add_arguments(parser)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # so few epochs do not converge
    sets = _data.reduction_sets(arguments.data)
    peers = available() | {"MLPRegressor": Regressor}
    for name in SETS:
        if name not in sets:
            continue
        X, y, pictures = sets[name]()
        X_train, X_test, _, _ = _data.split_for_reduction(X, y, pictures, SEED)
        curve = []
        for budget in BUDGETS:
            make = lambda budget=budget: AutoencoderTransformer(K, max_iter=budget, random_state=SEED)  # noqa: E731
            curve.append((budget, *timed_fits(make, X_train, X_test, arguments.repeats)))
        seconds, score = timed_fits(lambda: peers["skae"](K, SEED), X_train, X_test, arguments.repeats)
        print(f"\n{name}: {X_train.shape[0]} x {X_train.shape[1]}; skae's defaults: R² {score:.4f} in {seconds:.2f} s")
        for peer in ("MLPRegressor", "skorch", "HyperTools"):
            if peer not in peers:
                continue
            peer_seconds, mark = timed_fits(lambda peer=peer: peers[peer](K, SEED), X_train, X_test, 1)
            passed = next(((budget, ours) for budget, ours, r2 in curve if r2 >= mark), None)
            reached = "not reached"
            if passed is not None:
                share = peer_seconds / passed[1]
                reached = f"skae passes it in {passed[1]:.2f} s ({passed[0]} epochs), 1/{share:.1f} of the time"
            print(f"  {peer:13s} R² {mark:.4f} in {peer_seconds:6.2f} s; {reached}", flush=True)


if __name__ == "__main__":
    main()
