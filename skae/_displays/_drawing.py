"""matplotlib where it is installed, colours that colour-blind readers can tell apart, and marks that fit their number.

matplotlib is imported inside functions only: skae works without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

# Okabe & Ito's blue, vermilion and green, which stay apart in every kind of colour blindness.
BLUE, VERMILION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
# Petroff's ten, https://arxiv.org/abs/2107.02270, found for the same readers.
CLASS_COLORS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
# Beyond this many points a vector file is slow to open and larger than the picture.
MAX_VECTOR_POINTS = 1000
MAX_BINS = 50


def check_matplotlib(caller: str) -> None:
    """Raise, before anything is computed, when there is nothing to draw with."""
    try:
        import_module("matplotlib")
    except ImportError as error:
        raise ImportError(
            f"{caller} requires matplotlib. You can install matplotlib with `pip install skae[plot]`."
        ) from error


def new_axes(caller: str, n_columns: int = 1, aspect: float | None = None) -> Any:
    """Axes (an array of them, where they are several) in a new figure, as high as `aspect` times its width."""
    check_matplotlib(caller)
    pyplot = import_module("matplotlib.pyplot")
    width, height = pyplot.rcParams["figure.figsize"]
    height = height if aspect is None else aspect * width
    size = (width * (1.0 + 0.7 * (n_columns - 1)), height)
    return pyplot.subplots(1, n_columns, figsize=size, layout="constrained")[1]


def scatter_style(n_points: int) -> dict[str, Any]:
    """Size, opacity and rasterisation of marks: few points are large and solid, many small and translucent."""
    return {
        "s": float(np.clip(600.0 / np.sqrt(n_points), 4.0, 36.0)),
        "alpha": float(np.clip(4.5 * n_points**-0.25, 0.3, 0.9)),
        "linewidths": 0.0,
        "rasterized": n_points > MAX_VECTOR_POINTS,
    }


def histogram_edges(values: np.ndarray) -> np.ndarray:
    """Edges of equal bins whose number grows with the rows; unlike automatic ones they stay few in long tails."""
    return np.histogram_bin_edges(values, int(np.clip(2.0 * np.sqrt(len(values)), 5, MAX_BINS)))


def class_colors(n_classes: int) -> list[Any]:
    """A colour for each of the classes."""
    if n_classes <= len(CLASS_COLORS):
        return list(CLASS_COLORS[:n_classes])
    return list(import_module("matplotlib").colormaps["viridis"](np.linspace(0.0, 1.0, n_classes)))


def names_fit(ax: Any, names: list[str]) -> bool:
    """Whether names stand side by side under the axes; as long as nothing is drawn, their width is an estimate."""
    width_in_points = 72.0 * ax.get_window_extent().width / ax.figure.dpi
    return sum(len(name) + 2 for name in names) * 5.5 < width_in_points


def shortened(name: object, length: int = 28) -> str:
    """A name as it fits beside an axis."""
    text = str(name)
    return text if len(text) <= length else text[: length - 1] + "…"
