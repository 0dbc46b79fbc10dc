"""The figures of the landing page and of the benchmarks page, drawn from the CSVs in `benchmarks/results`."""

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
from _results import load  # noqa: E402

OURS, DOTS = "#0072B2", "#9AA5B1"


def interval(differences, n_draws=2000):
    """The mean, and 95 % of its bootstrap distribution; the cells of one data set are drawn together."""
    sums = differences.groupby("dataset").agg(["sum", "count"]).to_numpy()
    draws = np.random.default_rng(0).integers(len(sums), size=(n_draws, len(sums)))
    totals = sums[draws].sum(axis=1)
    return differences.mean(), *np.quantile(totals[:, 0] / totals[:, 1], [0.025, 0.975])


def differences_from(values, limits, ax):
    """Draw skae minus each peer: a dot for each cell, the mean and its interval; dots beyond the limits at the edge."""
    differences = values.drop(columns="skae").rsub(values["skae"], axis=0)
    order = differences.mean().sort_values().index
    rng = np.random.default_rng(0)
    ax.axvline(0, color="black", linewidth=0.8)
    for height, name in enumerate(order):
        own = differences[name].dropna()
        jitter = height + rng.uniform(-0.22, 0.22, size=len(own))
        ax.scatter(np.clip(own, *limits), jitter, s=9, color=DOTS, alpha=0.7, linewidth=0)
        mean, low, high = interval(own)
        ax.errorbar(mean, height, xerr=[[mean - low], [high - mean]], fmt="o", color=OURS, capsize=3, markersize=5)
        ax.annotate(f"{mean:+.3f}".replace("0.", "."), (1.02, height), xycoords=("axes fraction", "data"), va="center")
    ax.set_yticks(range(len(order)), order)
    span = limits[1] - limits[0]
    ax.set_xlim(limits[0] - 0.02 * span, limits[1] + 0.02 * span)
    ax.spines[["top", "right"]].set_visible(False)


def draw_reducers(file):
    """Draw by how much the transformer's R² is above its peers'."""
    from matplotlib.figure import Figure

    r2 = load("reduction").pivot_table("r2", ["dataset", "k"], "method")
    figure = Figure(figsize=(6, 3), layout="constrained")
    ax = figure.subplots()
    differences_from(r2, (-0.2, 0.5), ax)
    ax.set_xlabel("test R² of skae minus the peer's")
    figure.suptitle(f"{len(r2)} cells of {r2.index.unique('dataset').size} data sets; skae is better on the right")
    figure.savefig(file, dpi=160)


def draw_detectors(file):
    """Draw by how much the detector's ROC-AUC is above its peers', for clean and for unlabelled training rows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 6.6), layout="constrained")
    titles = {"N": "fitted to normal rows", "U": "fitted to all rows"}
    for ax, (protocol, title) in zip(figure.subplots(2, 1), titles.items(), strict=True):
        auc = load(f"outliers_{protocol}").pivot_table("roc_auc", ["group", "dataset"], "method")
        differences_from(auc.drop(columns="skae-reconstruction"), (-0.3, 0.5), ax)
        ax.set(title=title, xlabel="ROC-AUC of skae minus the peer's")
    figure.suptitle(f"{len(auc)} data sets; skae is better on the right")
    figure.savefig(file, dpi=160)


def draw(app):
    """Draw both where the pages look for them."""
    folder = Path(app.srcdir) / "generated"
    folder.mkdir(exist_ok=True)
    draw_reducers(folder / "benchmark_transformer.png")
    draw_detectors(folder / "benchmark_detector.png")


def setup(app):
    """Connect to Sphinx, before it looks for pictures."""
    app.connect("builder-inited", draw)
    return {"parallel_read_safe": True}
