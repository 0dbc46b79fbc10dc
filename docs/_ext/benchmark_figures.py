"""The figures of the landing page, drawn from the tables of the README."""

import re
from pathlib import Path

import numpy as np

README = Path(__file__).parents[2] / "README.md"
OURS, OTHERS = "#0072B2", "#9AA5B1"


def table_below(heading):
    """The cells of the first table below a heading, without its header."""
    section = README.read_text(encoding="utf-8").split(f"## {heading}\n")[1]
    lines = re.search(r"(?:^\|.*\n)+", section, flags=re.M).group().splitlines()[2:]
    return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines]


def bars(ax, names, values):
    """Draw one bar per method, the longest first."""
    names, values = zip(*sorted(zip(names, values, strict=True), key=lambda bar: -bar[1]), strict=True)
    colors = [OURS if name == "skae" or name.startswith("skae, defaults") else OTHERS for name in names]
    drawn = ax.barh(names, values, color=colors)
    ax.bar_label(drawn, [f"{value:.3f}".lstrip("0") for value in values], padding=3)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.spines[["top", "right"]].set_visible(False)


def draw_reducers(file):
    """Draw the R² of the transformer and its peers."""
    from matplotlib.figure import Figure

    rows = table_below("Against PCA and other reducers")
    figure = Figure(figsize=(6.5, 3.2), layout="constrained")
    ax = figure.subplots()
    bars(ax, [row[0] for row in rows], [float(row[1]) for row in rows])
    figure.suptitle("Mean R² on test rows, 71 cells")
    figure.savefig(file, dpi=160)


def draw_detectors(file):
    """Draw the ROC-AUC of the detector and its peers."""
    from matplotlib.figure import Figure

    rows = table_below("Against other outlier detectors")
    figure = Figure(figsize=(6.5, 4.8), layout="constrained")
    ax = figure.subplots()
    # The ROC-AUC of the three groups of sets, fitted to normal rows, weighted by the sizes of the groups.
    auc = np.array([[float(cell.split("/")[0]) for cell in row[1:4]] for row in rows])
    values = auc @ [22, 16, 80] / 118
    bars(ax, [row[0].replace("`", "") for row in rows], values)
    ax.set_xlim(0.5, 0.9)
    ax.set_xlabel("0.5 is chance")
    figure.suptitle("Mean ROC-AUC over 118 sets, fitted to normal rows")
    figure.savefig(file, dpi=160)


def draw(app):
    """Draw both where the landing page looks for them."""
    folder = Path(app.srcdir) / "generated"
    folder.mkdir(exist_ok=True)
    draw_reducers(folder / "benchmark_transformer.png")
    draw_detectors(folder / "benchmark_detector.png")


def setup(app):
    """Connect to Sphinx, before it looks for pictures."""
    app.connect("builder-inited", draw)
    return {"parallel_read_safe": True}
