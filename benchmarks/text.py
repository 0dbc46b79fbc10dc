"""Retrieval of text: skae after TfidfVectorizer, at its defaults, against latent semantic analysis.

    python benchmarks/text.py

The corpus is the documentation in the source of installed packages (`_docstrings.py`); two documents are related if
they document the same subpackage. Of every held-out document the ten nearest other held-out documents by cosine
distance between codes are looked up; the table holds the share of them that are related, in per cent, over three
splits. Peers: TruncatedSVD (LSA), PCA (LSA of centred rows). All codes are taken to unit length, as they are and, in
the second table, after division by their standard deviations over the training documents.
"""

from __future__ import annotations

import argparse
import warnings

import _docstrings
import numpy as np
import pandas as pd
from _results import add_out, save
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors

from skae import AutoencoderTransformer

CODE_SIZES = (8, 16, 32, 64)
N_SPLITS = 3
N_NEIGHBOURS = 10
REDUCERS = {
    "LSA": lambda k, seed: TruncatedSVD(k, n_iter=10, random_state=seed),
    "PCA": lambda k, seed: PCA(k, svd_solver="arpack", random_state=seed),
    "skae": lambda k, seed: AutoencoderTransformer(k, random_state=seed),
}


def related_share(codes, labels: np.ndarray) -> float:
    """Per cent of the nearest neighbours, a document itself left out, that have its label."""
    neighbours = NearestNeighbors(n_neighbors=N_NEIGHBOURS, metric="cosine").fit(codes)
    found = neighbours.kneighbors(return_distance=False)
    return 100 * float(np.mean(labels[found] == labels[:, np.newaxis]))


def run(texts: list[str], labels: np.ndarray) -> pd.DataFrame:
    rows = []
    for seed in range(N_SPLITS):
        train, test, _, y = train_test_split(texts, labels, test_size=1 / 3, stratify=labels, random_state=seed)
        vectorizer = TfidfVectorizer(
            min_df=5, max_features=4000, sublinear_tf=True, stop_words="english", token_pattern=r"[a-zA-Z]{2,}",
            dtype=np.float32,
        )  # fmt: skip
        X_train, X_test = vectorizer.fit_transform(train), vectorizer.transform(test)
        print(f"split {seed}: {X_train.shape[0]} + {X_test.shape[0]} documents, {X_train.shape[1]} words, "
              f"{len(set(y))} labels", flush=True)  # fmt: skip
        rows.append({"k": 0, "method": "tf-idf", "split": seed, "as they are": related_share(X_test, y)})
        for k in CODE_SIZES:
            for name, make in REDUCERS.items():
                reducer = make(k, seed).fit(X_train)
                codes, spread = reducer.transform(X_test), reducer.transform(X_train).std(axis=0)
                cell = {"k": k, "method": name, "split": seed}
                rows.append(cell | {"as they are": related_share(codes, y), "scaled": related_share(codes / spread, y)})
                print(*(f"{v:.1f}" if isinstance(v, float) else v for v in rows[-1].values()), flush=True)
    return pd.DataFrame(rows)


def report(results: pd.DataFrame) -> None:
    for column in ("as they are", "scaled"):
        shares = results.query("k > 0").pivot_table(index=["k", "split"], columns="method", values=column)
        table = shares.groupby("k").mean()[list(REDUCERS)]
        for peer in ("LSA", "PCA"):
            gain = shares["skae"] - shares[peer]
            table[f"skae - {peer}"] = gain.groupby("k").mean()
            table[f"lowest of {N_SPLITS}, {peer}"] = gain.groupby("k").min()
        print(f"\nCodes {column}: per cent of the {N_NEIGHBOURS} nearest that are related")
        print(table.round(1).to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_out(parser)
    arguments = parser.parse_args()
    # Networks that stop at their number of epochs warn once a cell.
    warnings.simplefilter("ignore")
    results = run(*_docstrings.load())
    save(results, arguments.out, "text")
    report(results)


if __name__ == "__main__":
    main()
