"""Data sets for the benchmarks: scikit-learn's own, MNIST and ADBench from a folder, and how they are split."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from _results import add_out
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

DEFAULT_FOLDER = Path(__file__).parents[2] / "shared" / "data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, default=DEFAULT_FOLDER, metavar="DIR", help="folder with mnist.npz and adbench/"
    )
    add_out(parser)


def adbench_files(folder: Path) -> dict[str, Path]:
    """Name (without its number) and file of every ADBench set in the folder."""
    files = {path.stem.split("_", 1)[1]: path for path in sorted((folder / "adbench").glob("*.npz"))}
    if not files:
        print(f"No ADBench sets in {folder / 'adbench'}: they are left out.", file=sys.stderr)
    return files


def detection_sets(folder: Path) -> dict[str, tuple[str, Path]]:
    """Name, group and file of every set for outlier detection: ADBench's, other tables and embeddings, OddBench's."""
    sets = {name: ("adbench", path) for name, path in adbench_files(folder).items()}
    for group in ("more", "oddbench"):
        files = sorted((folder / group).glob("*.npz"))
        if not files:
            print(f"No sets in {folder / group}: they are left out.", file=sys.stderr)
        sets |= {path.stem: (group, path) for path in files}
    return sets


def load_detection(path: Path) -> tuple[np.ndarray, ...]:
    """X and y (1 for anomalies) or, of OddBench, X_train (normal), X_test and y_test."""
    with np.load(path) as file:
        names = ("X_train", "X_test", "y_test") if "X_train" in file else ("X", "y")
        *tables, y = (file[name] for name in names)
        return (*(np.asarray(table, dtype=np.float64) for table in tables), np.asarray(y).ravel())


def load_mnist(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """Pixels in [0, 1] as float32 and labels, training and test rows; None if the file is missing."""
    path = folder / "mnist.npz"
    if not path.exists():
        print(f"No {path}: MNIST is left out.", file=sys.stderr)
        return None
    with np.load(path) as file:
        pixels = [np.float32(file[name]) / np.float32(255) for name in ("X_train", "X_test")]
        return pixels[0], file["y_train"], pixels[1], file["y_test"]


def reduction_sets(folder: Path) -> dict:
    """Name and loader (of X, y and whether they are pictures) of every set for dimensionality reduction."""
    sets = {
        "digits": lambda: (*load_digits(return_X_y=True), True),
        "breast_cancer": lambda: (*load_breast_cancer(return_X_y=True), False),
    }
    mnist = load_mnist(folder)
    if mnist is not None:
        sets["mnist"] = lambda: (mnist[0][:10_000], mnist[1][:10_000], True)
    for name, path in adbench_files(folder).items():
        # ADBench's own "mnist" is another set: 100 of the pixels, two of the digits.
        sets["adbench_mnist" if name == "mnist" else name] = lambda path=path: (*load_adbench(path), False)
    return sets


def heavy_tailed_sets(seed: int) -> dict:
    """Name and loader, as `reduction_sets` has them, of made sets of which a few rows have most of the variance."""
    laws = {
        "student_t": lambda rng, n, d: rng.standard_t(2, size=(n, d)),
        "mixed_student_t": lambda rng, n, d: rng.standard_t(2, size=(n, d)) @ rng.normal(size=(d, d)),
        "exp_factors": lambda rng, n, d: np.exp(
            rng.normal(size=(n, 3)) @ rng.normal(size=(3, d)) + 0.1 * rng.normal(size=(n, d))
        ),
        "cauchy": lambda rng, n, d: rng.standard_cauchy(size=(n, d)),
    }
    return {
        f"{name}_{n}x{d}": lambda law=law, n=n, d=d: (law(np.random.RandomState(seed), n, d), np.arange(n) % 2, False)
        for name, law in laws.items()
        for n, d in ((300, 10), (1000, 40), (2000, 20), (5000, 10))
    }


def load_adbench(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path) as file:
        return np.asarray(file["X"], dtype=np.float64), np.asarray(file["y"]).ravel()


def subsample(X: np.ndarray, y: np.ndarray, max_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `max_rows` rows, stratified by y."""
    if len(X) <= max_rows:
        return X, y
    X, _, y, _ = train_test_split(X, y, train_size=max_rows, random_state=seed, stratify=y)
    return X, y


def split_for_reduction(X, y, is_picture: bool, seed: int):
    """80 % to train and 20 % to test; pictures divided by their maximum, other features standardised."""
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=seed)
    if is_picture:
        brightest = X_train.max()
        return X_train / brightest, X_test / brightest, y_train, y_test
    scaler = StandardScaler().fit(X_train)
    return scaler.transform(X_train), scaler.transform(X_test), y_train, y_test
