"""LatentSpaceDisplay: a map of codes."""

from __future__ import annotations

from typing import Any

import numpy as np

from skae._displays._drawing import (
    BLUE,
    check_matplotlib,
    class_colors,
    histogram_edges,
    new_axes,
    scatter_style,
    with_name,
)
from skae._displays._estimator_access import check_estimator, column, dense, display_name, final_step
from skae._displays._labels import row_loss_name
from skae._support._constraints import OneOf, check_parameters

# y with at most this many different integer values holds classes; otherwise it is a quantity.
MAX_CLASSES = 20
# Colours of errors saturate at this quantile. Otherwise a single huge error would make all others dark.
HIGHEST_ERROR_COLORED = 0.98
GOLDEN_RATIO = (5**0.5 - 1) / 2


class LatentSpaceDisplay:
    """Scatter plot of the first two columns of the codes, coloured by class, by a quantity or by the error of the rows.

    Codes of one column are drawn as a histogram, as one strip per class, or against the quantity. It is recommended to
    use :meth:`from_estimator` or :meth:`from_predictions` to create a `LatentSpaceDisplay`. All parameters are stored
    as attributes.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_components)
        Codes.
    y : array-like of shape (n_samples,), default=None
        Classes or a quantity, shown by the colours. Strings, booleans and at most 20 different whole numbers are
        classes.
    y_name : str, default=None
        Label of the colours.
    clip : bool, default=False
        If True, colours saturate at the 98th percentile of y, so that a few large errors do not hide the others.
    estimator_name : str, default=None
        Name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the plot.
    figure_ : matplotlib Figure
        Figure containing the axes.
    scatter_ : matplotlib PathCollection or None
        The points.
    histogram_ : matplotlib BarContainer or None
        The histogram, if codes have one column and there is no y.
    colorbar_ : matplotlib Colorbar or None
        Key to the colours.
    classes_ : ndarray of shape (n_classes,) or None
        The classes in y, in the order of their colours; None if y is a quantity.

    See Also
    --------
    AutoencoderTransformer : Transformer whose codes are drawn here.
    ReconstructionDisplay : Draw rows beside their reconstructions.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer, LatentSpaceDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(n_components=2, random_state=0).fit(X)
    >>> display = LatentSpaceDisplay.from_estimator(autoencoder, X, y)
    >>> display.codes.shape
    (1797, 2)
    """

    def __init__(self, *, codes, y=None, y_name=None, clip=False, estimator_name=None):
        self.codes = codes
        self.y = y
        self.y_name = y_name
        self.clip = clip
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, color_by="y", ax=None, scatter_kwargs=None):
        """Encode rows with a fitted transformer and draw the codes.

        Parameters
        ----------
        estimator : estimator instance
            Fitted transformer, or a pipeline that ends in one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. Entries may be missing (NaN) if the estimator allows it.
        y : array-like of shape (n_samples,), default=None
            Labels or a quantity to colour the points by.
        color_by : {"y", "error"}, default="y"
            "error" colours the points by ``-score_samples(X)`` instead of y. For an autoencoder this is the loss summed
            over the entries of a row (variational: the negative evidence lower bound); for a detector it is the negated
            outlier score.
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.
        scatter_kwargs : dict, default=None
            Keyword arguments of matplotlib's `scatter`.

        Returns
        -------
        LatentSpaceDisplay
            The display, drawn.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        check_parameters(cls.__name__, {"color_by": color_by}, {"color_by": (OneOf(("y", "error")),)})
        errors = color_by == "error"
        check_estimator(estimator, "transform", *(["score_samples"] if errors else []))
        codes = dense(estimator.transform(X))
        y_name = _name_of(y)
        if errors:
            y = -np.asarray(estimator.score_samples(X))
            y_name = row_loss_name(final_step(estimator))
        display = cls(
            codes=codes,
            y=None if y is None else column(y, codes, "y"),
            y_name=y_name,
            clip=errors,
            estimator_name=display_name(estimator),
        )
        return display.plot(ax=ax, scatter_kwargs=scatter_kwargs)

    @classmethod
    def from_predictions(cls, codes, y=None, *, y_name=None, estimator_name=None, ax=None, scatter_kwargs=None):
        """Draw codes.

        Parameters
        ----------
        codes : array-like of shape (n_samples, n_components)
            Codes.
        y : array-like of shape (n_samples,), default=None
            Labels or a quantity to colour the points by.
        y_name : str, default=None
            Label of the colours. None takes the name of a pandas Series.
        estimator_name : str, default=None
            Name of the estimator, for the title.
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.
        scatter_kwargs : dict, default=None
            Keyword arguments of matplotlib's `scatter`.

        Returns
        -------
        LatentSpaceDisplay
            The display, drawn.
        """
        check_matplotlib(f"{cls.__name__}.from_predictions")
        codes = dense(codes)
        y_name = y_name or _name_of(y)
        y = None if y is None else column(y, codes, "y")
        display = cls(codes=codes, y=y, y_name=y_name, estimator_name=estimator_name)
        return display.plot(ax=ax, scatter_kwargs=scatter_kwargs)

    def plot(self, ax=None, *, cmap="viridis", colorbar=True, scatter_kwargs=None):
        """Draw the codes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours if y is a quantity.
        colorbar : bool, default=True
            If True, add a key to the colours beside the axes.
        scatter_kwargs : dict, default=None
            Keyword arguments of matplotlib's `scatter`.

        Returns
        -------
        LatentSpaceDisplay
            The display itself.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        ax = new_axes() if ax is None else ax
        self.ax_, self.figure_ = ax, ax.figure
        self.scatter_ = self.histogram_ = self.colorbar_ = None
        self.classes_: Any = None
        index = None
        if self.y is not None and _are_classes(np.asarray(self.y)):
            self.classes_, index = np.unique(np.asarray(self.y), return_inverse=True)
        # Points are drawn in the order of the rows, not class by class, so that no class covers the others.
        style = scatter_style(len(self.codes)) | self._colors(index, cmap) | (scatter_kwargs or {})
        n_components = np.shape(self.codes)[1]
        if n_components == 1:
            self._plot_one(ax, index, style)
        else:
            self.scatter_ = ax.scatter(*np.asarray(self.codes)[:, :2].T, **style)
            ax.set(xlabel="code 1", ylabel="code 2")
        if colorbar and self.y is not None and n_components > 1:
            self._add_colorbar(ax)
        columns = f", first 2 of {n_components} columns" if n_components > 2 else ""
        ax.set_title(with_name(f"Codes of {len(self.codes):,} rows{columns}", self.estimator_name))
        return self

    def _plot_one(self, ax, index: np.ndarray | None, style: dict) -> None:
        """Draw codes of one column: a histogram, one strip per class, or the quantity against the code."""
        codes = np.asarray(self.codes)[:, 0]
        ax.set(xlabel="code 1")
        if self.y is None:
            self.histogram_ = ax.hist(codes, histogram_edges(codes), color=BLUE)[2]
            ax.set(ylabel="rows")
            return
        heights = np.asarray(self.y)
        if index is not None:
            # Multiples of the golden ratio spread points evenly and need no random numbers.
            heights = index + 0.7 * (np.arange(len(codes)) * GOLDEN_RATIO % 1.0 - 0.5)
            ax.set_yticks(np.arange(len(self.classes_)), labels=[str(name) for name in self.classes_])
        self.scatter_ = ax.scatter(codes, heights, **style)
        ax.set(ylabel=self.y_name)

    def _colors(self, index: np.ndarray | None, cmap) -> dict:
        """Arguments of `scatter` that colour the points."""
        if self.y is None:
            return {"color": BLUE}
        if index is None:
            values = np.asarray(self.y, dtype=float)
            high = np.quantile(values, HIGHEST_ERROR_COLORED) if self.clip else None
            return {"c": values, "cmap": cmap, "vmax": high}
        from matplotlib.colors import BoundaryNorm, ListedColormap

        n_classes = len(self.classes_)
        colors = ListedColormap(class_colors(n_classes))
        return {"c": index, "cmap": colors, "norm": BoundaryNorm(np.arange(n_classes + 1) - 0.5, n_classes)}

    def _add_colorbar(self, ax) -> None:
        extend = "max" if self.clip else "neither"
        self.colorbar_ = self.figure_.colorbar(self.scatter_, ax=ax, label=self.y_name, extend=extend)
        self.colorbar_.solids.set(alpha=1.0)
        if self.classes_ is not None:
            ticks = np.arange(0, len(self.classes_), -(-len(self.classes_) // MAX_CLASSES))
            self.colorbar_.set_ticks(ticks, labels=[str(name) for name in self.classes_[ticks]])
            self.colorbar_.ax.tick_params(which="both", length=0)


def _name_of(y) -> str | None:
    """Label of the colours: the name of a pandas Series, else y."""
    return None if y is None else str(getattr(y, "name", None) or "y")


def _are_classes(y: np.ndarray) -> bool:
    if y.dtype.kind not in "iuf":
        return True
    return bool(np.all(y == np.round(y))) and len(np.unique(y)) <= MAX_CLASSES
