"""Tables of the transformer: one function each, registered in `tables.py`."""

from __future__ import annotations

import pandas as pd
from _results import load, number, with_best_bold

# --- Reducers


def reduction_cells(name: str = "reduction") -> pd.DataFrame:
    """The mean of every measure over the splits of each cell, one column for each measure and method."""
    results = load(name)
    measures = ["r2", "neighbours", "fit_s"]
    return results.groupby(["dataset", "k", "method"])[measures].mean().unstack()


def share_removed(cells: pd.DataFrame) -> pd.DataFrame:
    """The share of PCA's error on test rows that each method removes."""
    r2 = cells["r2"]
    return r2.sub(r2["PCA"], axis=0).div(1 - r2["PCA"], axis=0)


def reducers() -> pd.DataFrame:
    from reduction import TEN_SETS

    cells = reduction_cells()
    r2 = cells["r2"]
    share = share_removed(cells).loc[[(name, 8) for name in TEN_SETS]].mean()
    below = (r2.sub(r2["PCA"], axis=0) < -0.002).sum()
    labels = {
        "skae": "**skae, defaults**",
        "skorch": "skorch, 100 epochs, best kept",
        "HyperTools": "HyperTools, 100 epochs",
        "PCA": "PCA",
        "MLPRegressor": "MLPRegressor(X, X)",
        "KernelPCA": "KernelPCA (2,000 rows)",
    }
    rows = {
        label: {
            "mean test R²": number(r2[name].mean()),
            "cells below PCA": "–" if name == "PCA" else below[name],
            "PCA's error removed, 10 sets, k=8": "–" if name == "PCA" else number(share[name]),
            "5-NN accuracy": number(cells["neighbours", name].mean()),
            "median fit": f"{cells['fit_s', name].median():.{3 if name == 'PCA' else 1}f} s",
        }
        for name, label in labels.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def bfloat16() -> pd.DataFrame:
    columns = {"PCA": "PCA", "skae": "float32", "skae, bfloat16": "bfloat16"}
    cells = load("bfloat16_3_splits").pivot_table("r2", ["dataset", "n", "d"], "method", sort=False)
    table = cells[list(columns)].map(number, digits=4).rename(columns=columns)
    return table.set_axis([f"{name}, {n:,} × {d}" for name, n, d in cells.index])


# --- Other members of the family


def maps() -> pd.DataFrame:
    names = {"skae, neighbors": '**skae, `code="neighbors"`**', "skae": "skae", "PCA": "PCA", "KernelPCA": "KernelPCA"}
    names |= {"UMAP": "UMAP", "PaCMAP": "PaCMAP", "t-SNE": "t-SNE (openTSNE)"}
    means = load("maps").groupby(["method", "dataset"]).mean(numeric_only=True).unstack()
    columns = {}
    for dataset, title in (("digits", "digits: "), ("mnist", "MNIST: ")):
        for measure, word, digits in (("neighbours", "neighbours", 3), ("r2", "R²", 2), ("moved", "seeds", 2)):
            values = means[measure, dataset]
            columns[title + word] = values.map(number, digits=digits).where(values.notna(), "–")
    table = pd.DataFrame(columns)
    return table.loc[[name for name in names if name in table.index]].rename(index=names).rename_axis(None)


def missing_values() -> pd.DataFrame:
    columns = {
        "skae": "skae",
        "skae, untrained": "Gaussian fill alone",
        "IterativeImputer": "ridge",
        "IterativeImputer, trees": "trees",
        "KNNImputer": "KNNImputer",
        "mean": "mean",
    }
    index = ["dataset", "rows", "features", "missing"]
    cells = load("missing_values").pivot_table("rmse", index, "method", sort=False)[list(columns)]
    table = cells.map(number).rename(columns=columns)
    table.insert(0, "missing", [f"{missing:.0%}".replace("%", " %") for *_, missing in cells.index])
    names = [f"{name.split(',')[0]}, {rows:,} × {features}" for name, rows, features, _ in cells.index]
    return table.set_axis(["" if name in names[:i] else name for i, name in enumerate(names)])


def ordered_codes() -> pd.DataFrame:
    cells = load("ordered_codes").set_index(["dataset", "method", "components"])["r2"]
    rows = {}
    for name, own in cells.groupby("dataset", sort=False):
        r2 = own.droplevel("dataset")
        row = {
            f"j = {j}": " / ".join(number(r2[method, j]) for method in ("prefix", "own model", "PCA"))
            for j in (1, 2, 4, 8)
        }
        (n, explained), (n_pca, _) = (next(r2[f"{method}, 0.9"].items()) for method in ("ordered", "PCA"))
        rows[name] = row | {"for 90 %": f"{n} (R² {number(explained)}), PCA {n_pca}"}
    return pd.DataFrame.from_dict(rows, orient="index")


def sparse_codes() -> pd.DataFrame:
    results = load("sparse_codes").set_index(["dataset", "active", "method"])
    rows = {}
    for dataset, active, length in (
        ("digits", 2, 64),
        ("digits", 2, 256),
        ("digits", 4, 64),
        ("digits", 4, 256),
        ("mnist", 5, 256),
        ("mnist", 10, 256),
    ):
        own, code = results.loc[dataset, active], f"{active} of {length}"
        methods = {"PCA, $k$": f"PCA, {active}", "PCA, $10k$": f"PCA, {10 * active}"}
        methods |= {"dictionary": f"dictionary, {code}", "skae": f"skae, {code}"}
        accuracy = {heading: own.loc[method, "accuracy"] for heading, method in methods.items()}
        r2 = {f"R² {name}": own.loc[methods[name], "R²"] for name in ("dictionary", "skae")}
        rows[f"{dataset.replace('mnist', 'MNIST')}, {code}"] = accuracy | r2
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("data, active of length")
    return with_best_bold(table.iloc[:, :4]).join(table.iloc[:, 4:].map(number))


def text() -> pd.DataFrame:
    shares = load("text").query("k > 0").pivot_table("as they are", ["k", "split"], "method")
    gain = (shares["skae"] - shares["LSA"]).groupby("k")
    table = with_best_bold(shares.groupby("k").mean()[["LSA", "PCA", "skae"]], 1)
    one_digit = "{:.1f}".format
    table["gain over LSA"], table["lowest gain of three"] = gain.mean().map(one_digit), gain.min().map(one_digit)
    return table.rename_axis("numbers per document")


def convolutional() -> pd.DataFrame:
    columns = {"PCA": "PCA", "dense": "dense default", "convolutional": "`ConvolutionalNetwork`"}
    cells = load("convolutional").pivot_table("r2", "k", "method")[list(columns)]
    return with_best_bold(cells.rename(columns=columns)).rename_axis("code size")


def denoising() -> pd.DataFrame:
    results = load("denoising").replace(
        {"mnist": "MNIST", "gaussian": "Gaussian", "salt_and_pepper": "salt and pepper"}
    )
    results[""] = results["dataset"] + ", " + results["noise"] + " " + results["level"].map(number, digits=1)
    cells = results.pivot_table("psnr", "", "method", sort=False)
    return with_best_bold(cells[["noisy", "median filter", "non-local means", "PCA", "skae"]], 2)


def groups() -> pd.DataFrame:
    columns = {
        ("claimed", "without groups"): "claimed without `groups`",
        ("new", "without groups"): "new groups",
        ("claimed", "with groups"): "claimed with `groups`",
        ("new", "with groups"): "new groups",
        ("new", "PCA"): "PCA",
    }
    labels = {
        "subjects": "subjects, as above",
        "heavy_tails": "the same with heavy tails",
        "curved": "a curved surface that all share, plus an offset per subject",
        "windows": "overlapping windows, one signal per group",
    }
    means = load("groups_transformer").pivot_table(["claimed", "new"], "kind", "method", sort=False)
    table = means[list(columns)].map(number, digits=2).rename(index=labels)
    return table.set_axis(list(columns.values()), axis=1).rename_axis("ten rows each of")


def variational() -> pd.DataFrame:
    labels = {
        "score_samples, all rows": "`score_samples`, 10,000 rows",
        "score_samples, first rows": "`score_samples`, first 2,000 rows",
        "draws, first rows": "100 draws, the same rows",
        "importance-weighted, first rows": "importance-weighted bound of those draws (Burda et al. 2016)",
    }
    cells = load("variational").pivot(index="measure", columns="model", values="value")[["untrained", "trained"]]
    table = cells.loc[list(labels)].map(number, digits=2).rename(index=labels)
    table.columns = ["before training", "trained, defaults"]
    table.iloc[0, 1] = f"**{table.iloc[0, 1]}**"
    return table.rename_axis("nats per test picture, MNIST with pixels > 0.5 set to one")


def generation() -> pd.DataFrame:
    labels = {
        "digits, test rows": "*digits*: half of the test pictures against the other half",
        "mnist, test rows": "*MNIST* (5,000 rows): test pictures against each other",
        "skae": "**skae**",
        "skae, variational": 'skae, `code="variational"`',
        "skae, variational, cross-entropy": "the same, cross-entropy",
        "PCA + mixture": "PCA and Gaussians",
    }
    rows = []
    for dataset, own in load("generation").groupby("dataset", sort=False):
        own = own.set_index("method").drop(columns="dataset").rename({"test rows": f"{dataset}, test rows"})
        table = own.apply(
            lambda column: column.map(number, digits=3 if column.name in ("recognised", "coverage") else 2)
        )
        best = {"coverage": own["coverage"].iloc[1:].idxmax(), "novelty": (own["novelty"].iloc[1:] - 1).abs().idxmin()}
        for column, method in best.items():
            table.loc[method, column] = f"**{table.loc[method, column]}**"
        rows.append(table.rename(index=labels))
    return pd.concat(rows).rename_axis(None)


def partial_fit() -> pd.DataFrame:
    labels = {
        "PCA": "PCA",
        "IncrementalPCA, chunks": "IncrementalPCA",
        "skae, fit(max_iter=1)": "`fit(max_iter=1)`",
        "skae, fit(max_iter=3)": "`fit(max_iter=3)`",
        "skae, chunks, once": "**`partial_fit`, 30 chunks of 2,000, once**",
        "skae, chunks, three times": "**the same, three times**",
        "skae, chunks a twentieth as large, once": "`partial_fit`, 600 chunks of 100, once",
        "skae, fit on a sixth": "`fit` on the first 10,000 rows",
        "skae, fit on a sixth, chunks of the rest": "the same, then `partial_fit` on 25 chunks of 2,000",
        "skae, fit": "`fit` on all 60,000",
    }
    r2 = load("partial_fit").set_index("method")["r2"].map(number)
    return r2.loc[list(labels)].rename(index=labels).to_frame("R²").rename_axis(None)
