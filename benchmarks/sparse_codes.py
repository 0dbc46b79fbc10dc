"""Sparse codes: how much a few active components say, against PCA's longer codes and against dictionaries.

    python benchmarks/sparse_codes.py --data DIR

Prints R² on test rows, and the accuracy on test rows of logistic regression on the codes, each feature divided by its
deviation, C of four by 3-fold cross-validation. Codes of k active components (`code="sparse"`, `n_nonzero=k`) are
compared with PCA's of k and of ten times as many components, and with dictionaries of as many atoms fitted by
MiniBatchDictionaryLearning and coded by orthogonal matching pursuit with k non-zero coefficients. "components used"
counts the components that are not zero on some training row.
"""

from __future__ import annotations

import argparse
import warnings

import _data
import pandas as pd
from _results import explained, save
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, MiniBatchDictionaryLearning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer

PENALTIES = (0.001, 0.01, 0.1, 1.0)
# Numbers of active components and lengths of the code.
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


def probe(model, X_train, X_test, y_train, y_test) -> dict:
    codes, codes_test = model.transform(X_train), model.transform(X_test)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, tol=1e-3))
    search = GridSearchCV(classifier, {"logisticregression__C": PENALTIES}, cv=3).fit(codes, y_train)
    return {
        "found active": (codes_test != 0).sum(axis=1).mean(),
        "components used": int((codes != 0).any(axis=0).sum()),
        "R²": explained(X_test, model.inverse_transform(codes_test), X_train.mean(axis=0)),
        "accuracy": search.score(codes_test, y_test),
    }


def models(n_active: int, lengths: tuple[int, ...]):
    """Description and reducer of everything compared at a number of active components."""
    for k in (n_active, 10 * n_active):
        yield f"PCA, {k}", PCA(k, random_state=0)
    for n in lengths:
        yield f"dictionary, {n_active} of {n}", Dictionary(n, n_active)
        sparse = AutoencoderTransformer(n, code="sparse", n_nonzero=n_active, random_state=0)
        yield f"skae, {n_active} of {n}", sparse


def run(folder) -> pd.DataFrame:
    rows = []
    for name, (active, lengths) in SETTINGS.items():
        split = load(name, folder)
        for n_active in active if split is not None else ():
            for text, model in models(n_active, lengths):
                rows.append({"dataset": name, "active": n_active, "method": text} | probe(model.fit(split[0]), *split))
                print(*rows[-1].values(), flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _data.add_arguments(parser)
    arguments = parser.parse_args()
    # Probes and networks that stop at their limit warn once a cell.
    warnings.simplefilter("ignore")
    results = run(arguments.data)
    save(results, arguments.out, "sparse_codes")
    print(results.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
