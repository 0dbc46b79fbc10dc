"""Tables of README and docs, made from the CSVs in `results/`.

    python benchmarks/tables.py

writes the tables again, each below a line ``<!-- table: NAME -->``. To renew the numbers themselves, run a benchmark
with ``--out benchmarks/results`` first. The tests compare the pages with what this would write.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
from _results import load, markdown, number, p_value, paired_p, pairs, with_best_bold

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
GROUPS = {"adbench": "ADBench", "more": "others", "oddbench": "OddBench"}


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
            "PCA's error removed, 10 sets, k=8": number(share[name]),
            "5-NN accuracy": number(cells["neighbours", name].mean()),
            "median fit": f"{cells['fit_s', name].median():.{3 if name == 'PCA' else 1}f} s",
        }
        for name, label in labels.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


# --- Outlier detectors


def detection_cells(name: str) -> pd.DataFrame:
    """The mean of every measure over the splits of each set, one column for each measure and detector."""
    results = load(name)
    measures = ["roc_auc", "average_precision", "fit_cpu_s", "score_cpu_s"]
    return results.groupby(["group", "dataset", "method"])[measures].mean().unstack()


def detectors() -> pd.DataFrame:
    labels = {
        "skae": "**skae**",
        "skae-reconstruction": 'skae, `method="reconstruction"`',
        "kNN": "kNN",
        "kNN on ranks": "kNN on ranks",
        "LocalOutlierFactor": "LocalOutlierFactor",
        "IsolationForest": "IsolationForest",
        "Mahalanobis": "Mahalanobis (Ledoit-Wolf)",
        "PyOD-AutoEncoder": "PyOD AutoEncoder",
        "PyOD-LUNAR": "PyOD LUNAR",
        "PyOD-ECOD": "PyOD ECOD",
    }
    columns, headings, spent = [], [], []
    for protocol, word in (("N", "novelty: "), ("U", "unlabelled: ")):
        cells = detection_cells(f"outliers_{protocol}").reindex(columns=list(labels), level="method")
        means = cells.groupby("group").mean()
        # A detector that was not run on all sets of a group has no mean there.
        means = means.where(cells.groupby("group").count().eq(cells.groupby("group").size(), axis=0))
        for group, title in GROUPS.items():
            auc, precision = means.loc[group, "roc_auc"], means.loc[group, "average_precision"]
            headings.append(word + title if group == "adbench" else title)
            columns.append((auc.map(number) + " / " + precision.map(number)).where(auc.notna(), "–"))
        total = (cells["fit_cpu_s"] + cells["score_cpu_s"]).sum(skipna=False)
        spent.append([("–" if pd.isna(total[name]) else str(max(1, round(total[name])))) for name in labels])
    table = pd.concat(columns, axis=1).loc[list(labels)].rename(index=labels)
    table.columns = headings
    return table.assign(seconds=[", ".join(pair) for pair in zip(*spent, strict=True)])


def components(protocol: str) -> pd.DataFrame:
    results = load(f"outlier_components_{protocol}")
    cells = results.pivot_table(["roc_auc", "average_precision"], ["group", "dataset"], "components", sort=False)
    auc, precision = cells["roc_auc"], cells["average_precision"]
    order = [name for name in results["components"].unique() if name != "unweighted" or protocol == "N"]
    order.sort(key=lambda name: (name.startswith("without"), name.endswith("alone")))
    means = {measure: cells[measure].groupby("group").mean().T for measure in ("roc_auc", "average_precision")}
    table = pairs(means["roc_auc"], means["average_precision"])[list(GROUPS)]
    table.columns = [f"{title} ({len(auc.loc[group])})" for group, title in GROUPS.items()]
    table["p"] = [
        ", ".join(filter(None, (p_value(paired_p(each["all"], each[name])) for each in (auc, precision))))
        for name in table.index
    ]
    table.index.name = None
    return table.loc[order]


def categories() -> pd.DataFrame:
    columns = {"skae": "categories", "skae, one-hot": "one-hot", "skae, ordinal": "ordinal"}
    columns["kNN, one-hot, standardised"] = "kNN"
    tables = {}
    for protocol in "NU":
        results = load(f"categories_{protocol}")
        means = results.pivot_table("auc", "table", "method", sort=False)[list(columns)].rename(columns=columns)
        means.loc["mean"] = means.mean()
        tables[protocol] = with_best_bold(means)
    table = pd.concat(tables.values(), axis=1)
    table.columns = [
        f"{protocol}: {name}" if name == "categories" else name for protocol in "NU" for name in columns.values()
    ]
    return table.rename_axis(None)


TABLES = {
    "reducers": reducers,
    "detectors": detectors,
    "components-N": lambda: components("N"),
    "components-U": lambda: components("U"),
    "categories": categories,
}


def with_tables(page: str) -> str:
    """A page with all its tables made again."""
    return re.sub(
        r"(<!-- table: (\S+) -->\n\n)(?:\|.*\n)*", lambda found: found[1] + markdown(TABLES[found[2]]()), page
    )


def main() -> None:
    for path in PAGES:
        page = path.read_text(encoding="utf-8")
        if (new := with_tables(page)) != page:
            path.write_text(new, encoding="utf-8")
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
