"""Many images on one canvas, with gaps between them and missing pixels marked."""

from __future__ import annotations

import numpy as np

# Distinct from every grey level and paler than most colours.
MISSING_COLOR = "#f5d3bd"


def tile(lines: list[np.ndarray], image_shape: tuple[int, ...], gap: int) -> np.ndarray:
    """Lines of images as one image, with NaN in the gaps around each."""
    height, width, channels = image_shape
    down, right = height + gap, width + gap
    canvas = np.full((len(lines) * down + gap, len(lines[0]) * right + gap, channels), np.nan)
    for line, images in enumerate(lines):
        for place, image in enumerate(images):
            top, left = line * down + gap, place * right + gap
            canvas[top : top + height, left : left + width] = image.reshape(image_shape)
    return canvas


def show_missing(ax, missing: np.ndarray) -> None:
    """Colour the pixels where any channel of `missing` is 1; leave the others transparent."""
    from matplotlib.colors import ListedColormap

    marked = np.where((missing == 1).any(axis=2), 1.0, np.nan)
    ax.imshow(marked, cmap=ListedColormap([MISSING_COLOR]), interpolation="nearest")


def with_transparent_gaps(canvas: np.ndarray, low: float, high: float) -> np.ndarray:
    """RGBA in [0, 1], with opacity 0 in the gaps and where a channel is missing."""
    colors = np.clip((canvas - low) / ((high - low) or 1.0), 0.0, 1.0)
    empty = np.isnan(canvas).any(axis=2, keepdims=True)
    opacity = colors[:, :, 3:] if colors.shape[2] == 4 else np.ones_like(colors[:, :, :1])
    return np.concatenate([np.where(empty, 0.0, colors[:, :, :3]), np.where(empty, 0.0, opacity)], axis=2)
