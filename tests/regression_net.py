"""Fits every kind of estimator and stores what it returns, so that two versions of the code can be compared.

    OMP_NUM_THREADS=1 python tests/regression_net.py store FILE
    OMP_NUM_THREADS=1 python tests/regression_net.py compare FILE OTHER

A refactoring that keeps the order of random draws leaves all results equal bit for bit; one that rearranges sums
changes them by rounding. `compare` prints the largest difference of each configuration, in deviations of the stored
result.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from scipy import sparse

from skae import AutoencoderOutlierDetector, AutoencoderTransformer
from skae.networks import ConvolutionalNetwork1d

SMALL = {"hidden_layer_sizes": (12, 8), "max_iter": 4, "random_state": 0}
TRANSFORMER_METHODS = ("transform", "reconstruct", "score_samples")
DETECTOR_METHODS = ("transform", "score_samples", "decision_function", "p_values", "feature_contributions")


def rows(n_rows: int, seed: int, n_features: int = 6) -> np.ndarray:
    """Rows along a curve, with noise."""
    rng = np.random.RandomState(seed)
    t = rng.uniform(-2, 2, size=(n_rows, 2))
    weights = np.random.RandomState(9).normal(size=(6, n_features))
    curve = np.hstack([t, t**2, np.sin(2 * t)]) @ weights
    return curve + 0.1 * rng.normal(size=(n_rows, n_features)) + 3.0


def incomplete(X: np.ndarray) -> np.ndarray:
    hidden = np.random.RandomState(5).uniform(size=X.shape) < 0.1
    return np.where(hidden, np.nan, X)


def weight(n_rows: int) -> np.ndarray:
    return np.random.RandomState(6).uniform(0.5, 2.0, size=n_rows)


def jitter(X: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
    """A custom corruption."""
    return X + 0.1 * random_state.normal(size=X.shape)


def transformer(n_components=2, **parameters) -> AutoencoderTransformer:
    return AutoencoderTransformer(n_components, **(SMALL | parameters))


def detector(**parameters) -> AutoencoderOutlierDetector:
    return AutoencoderOutlierDetector(**(SMALL | {"hidden_layer_sizes": (12, 12)} | parameters))


def fitted(make: Callable[[], object], X, **fit_parameters) -> Callable[[], object]:
    return lambda: make().fit(X, **fit_parameters)


def in_chunks(make: Callable[[], object], X, n_chunks: int = 3) -> Callable[[], object]:
    def fit():
        model = make()
        for chunk in np.array_split(X, n_chunks):
            model.partial_fit(chunk)
        return model

    return fit


def fitted_twice(make: Callable[[], object], X, other) -> Callable[[], object]:
    return lambda: make().fit(X).fit(other)


def partially_after_fit(make: Callable[[], object], X, other) -> Callable[[], object]:
    return lambda: make().fit(X).partial_fit(other)


def cases() -> dict[str, Callable[[], object]]:
    """Configurations by name: functions that return a fitted estimator."""
    X, few, wide = rows(400, 0), rows(120, 1), rows(60, 2, n_features=90)
    shares = (X - X.min(axis=0)) / (X.max(axis=0) - X.min(axis=0))
    counts = np.floor(4.0 * shares)
    stored = sparse.csr_array(np.where(X > 3.0, X, 0.0))
    return {
        "defaults": fitted(lambda: AutoencoderTransformer(2, random_state=0, max_iter=5), X),
        "plain": fitted(lambda: transformer(), X),
        "plain_float64": fitted(lambda: transformer(dtype="float64"), X),
        "bfloat16": fitted(lambda: transformer(dtype="bfloat16"), X),
        "untrained": fitted(lambda: transformer(max_iter=0), X),
        "few_rows": fitted(lambda: transformer(), few),
        "wide": fitted(lambda: transformer(4), wide),
        "share_of_variance": fitted(lambda: transformer(0.9), X),
        "all_components": fitted(lambda: transformer(None, scale=True), X),
        "whitened": fitted(lambda: transformer(whiten=True, scale=True), X),
        "weighted": fitted(lambda: transformer(), X, sample_weight=weight(len(X))),
        "repeated_rows": fitted(lambda: transformer(), np.vstack([X, X[:50]])),
        "no_hold_out": fitted(lambda: transformer(early_stopping=False), X),
        "hold_out_share": fitted(lambda: transformer(early_stopping=0.3, n_iter_no_change=1, max_iter=8), X),
        "relu_linear": fitted(lambda: transformer(activation="relu", hidden_layer_sizes=()), X),
        "ordered": fitted(lambda: transformer(3, code="ordered"), X),
        "neighbors": fitted(lambda: transformer(code="neighbors"), X),
        "ordered_share": fitted(lambda: transformer(0.9, code="ordered"), X),
        "sparse_code": fitted(lambda: transformer(8, code="sparse", n_nonzero=2), X),
        "variational": fitted(lambda: transformer(code="variational", beta=0.5), X),
        "variational_poisson": fitted(lambda: transformer(code="variational", loss="poisson"), counts),
        "absolute_error": fitted(lambda: transformer(loss="absolute_error"), X),
        "huber_weighted": fitted(lambda: transformer(loss="huber"), X, sample_weight=weight(len(X))),
        "binary_cross_entropy": fitted(lambda: transformer(loss="binary_cross_entropy"), shares),
        "poisson": fitted(lambda: transformer(loss="poisson"), counts),
        "gaussian": fitted(lambda: transformer(corruption="gaussian", corruption_level=0.5), X),
        "swap": fitted(lambda: transformer(corruption="swap"), X),
        "salt_and_pepper": fitted(lambda: transformer(corruption="salt_and_pepper", corruption_level=0.1), X),
        "masking": fitted(lambda: transformer(corruption="masking", loss="huber"), X),
        "custom_corruption": fitted(lambda: transformer(corruption=jitter), X),
        "missing": fitted(lambda: transformer(scale=True), incomplete(X)),
        "missing_ordered": fitted(lambda: transformer(3, code="ordered"), incomplete(X)),
        "sparse_rows": fitted(lambda: transformer(), stored),
        "network": fitted(
            lambda: transformer(network=ConvolutionalNetwork1d(channels=(4,), kernel_size=3, hidden_layer_size=8)), X
        ),
        "warm_start": fitted_twice(lambda: transformer(warm_start=True), X, rows(300, 3)),
        "warm_start_ordered": fitted_twice(lambda: transformer(3, code="ordered", warm_start=True), X, rows(300, 3)),
        "partial_fit": in_chunks(lambda: transformer(), X),
        "partial_fit_whitened": in_chunks(lambda: transformer(whiten=True, scale=True), X),
        "partial_fit_after_fit": partially_after_fit(lambda: transformer(), X, rows(100, 4)),
        "detector": fitted(lambda: detector(), X),
        "detector_few_rows": fitted(lambda: detector(), few),
        "detector_few_per_feature": fitted(lambda: detector(), wide),
        "detector_weighted": fitted(lambda: detector(contamination=0.1), X, sample_weight=weight(len(X))),
        "detector_clean": fitted(lambda: detector(novelty=True), X),
        "detector_clean_few_rows": fitted(lambda: detector(novelty=True), few),
        "detector_clean_few_per_feature": fitted(lambda: detector(novelty=True), wide),
        "detector_clean_repeated_rows": fitted(lambda: detector(novelty=True), np.round(X)),
        "detector_repeated_rows": fitted(lambda: detector(), np.round(X)),
        "detector_bfloat16": fitted(lambda: detector(dtype="bfloat16"), X),
        "detector_partial_fit": in_chunks(lambda: detector(), X),
        "reconstruction": fitted(lambda: detector(method="reconstruction"), X),
        "reconstruction_few_rows": fitted(lambda: detector(method="reconstruction", n_components=2), few[:60]),
        "reconstruction_weighted": fitted(
            lambda: detector(method="reconstruction", n_components=2, contamination=0.05), X,
            sample_weight=weight(len(X)),
        ),
    }  # fmt: skip


def results(model, X) -> Iterator[tuple[str, np.ndarray]]:
    """What a fitted estimator returns for new rows."""
    if isinstance(model, AutoencoderTransformer):
        # Denoisers leave out the rows that fit worst: which ones, and with them the loss, can turn on a rounding.
        methods = TRANSFORMER_METHODS
        yield "sample", model.sample(5, random_state=0)
        yield "best_loss_", np.asarray([model.initial_loss_, model.best_loss_])
    else:
        methods = DETECTOR_METHODS
    for method in methods:
        yield method, np.asarray(getattr(model, method)(X))


def asked(name: str) -> np.ndarray:
    """New rows in the range of what a configuration was fitted to."""
    if name == "wide" or name.endswith("few_per_feature"):
        return rows(10, 8, n_features=90)
    X = rows(10, 8)
    if name == "binary_cross_entropy":
        return (X - X.min(axis=0)) / (X.max(axis=0) - X.min(axis=0))
    if name.endswith("poisson"):
        return np.abs(np.floor(X))
    return incomplete(X) if name.startswith("missing") else X


def store(names: list[str] | None = None) -> dict[str, np.ndarray]:
    """Fit the configurations; their results by ``configuration/method``."""
    stored = {}
    made = cases()
    for name in names or made:
        torch.manual_seed(0)  # for networks that a test builds itself
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = made[name]()
            stored |= {f"{name}/{method}": values for method, values in results(model, asked(name))}
    return stored


# Numbers of this size, of rows whose deviations are about 1, are roundings.
ROUNDING = 1e-9


def differences(stored: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> dict[str, float]:
    """The largest difference of each configuration, in deviations of the stored result."""
    largest: dict[str, float] = {}
    for key in stored:
        before, after = np.asarray(stored[key], float), np.asarray(other[key], float)
        # Numbers that are nearly equal, such as two losses, have hardly any deviation: their size counts then.
        # Where nothing is lost in reconstruction, errors are roundings.
        unit = max(np.nanstd(before), 1e-3 * np.nanmax(np.abs(before)), ROUNDING)
        difference = np.inf if before.shape != after.shape else float(np.nanmax(np.abs(before - after)) / unit)
        name = key.split("/")[0]
        largest[name] = max(largest.get(name, 0.0), difference)
    return largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["store", "compare"])
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.action == "store":
        np.savez_compressed(arguments.files[0], **store())
        return
    stored, other = (dict(np.load(file)) for file in arguments.files)
    for name, difference in differences(stored, other).items():
        print(f"{name:28} {difference:.1e}")


if __name__ == "__main__":
    main()
