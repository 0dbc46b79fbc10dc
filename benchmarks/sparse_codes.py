"""Sparse codes: how many zeros, and how much of what PCA's longer codes say a few active units say.

    python benchmarks/sparse_codes.py --data DIR

First table: `sparsity` as a float on digits, the share of zeros and R² on test rows. Second: accuracy on test rows of
logistic regression on the codes, each feature divided by its deviation, C of four by 3-fold cross-validation. Codes of
k active units stand against PCA's of k and of ten times as many components, and against dictionaries of as many atoms
fitted by MiniBatchDictionaryLearning and coded by orthogonal matching pursuit with k non-zero coefficients. "units
used" counts the components that are not zero on some training row.
"""

from __future__ import annotations

import argparse
import warnings

import _data
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, MiniBatchDictionaryLearning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer

LEVELS = (0.05, 0.1, 0.2, 0.5, 1.0)
PENALTIES = (0.001, 0.01, 0.1, 1.0)
# Numbers of active units and lengths of code.
SETTINGS = {"digits": ((2, 4), (64, 256)), "mnist": ((5, 10), (256,))}
N_MNIST_TRAIN = 10_000


def load(name: str, folder):
    """Training and test rows, training and test labels; None if they are not there."""
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        return train_test_split(X / 16, y, test_size=0.25, stratify=y, random_state=0)
    mnist = _data.load_mnist(folder)
    if mnist is None:
        return None
    X_train, y_train, X_test, y_test = mnist
    return X_train[:N_MNIST_TRAIN], X_test, y_train[:N_MNIST_TRAIN], y_test


class Dictionary:
    """MiniBatchDictionaryLearning about the mean, coded by orthogonal matching pursuit."""

    def __init__(self, n_atoms: int, n_active: int) -> None:
        self.model = MiniBatchDictionaryLearning(
            n_atoms, alpha=0.2, batch_size=256, max_iter=30, transform_algorithm="omp",
            transform_n_nonzero_coefs=n_active, random_state=0,
        )  # fmt: skip

    def fit(self, X):
        self.mean = X.mean(axis=0)
        self.model.fit(X - self.mean)
        return self

    def transform(self, X):
        return self.model.transform(X - self.mean)

    def inverse_transform(self, codes):
        return codes @ self.model.components_ + self.mean


def explained(model, X_train, X_test) -> float:
    error = np.square(X_test - model.inverse_transform(model.transform(X_test))).sum()
    return 1 - error / np.square(X_test - X_train.mean(axis=0)).sum()


def probe(model, X_train, X_test, y_train, y_test) -> dict:
    codes, codes_test = model.transform(X_train), model.transform(X_test)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, tol=1e-3))
    search = GridSearchCV(classifier, {"logisticregression__C": PENALTIES}, cv=3).fit(codes, y_train)
    return {
        "active": (codes_test != 0).sum(axis=1).mean(),
        "units used": int((codes != 0).any(axis=0).sum()),
        "R²": explained(model, X_train, X_test),
        "accuracy": search.score(codes_test, y_test),
    }


def models(n_active: int, lengths: tuple[int, ...]):
    """Description and reducer of everything compared at a number of active units."""
    for k in (n_active, 10 * n_active):
        yield f"PCA, {k}", PCA(k, random_state=0)
    for n in lengths:
        yield f"dictionary, {n_active} of {n}", Dictionary(n, n_active)
        yield f"skae, {n_active} of {n}", AutoencoderTransformer(n, sparsity=n_active, random_state=0)


def share_of_zeros(X_train, X_test, y_train, y_test) -> pd.DataFrame:
    rows = {}
    for level in LEVELS:
        model = AutoencoderTransformer(64, sparsity=level, random_state=0).fit(X_train)
        zeros = float(np.mean(model.transform(X_test) == 0))
        rows[level] = {"share of zeros": zeros, "R²": explained(model, X_train, X_test)}
    return pd.DataFrame(rows).T.rename_axis("sparsity")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _data.add_arguments(parser)
    folder = parser.parse_args().data
    print(share_of_zeros(*load("digits", folder)).round(3).to_string(), flush=True)
    for name, (active, lengths) in SETTINGS.items():
        split = load(name, folder)
        for n_active in active if split is not None else ():
            rows = {text: probe(model.fit(split[0]), *split) for text, model in models(n_active, lengths)}
            print(f"\n{name}, {n_active} active\n{pd.DataFrame(rows).T.round(3).to_string()}", flush=True)


if __name__ == "__main__":
    # Probes and networks that stop at their limit warn once a cell.
    warnings.simplefilter("ignore")
    main()
