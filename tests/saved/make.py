"""Saves fitted estimators, and what they return, as files that all later versions must open.

    python tests/saved/make.py

Run once for a release: it writes to `tests/saved/<version>`. Files of earlier versions are never written again.
"""

from pathlib import Path

import joblib
import numpy as np

from skae import AutoencoderOutlierDetector, AutoencoderTransformer, __version__

SMALL = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
ESTIMATORS = {
    "plain": AutoencoderTransformer(2, **SMALL),
    "whitened": AutoencoderTransformer(2, whiten=True, scale=True, dtype="float64", **SMALL),
    "missing": AutoencoderTransformer(2, corruption="masking", loss="huber", **SMALL),
    "sparse": AutoencoderTransformer(4, code="sparse", n_nonzero=2, **SMALL),
    "ordered": AutoencoderTransformer(3, code="ordered", **SMALL),
    "variational": AutoencoderTransformer(2, code="variational", **SMALL),
    "denoising": AutoencoderOutlierDetector(**SMALL),
    "clean": AutoencoderOutlierDetector(novelty=True, **SMALL),
    "reconstruction": AutoencoderOutlierDetector(method="reconstruction", n_components=2, **SMALL),
}
METHODS = ("transform", "reconstruct", "score_samples", "decision_function", "p_values", "feature_contributions")


def rows(n_rows: int, seed: int) -> np.ndarray:
    """Rows along a curve in five dimensions."""
    rng = np.random.RandomState(seed)
    t = rng.uniform(-2, 2, size=(n_rows, 1))
    return np.hstack([t, t**2, np.sin(t), np.cos(t), t]) + 0.1 * rng.normal(size=(n_rows, 5))


def main() -> None:
    import skops.io  # collected by pytest, this file is also read where skops is not there

    folder = Path(__file__).parent / __version__
    folder.mkdir()
    X, asked = rows(200, 0), rows(10, 1)
    np.save(folder / "asked.npy", asked)
    for name, estimator in ESTIMATORS.items():
        estimator.fit(X)
        skops.io.dump(estimator, folder / f"{name}.skops")
        joblib.dump(estimator, folder / f"{name}.joblib")
        returned = {method: getattr(estimator, method)(asked) for method in METHODS if hasattr(estimator, method)}
        np.savez(folder / f"{name}.npz", **returned)


if __name__ == "__main__":
    main()
