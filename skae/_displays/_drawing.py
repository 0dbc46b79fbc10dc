"""Axes, colours and markers shared by the displays.

matplotlib is imported inside functions only: skae works without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

# From the palette of Okabe & Ito, whose colours can be told apart in every kind of colour blindness.
BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#777777"
# Petroff's ten colours, which are chosen for colour blindness as well: https://arxiv.org/abs/2107.02270
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
# With more points than this a vector file is larger than the rasterised picture, and slow to open.
MAX_VECTOR_POINTS = 1000
MAX_BINS = 50


def check_matplotlib(caller: str) -> None:
    """Raise ImportError if matplotlib is missing, before anything is computed."""
    try:
        import_module("matplotlib")
    except ImportError as error:
        raise ImportError(
            f"{caller} requires matplotlib. You can install matplotlib with `pip install skae[plot]`."
        ) from error


def new_axes(aspect: float | None = None) -> Any:
    """Axes in a new figure, whose height is `aspect` times its width if given."""
    pyplot = import_module("matplotlib.pyplot")
    width, height = pyplot.rcParams["figure.figsize"]
    size = (width, height if aspect is None else aspect * width)
    return pyplot.subplots(figsize=size, layout="constrained")[1]


def with_name(title: str, estimator_name: str | None) -> str:
    """The title, with the name of the estimator on a second line."""
    return f"{title}\n{estimator_name}" if estimator_name else title


def scatter_style(n_points: int) -> dict[str, Any]:
    """Size, opacity and rasterisation of markers: large and solid for few points, small and translucent for many."""
    return {
        "s": float(np.clip(600.0 / np.sqrt(n_points), 4.0, 36.0)),
        "alpha": float(np.clip(4.5 * n_points**-0.25, 0.3, 0.9)),
        "linewidths": 0.0,
        "rasterized": n_points > MAX_VECTOR_POINTS,
    }


def histogram_edges(values: np.ndarray) -> np.ndarray:
    """Edges of equal bins, whose number depends on the number of rows only: a long tail does not make many bins."""
    return np.histogram_bin_edges(values, int(np.clip(2.0 * np.sqrt(len(values)), 5, MAX_BINS)))


def class_colors(n_classes: int) -> list[Any]:
    """One colour per class."""
    if n_classes <= len(CLASS_COLORS):
        return list(CLASS_COLORS[:n_classes])
    return list(import_module("matplotlib").colormaps["viridis"](np.linspace(0.0, 1.0, n_classes)))


def names_fit(ax: Any, names: list[str]) -> bool:
    """Whether the names fit side by side below the axes. The width is estimated, because nothing is drawn yet."""
    width_in_points = 72.0 * ax.get_window_extent().width / ax.figure.dpi
    return sum(len(name) + 2 for name in names) * 5.5 < width_in_points


def shortened(name: object, length: int = 28) -> str:
    """A name, cut to fit beside an axis."""
    text = str(name)
    return text if len(text) <= length else text[: length - 1] + "…"
