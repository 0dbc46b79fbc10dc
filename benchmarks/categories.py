"""Categorical features: the detector given categories against one-hot columns and ordinal codes given as numbers.

    OMP_NUM_THREADS=1 python benchmarks/categories.py

Eleven tables. Seven are made, of 1,500 training rows; their outliers contradict themselves across columns, are mixed
from two rows, or have more rare categories. Four are scikit-learn's own data (breast_cancer, wine, digits, diabetes),
with every other column cut into 5 categories at quantiles; their outliers are malignant cells, the third wine, the
digit 8, and rows whose columns are each of another patient. Categories of binned columns keep the order of the values
in their names, which ordinal codes then have; those of made tables have none.

Protocol N: training rows are normal, ``novelty=True``. Protocol U: 5 % of the training rows are outliers,
``novelty=False``. Test rows are new, half of them outliers (of real tables, all that there are). Printed are the means
of the ROC-AUC over the seeds, for each table and over all tables, and paired Wilcoxon tests over tables and seeds. How
skae treats categories was chosen on seeds 0 to 2 of the same tables; the seeds here, 3 to 5, draw other rules and rows
for the made tables and split the real ones otherwise.

All at their defaults. skae: categories as they are; "one-hot" and "ordinal": scikit-learn's OneHotEncoder
(``handle_unknown="ignore"``) and OrdinalEncoder (unknown ones -1) before it. Peers: IsolationForest, and the distance
to the fifth nearest row (kNN), each after either encoder; for kNN numbers and ordinal codes are standardised, and
one-hot columns are divided by sqrt(2), so that two categories are one unit apart, or standardised as well.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _detectors import Neighbours, Sklearn
from _results import save
from scipy.stats import wilcoxon
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from skae import AutoencoderOutlierDetector

N_ROWS, N_TEST, N_OUTLIERS, SHARE_IN_TRAINING = 1500, 500, 500, 0.05
N_BINS = 5


def frame(categories: dict, numbers: dict | None = None) -> pd.DataFrame:
    """Categories, numbered in any order, as strings, and numbers."""
    named = {name: pd.Categorical([f"c{value}" for value in values]) for name, values in categories.items()}
    return pd.DataFrame(named | (numbers or {}))


def zipf(rng, n_categories: int, size: int) -> np.ndarray:
    """Categories from the most to the least frequent one, by Zipf's law."""
    share = 1.0 / np.arange(1, n_categories + 1)
    return rng.choice(n_categories, size=size, p=share / share.sum())


def noise_columns(rng, n: int) -> tuple[dict, dict]:
    """Columns that say nothing of each other or of any other."""
    categories = {f"noise{k}": zipf(rng, k, n) for k in (3, 6, 12)}
    return categories, {f"x{j}": rng.normal(size=n) for j in range(3)}


def pair_table(seed: int, n: int, is_outlier: np.ndarray, n_categories: int, n_groups: int):
    """A column says which group the other belongs to; outliers have another group."""
    law, rng = np.random.RandomState(1000 + seed), np.random.RandomState(seed)
    group_of = law.permutation(np.arange(n_categories) % n_groups)
    popular = law.permutation(n_categories)
    item = popular[zipf(rng, n_categories, n)]
    group = (group_of[item] + is_outlier * rng.randint(1, n_groups, size=n)) % n_groups
    categories, numbers = noise_columns(rng, n)
    return frame({"item": item, "group": group} | categories, numbers)


def triple_table(seed: int, n: int, is_outlier: np.ndarray):
    """Any two of three columns are independent; two say what the third is."""
    law, rng = np.random.RandomState(1000 + seed), np.random.RandomState(seed)
    names = [law.permutation(4) for _ in range(3)]
    first, second = rng.randint(4, size=(2, n))
    third = (first + second + is_outlier * rng.randint(1, 4, size=n)) % 4
    categories = {
        f"part{j}": name[part] for j, (name, part) in enumerate(zip(names, (first, second, third), strict=True))
    }
    return frame(categories | {"noise3": zipf(rng, 3, n)}, {"x0": rng.normal(size=n)})


def shift_table(seed: int, n: int, is_outlier: np.ndarray, n_categories: int):
    """Numbers whose means depend on a category; outliers have those of another."""
    law, rng = np.random.RandomState(1000 + seed), np.random.RandomState(seed)
    means, popular = law.normal(size=(n_categories, 2)), law.permutation(n_categories)
    item = popular[zipf(rng, n_categories, n)]
    other = np.where(is_outlier, (item + rng.randint(1, n_categories, size=n)) % n_categories, item)
    values = means[other] + 0.3 * rng.normal(size=(n, 2))
    categories, numbers = noise_columns(rng, n)
    return frame({"item": item} | categories, {"mean0": values[:, 0], "mean1": values[:, 1]} | numbers)


def cluster_table(seed: int, n: int, is_outlier: np.ndarray):
    """Categories and numbers that depend on a hidden cluster; outliers have columns of two clusters."""
    law, rng = np.random.RandomState(1000 + seed), np.random.RandomState(seed)
    cluster = rng.randint(8, size=n)
    columns = {}
    for j in range(8):
        own = np.where(is_outlier & (rng.uniform(size=n) < 0.5), (cluster + rng.randint(1, 8, size=n)) % 8, cluster)
        share = law.dirichlet(np.full(4 + 2 * j, 0.3), size=8)
        columns[f"c{j}"] = [rng.choice(share.shape[1], p=share[each]) for each in own]
    means = law.normal(size=(8, 4))
    numbers = {f"x{j}": means[cluster, j] + 0.4 * rng.normal(size=n) for j in range(4)}
    return frame(columns, numbers)


def rare_table(seed: int, n: int, is_outlier: np.ndarray):
    """Ten columns without any dependence; outliers draw more evenly, so that rare categories are frequent."""
    law, rng = np.random.RandomState(1000 + seed), np.random.RandomState(seed)
    columns = {}
    for j in range(6):
        n_categories, name = 5 + 9 * j, law.permutation(5 + 9 * j)
        even = rng.randint(n_categories, size=n)
        columns[f"c{j}"] = name[np.where(is_outlier & (rng.uniform(size=n) < 0.4), even, zipf(rng, n_categories, n))]
    return frame(columns, {f"x{j}": rng.normal(size=n) for j in range(4)})


MADE = {
    "pair, 8 categories": lambda *rows: pair_table(*rows, 8, 4),
    "pair, 50 categories": lambda *rows: pair_table(*rows, 50, 8),
    "triple": triple_table,
    "shift, 6 categories": lambda *rows: shift_table(*rows, 6),
    "shift, 50 categories": lambda *rows: shift_table(*rows, 50),
    "clusters": cluster_table,
    "rare": rare_table,
}


def made(table, seed: int, contaminated: bool):
    n_inside = round(SHARE_IN_TRAINING * N_ROWS) if contaminated else 0
    is_outlier = np.zeros(N_ROWS + N_TEST + N_OUTLIERS, dtype=bool)
    is_outlier[:n_inside] = is_outlier[N_ROWS + N_TEST :] = True
    X = table(seed, len(is_outlier), is_outlier)
    return X[:N_ROWS], X[N_ROWS:], is_outlier[N_ROWS:]


def binned(X: pd.DataFrame) -> pd.DataFrame:
    """Every other column cut at quantiles."""
    X = X.copy()
    for name in X.columns[::2]:
        X[name] = pd.qcut(X[name].rank(method="first"), N_BINS, labels=list("abcde")).astype("category")
        X[name] = X[name].cat.as_unordered()
    return X


def real_tables() -> dict:
    """Names, frames and which rows are outliers."""
    cells, wine = load_breast_cancer(as_frame=True), load_wine(as_frame=True)
    pixels, digit = load_digits(return_X_y=True)
    blocks = pixels.reshape(-1, 4, 2, 4, 2).sum(axis=(2, 4)).reshape(-1, 16)
    patients = load_diabetes(as_frame=True, scaled=False).data
    columns = [patients[name].sample(frac=1.0, random_state=j, ignore_index=True) for j, name in enumerate(patients)]
    both = pd.concat([patients, pd.concat(columns, axis=1)], ignore_index=True)
    return {
        "breast_cancer": (binned(cells.data), cells.target.to_numpy() == 0),
        "wine": (binned(wine.data), wine.target.to_numpy() == 2),
        "digits": (binned(pd.DataFrame(blocks).add_prefix("block")), digit == 8),
        "diabetes": (binned(both), np.arange(len(both)) >= len(patients)),
    }


def real(X: pd.DataFrame, is_outlier: np.ndarray, seed: int, contaminated: bool):
    rng = np.random.RandomState(seed)
    normal, outliers = (rng.permutation(np.flatnonzero(which)) for which in (~is_outlier, is_outlier))
    n_train = round(0.6 * len(normal))
    n_inside = min(len(outliers) // 2, round(SHARE_IN_TRAINING * n_train)) if contaminated else 0
    train = np.concatenate([normal[:n_train], outliers[:n_inside]])
    test = np.concatenate([normal[n_train:], outliers[n_inside:]])
    return X.iloc[train], X.iloc[test], is_outlier[test]


def methods(novelty: bool, seed: int, X: pd.DataFrame) -> dict:
    categorical = list(X.select_dtypes("category").columns)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)

    def encoded(encoder, scaler="passthrough", together=False):
        own = ColumnTransformer([("categories", encoder, categorical)], remainder=scaler)
        return make_pipeline(own, StandardScaler()) if together else own

    def after(prepare, detector):
        return lambda train, test: detector.fit(prepare.fit_transform(train)).score(prepare.transform(test))

    def skae():
        return Sklearn(AutoencoderOutlierDetector(novelty=novelty, random_state=seed))

    units = make_pipeline(one_hot, FunctionTransformer(lambda indicators: indicators / np.sqrt(2)))
    forest = {
        f"IsolationForest, {name}": after(encoded(encoder), Sklearn(IsolationForest(random_state=seed)))
        for name, encoder in (("one-hot", one_hot), ("ordinal", ordinal))
    }
    return {
        "skae": lambda train, test: skae().fit(train).score(test),
        "skae, one-hot": after(encoded(one_hot), skae()),
        "skae, ordinal": after(encoded(ordinal), skae()),
        **forest,
        "kNN, one-hot": after(encoded(units, StandardScaler()), Neighbours()),
        "kNN, one-hot, standardised": after(encoded(one_hot, together=True), Neighbours()),
        "kNN, ordinal": after(encoded(ordinal, together=True), Neighbours()),
    }


def run(protocol: str, seeds: list[int], names: list[str] | None, wanted: list[str] | None) -> pd.DataFrame:
    rows, real_data = [], real_tables()
    for name in [*MADE, *real_data]:
        if names and name not in names:
            continue
        for seed in seeds:
            if name in MADE:
                train, test, y = made(MADE[name], seed, protocol == "U")
            else:
                train, test, y = real(*real_data[name], seed, protocol == "U")
            for method, scores in methods(protocol == "N", seed, train).items():
                if not wanted or method in wanted:
                    auc = roc_auc_score(y, scores(train, test))
                    rows.append({"protocol": protocol, "table": name, "seed": seed, "method": method, "auc": auc})
        own = pd.DataFrame(rows)
        print(
            own[own["table"] == name].groupby("method", sort=False)["auc"].mean().round(3).rename(name).to_frame().T,
            flush=True,
        )
    return pd.DataFrame(rows)


def report(results: pd.DataFrame) -> pd.DataFrame:
    """Print the means of each table; return by how much skae is above the others in each cell."""
    cells = results.pivot_table(index=["table", "seed"], columns="method", values="auc", sort=False)
    means = cells.groupby(level="table", sort=False).mean()
    encoded = [method for method in ("skae, one-hot", "skae, ordinal") if method in cells]
    better = means[encoded].idxmax(axis=1)  # of each table, by the rows that it is judged by
    means.loc["all"] = means.mean()
    print(f"\nProtocol {results['protocol'].iloc[0]}, ROC-AUC, means over {results['seed'].nunique()} seed(s)")
    print(means.round(3).to_string())
    differences = pd.DataFrame({method: cells["skae"] - cells[method] for method in cells if method != "skae"})
    differences["skae, the better of the two"] = [
        cells.loc[cell, "skae"] - cells.loc[cell, better[cell[0]]] for cell in cells.index
    ]
    return differences


def report_differences(differences: pd.DataFrame, words: str) -> None:
    print(f"\nskae minus the other, {words}: mean, cells above / below, two-sided p of Wilcoxon's signed-rank test")
    for method, values in differences.items():
        p = wilcoxon(values.round(9)).pvalue
        print(f"{method:28s} {values.mean():+.3f}  {(values > 0).sum():3d} / {(values < 0).sum():3d}  {p:.2g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocols", nargs="+", default=["N", "U"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 4, 5])
    parser.add_argument("--tables", nargs="+", help="all without it")
    parser.add_argument("--methods", nargs="+", help="all without it")
    parser.add_argument(
        "--out", type=Path, default=Path("benchmark_results"), metavar="DIR", help="where to write CSVs"
    )
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # encoders warn of unknown categories
    found = []
    for protocol in arguments.protocols:
        results = run(protocol, arguments.seeds, arguments.tables, arguments.methods)
        save(results, arguments.out, f"categories_{protocol}")
        found.append(report(results))
        report_differences(found[-1], f"protocol {protocol}")
    report_differences(pd.concat(found), "all protocols")


if __name__ == "__main__":
    main()
