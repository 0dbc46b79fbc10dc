"""Denoising pictures: skae against PCA, a median filter and non-local means.

    python benchmarks/denoising.py --data DIR

Rows are digits (1,297 to train, 500 to test) and MNIST (60,000 to train, the first 1,000 of the test set), pixels in
[0, 1]; the noise is Gaussian of known deviation, or salt and pepper in a known share of the pixels. Results are mean
PSNRs of the test pictures in dB, every method's output clipped to [0, 1]. Each peer has the setting that is best at
that noise on `TUNING_ROWS` training rows: PCA its number of components, the median filter its size (1 leaves pictures
as they are), non-local means (scikit-image, told the deviation, without the fast approximation) its h, patch and
window. skae has one setting for everything; it and PCA learn from clean training rows, the filters from nothing. On
MNIST skae is also fitted to the first 10,000 training rows, and so is a convolutional network at weak noise. Writes
`denoising.csv`.
"""

from __future__ import annotations

import argparse

import _data
import numpy as np
import pandas as pd
from _results import save
from scipy.ndimage import median_filter
from skimage.restoration import denoise_nl_means
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import AutoencoderTransformer
from skae.networks import ConvolutionalNetwork

SETTINGS = {"n_components": None, "loss": "binary_cross_entropy", "random_state": 0}
NOISES = (("gaussian", 0.1), ("gaussian", 0.3), ("gaussian", 0.5), ("salt_and_pepper", 0.3))
TUNING_ROWS, FEW_ROWS = 100, 10_000


def corrupt(X: np.ndarray, kind: str, level: float, seed: int) -> np.ndarray:
    random_state = np.random.RandomState(seed)
    if kind == "gaussian":
        return X + level * random_state.normal(size=X.shape).astype(X.dtype)
    extreme = (random_state.uniform(size=X.shape) < 0.5).astype(X.dtype)
    return np.where(random_state.uniform(size=X.shape) < level, extreme, X)


def psnr(X: np.ndarray, denoised: np.ndarray) -> float:
    """Mean over pictures; a picture returned as it is counts as 100 dB."""
    errors = np.square(X - np.clip(denoised, 0, 1)).mean(axis=1)
    return float(np.mean(-10 * np.log10(np.maximum(errors, 1e-10))))


def by_picture(X: np.ndarray, function) -> np.ndarray:
    side = int(np.sqrt(X.shape[1]))
    return np.stack([function(image).ravel() for image in X.reshape(-1, side, side)])


def project(pca: PCA, X: np.ndarray, k: int) -> np.ndarray:
    axes = pca.components_[:k]
    return pca.mean_ + (X - pca.mean_) @ axes.T @ axes


def non_local_means(X: np.ndarray, sigma: float, h: float, patch: int, distance: int) -> np.ndarray:
    return by_picture(
        X, lambda image: denoise_nl_means(image, patch, distance, h=h * sigma, sigma=sigma, fast_mode=False)
    )


def peers(train: np.ndarray, kind: str, level: float) -> dict:
    """Candidates of every peer: functions of noisy rows."""
    pca, sigma = PCA(random_state=0).fit(train), level
    if kind == "salt_and_pepper":
        # What a filter for Gaussian noise is to be told: the deviation of what was added.
        sigma = float(np.sqrt(level * np.mean(0.5 * np.square(train) + 0.5 * np.square(1 - train))))
    sizes = sorted({round(k) for k in np.geomspace(2, train.shape[1], 24)})
    shapes = [(3, 3), (5, 6), (5, 11)] if train.shape[1] > 64 else [(3, 3)]
    return {
        "PCA": [lambda X, k=k: project(pca, X, k) for k in sizes],
        "median filter": [
            lambda X, size=size: by_picture(X, lambda image: median_filter(image, size)) for size in (1, 2, 3, 5)
        ],
        "non-local means": [
            lambda X, h=h, shape=shape: non_local_means(X, sigma, h, *shape)
            for h in (0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0)
            for shape in shapes
        ],
    }


def corruption_level(train: np.ndarray, kind: str, level: float) -> float:
    """skae's unit of Gaussian noise is the root of the mean variance of a feature."""
    return level / float(np.sqrt(train.var(axis=0).mean())) if kind == "gaussian" else level


def fits(train: np.ndarray, kind: str, level: float) -> dict:
    """Training rows and parameters of skae; on MNIST also for few rows."""
    parameters = SETTINGS | {"corruption": kind, "corruption_level": corruption_level(train, kind, level)}
    found = {"skae": (train, parameters)}
    if len(train) > FEW_ROWS:
        few = f"{FEW_ROWS:,} rows"
        found[f"skae, {few}"] = train[:FEW_ROWS], parameters
        if (kind, level) == NOISES[0]:
            network = ConvolutionalNetwork(image_shape=(1, 28, 28))
            found[f"skae, convolutional, {few}"] = train[:FEW_ROWS], parameters | {"network": network}
    return found


def sets(arguments) -> dict:
    X = load_digits().data / 16
    pairs = {"digits": train_test_split(X, test_size=500, random_state=0)}
    mnist = _data.load_mnist(arguments.data)
    if mnist is not None:
        pairs["mnist"] = mnist[0], mnist[2][:1000]
    return {name: pair for name, pair in pairs.items() if not arguments.sets or name in arguments.sets}


def run(arguments) -> pd.DataFrame:
    rows = []
    for name, (train, test) in sets(arguments).items():
        for kind, level in NOISES:
            noisy, tuning = corrupt(test, kind, level, 1), train[:TUNING_ROWS]
            noisy_tuning = corrupt(tuning, kind, level, 2)
            found = {"noisy": psnr(test, noisy)}
            for method, candidates in peers(train, kind, level).items():
                best = int(np.argmax([psnr(tuning, denoise(noisy_tuning)) for denoise in candidates]))
                found[method] = psnr(test, candidates[best](noisy))
            for method, (X, parameters) in fits(train, kind, level).items():
                found[method] = psnr(test, AutoencoderTransformer(**parameters).fit(X).reconstruct(noisy))
            cell = {"dataset": name, "noise": kind, "level": level}
            rows += [cell | {"method": method, "psnr": value} for method, value in found.items()]
            print(*cell.values(), flush=True)
            save(pd.DataFrame(rows), arguments.out, "denoising")
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _data.add_arguments(parser)
    parser.add_argument("--sets", nargs="+", help="names of data sets; all without it")
    results = run(parser.parse_args())
    cells = results.pivot_table("psnr", ["dataset", "noise", "level"], "method", sort=False)
    print(cells.round(2).to_string())


if __name__ == "__main__":
    main()
