"""ReconstructionDisplay: rows or images beside their reconstructions."""

from __future__ import annotations

import numpy as np

from skae._displays._drawing import GREY, VERMILION, check_matplotlib, names_fit, new_axes, shortened, with_name
from skae._displays._estimator_access import check_estimator, dense, display_name, feature_names, reconstruct
from skae._displays._images import show_missing, tile, with_transparent_gaps
from skae._support._constraints import Constraint, Integer, OneOf, check_parameters

# Each row is drawn in a band. This share of the deviations fits into it; larger ones may cross its neighbours.
SHARE_IN_BAND = 0.98
# Names of at most this many features are on the axis.
MAX_NAMED_FEATURES = 32
CHANNELS = (1, 3, 4)
PLOT_CONSTRAINTS: dict[str, tuple[Constraint, ...]] = {
    "rows": (OneOf(("spread", "first", "largest")),),
    "n_rows": (Integer(1),),
}


class ReconstructionDisplay:
    """Rows or images beside their reconstructions, with the error of each.

    Images are drawn above their reconstructions. Other rows are drawn as curves over the features, one band per row:
    deviations from the mean of each feature, in the unit of the error. The error of a row is the root mean squared
    difference (RMSE) from its reconstruction. It is recommended to use :meth:`from_estimator` or
    :meth:`from_predictions` to create a `ReconstructionDisplay`. All parameters are stored as attributes.

    Missing entries (NaN) are gaps in curves and pale orange pixels in images, and do not count in errors. A row whose
    entries are all missing has no error and is shown with ``rows="first"`` only.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows, NaN where entries are missing.
    X_reconstructed : ndarray of shape (n_samples, n_features)
        Their reconstructions.
    errors : ndarray of shape (n_samples,)
        Errors of the rows; NaN if all entries of a row are missing.
    image_shape : tuple of int, default=None
        Height and width of the images, or height, width and channels.
    feature_scale : ndarray of shape (n_features,), default=None
        Unit of each feature in the errors. None means the units of X.
    feature_names : array-like of shape (n_features,), default=None
        Names of the features.
    estimator_name : str, default=None
        Name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the rows.
    figure_ : matplotlib Figure
        Figure containing the axes.
    image_ : matplotlib AxesImage or None
        All images, as one.
    lines_ : list of matplotlib Line2D
        Two lines per row, the row and its reconstruction; empty for images.
    shown_ : ndarray of shape (n_shown,) of int
        Indices of the rows that are shown.

    See Also
    --------
    AutoencoderTransformer.reconstruct : Compute the reconstructions drawn here.
    LatentSpaceDisplay : Draw the codes of the rows.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer, ReconstructionDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(n_components=8, random_state=0).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(autoencoder, X, image_shape=(8, 8), n_rows=5)
    >>> len(display.shown_)
    5
    """

    def __init__(
        self,
        *,
        X,
        X_reconstructed,
        errors,
        image_shape=None,
        feature_scale=None,
        feature_names=None,
        estimator_name=None,
    ):
        self.X = X
        self.X_reconstructed = X_reconstructed
        self.errors = errors
        self.image_shape = image_shape
        self.feature_scale = feature_scale
        self.feature_names = feature_names
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls, estimator, X, *, image_shape=None, standardize=None, rows="spread", n_rows=8, ax=None, cmap="gray"
    ):
        """Encode and decode rows with a fitted transformer and draw them beside the result.

        Parameters
        ----------
        estimator : estimator instance
            Fitted transformer with `reconstruct` or `inverse_transform`, or a pipeline of such transformers.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. Entries may be missing (NaN) if the estimator allows it.
        image_shape : tuple of int, default=None
            Height and width of the images, or height, width and channels: 1, 3 (RGB) or 4 (RGBA).
        standardize : bool, default=None
            If True, errors are in standard deviations of the features; if False, in the units of X. None means True
            unless the rows are images.
        rows : {"spread", "first", "largest"}, default="spread"
            Which rows to show: "spread" takes rows at equal steps of rank from the smallest error to the largest,
            "first" the first rows of X, "largest" the rows with the largest errors.
        n_rows : int, default=8
            Maximum number of rows shown.
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.
        cmap : str or matplotlib Colormap, default="gray"
            Colours of images with one channel.

        Returns
        -------
        ReconstructionDisplay
            The display, drawn.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        check_estimator(estimator)
        display = cls._from_arrays(X, reconstruct(estimator, X), image_shape, standardize, estimator)
        return display.plot(ax=ax, rows=rows, n_rows=n_rows, cmap=cmap)

    @classmethod
    def from_predictions(
        cls, X, X_reconstructed, *, image_shape=None, standardize=None, rows="spread", n_rows=8, ax=None, cmap="gray"
    ):
        """Draw rows and their reconstructions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. Entries may be missing (NaN).
        X_reconstructed : array-like of shape (n_samples, n_features)
            Their reconstructions.
        image_shape : tuple of int, default=None
            Height and width of the images, or height, width and channels: 1, 3 (RGB) or 4 (RGBA).
        standardize : bool, default=None
            If True, errors are in standard deviations of the features; if False, in the units of X. None means True
            unless the rows are images.
        rows : {"spread", "first", "largest"}, default="spread"
            Which rows to show: "spread" takes rows at equal steps of rank from the smallest error to the largest,
            "first" the first rows of X, "largest" the rows with the largest errors.
        n_rows : int, default=8
            Maximum number of rows shown.
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.
        cmap : str or matplotlib Colormap, default="gray"
            Colours of images with one channel.

        Returns
        -------
        ReconstructionDisplay
            The display, drawn.
        """
        check_matplotlib(f"{cls.__name__}.from_predictions")
        display = cls._from_arrays(X, dense(X_reconstructed), image_shape, standardize)
        return display.plot(ax=ax, rows=rows, n_rows=n_rows, cmap=cmap)

    @classmethod
    def _from_arrays(cls, X, reconstructed: np.ndarray, image_shape, standardize, estimator=None):
        names = feature_names(X, reconstructed.shape[1], estimator)
        X = dense(X, allow_nan=True)
        if X.shape != reconstructed.shape:
            raise ValueError(
                f"X has shape {X.shape}, but its reconstruction has shape {reconstructed.shape}. Pass a reconstruction "
                "of the same rows and features."
            )
        if image_shape is not None:
            image_shape = _checked_shape(image_shape, X.shape[1])
        observed = ~np.isnan(X)
        if not observed.any():
            raise ValueError("X has no observed entry: all of them are NaN. Pass rows with observed entries.")
        scale = None
        if (image_shape is None) if standardize is None else standardize:
            # Constant features, such as all features of a single row, keep their unit.
            scale = np.nanstd(_with_empty_columns_filled(X, reconstructed), axis=0)
            scale[scale == 0.0] = 1.0
        differences = (X - reconstructed) if scale is None else (X - reconstructed) / scale
        return cls(
            X=X,
            X_reconstructed=reconstructed,
            errors=np.sqrt(_row_means(np.square(differences), observed)),
            image_shape=image_shape,
            feature_scale=scale,
            feature_names=names,
            estimator_name=None if estimator is None else display_name(estimator),
        )

    def plot(self, ax=None, *, rows="spread", n_rows=8, cmap="gray"):
        """Draw the rows.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.
        rows : {"spread", "first", "largest"}, default="spread"
            Which rows to show: "spread" takes rows at equal steps of rank from the smallest error to the largest,
            "first" the first rows of X, "largest" the rows with the largest errors.
        n_rows : int, default=8
            Maximum number of rows shown.
        cmap : str or matplotlib Colormap, default="gray"
            Colours of images with one channel.

        Returns
        -------
        ReconstructionDisplay
            The display itself.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        check_parameters(type(self).__name__, {"rows": rows, "n_rows": n_rows}, PLOT_CONSTRAINTS)
        self.shown_ = _choose(np.asarray(self.errors), rows, n_rows)
        self.image_, self.lines_ = None, []
        self.ax_ = self._plot_curves(ax) if self.image_shape is None else self._plot_images(ax, cmap)
        self.figure_ = self.ax_.figure
        n_shown, n_all = len(self.shown_), len(self.errors)
        which = {"spread": "best to worst", "first": "the first", "largest": "the worst"}[rows]
        count = f"{n_shown:,} of {n_all:,} rows, {which}" if n_shown < n_all else f"{n_all:,} row{'s' * (n_all > 1)}"
        self.ax_.set_title(with_name(f"Reconstructions of {count}", self.estimator_name))
        return self

    def _plot_images(self, ax, cmap):
        """Draw images above their reconstructions, as one image with transparent gaps."""
        height, width, channels = shape = (*self.image_shape, 1)[:3]
        gap = max(1, round(0.08 * max(height, width)))
        low, high = np.nanmin(self.X), np.nanmax(self.X)
        originals, reconstructed = (np.asarray(rows)[self.shown_] for rows in (self.X, self.X_reconstructed))
        canvas = tile([originals, reconstructed], shape, gap)
        if ax is None:
            ax = new_axes(aspect=0.25 + canvas.shape[0] / canvas.shape[1])
        if np.isnan(originals).any():
            # Below the images, whose missing pixels are transparent.
            show_missing(ax, tile([np.isnan(originals)], shape, gap))
        if channels == 1:
            self.image_ = ax.imshow(canvas[:, :, 0], cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
        else:
            self.image_ = ax.imshow(with_transparent_gaps(canvas, low, high), interpolation="nearest")
        # Visible through the gaps, it frames images whose margins have the colour of the page.
        ax.set_facecolor("0.8")
        centres = np.arange(len(self.shown_)) * (width + gap) + gap + (width - 1) / 2
        ax.set_xticks(centres, labels=[f"{error:.3g}" for error in self.errors[self.shown_]])
        ax.set_yticks(np.array([0, height + gap]) + gap + (height - 1) / 2, labels=["original", "reconstructed"])
        ax.set_xlabel(f"RMSE ({self._unit})")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        return ax

    def _plot_curves(self, ax):
        """Draw each row and its reconstruction over the features, one band per row."""
        n_shown = len(self.shown_)
        if ax is None:
            ax = new_axes(aspect=max(0.75, 0.35 + 0.07 * n_shown))
        centre = np.nanmean(_with_empty_columns_filled(self.X, self.X_reconstructed), axis=0)
        scale = 1.0 if self.feature_scale is None else self.feature_scale
        rows = (np.asarray(self.X)[self.shown_] - centre) / scale
        reconstructed = (np.asarray(self.X_reconstructed)[self.shown_] - centre) / scale
        unit = 0.45 / (np.nanquantile(np.abs([rows, reconstructed]), SHARE_IN_BAND) or 1.0)
        places = np.arange(rows.shape[1])
        marks = {"marker": ".", "markersize": 4} if len(places) <= MAX_NAMED_FEATURES else {}
        # An entry between two missing ones has no line, only a marker.
        row_marks = marks or ({"marker": ".", "markersize": 2} if np.isnan(rows).any() else {})
        for band, (row, row_reconstructed) in enumerate(zip(rows, reconstructed, strict=True)):
            labels = ("original", "reconstructed") if band == 0 else (None, None)
            ax.axhline(-band, color=GREY, linewidth=0.5, alpha=0.5)
            self.lines_ += ax.plot(
                places, unit * row - band, color="black", linewidth=1.2, label=labels[0], **row_marks
            )
            self.lines_ += ax.plot(
                places, unit * row_reconstructed - band, color=VERMILION, linewidth=1.2, label=labels[1], **marks
            )
        errors = [f"{error:.3g}" for error in self.errors[self.shown_]]
        ax.set_yticks(-np.arange(n_shown), labels=errors)
        ax.set_ylabel(f"RMSE ({self._unit})")
        # Room for the legend, of the same height for any number of bands.
        ax.set_ylim(top=max(ax.get_ylim()[1], 0.5) + 0.1 * n_shown)
        if len(places) <= MAX_NAMED_FEATURES and self.feature_names is not None:
            names = [shortened(name) for name in self.feature_names]
            ax.set_xticks(places, labels=names, rotation=0 if names_fit(ax, names) else 90)
        else:
            ax.set_xlabel("feature")
        ax.legend(loc="upper right", ncols=2)
        return ax

    @property
    def _unit(self) -> str:
        return "units of X" if self.feature_scale is None else "s.d. of a feature"


def _checked_shape(image_shape, n_features: int) -> tuple[int, ...]:
    shape = tuple(int(size) for size in image_shape)
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in CHANNELS) or np.prod(shape) != n_features:
        raise ValueError(
            "The 'image_shape' parameter of ReconstructionDisplay must be (height, width) or (height, width, channels) "
            f"with 1, 3 or 4 channels and {n_features} numbers in all. Got {image_shape!r} instead."
        )
    return shape


def _choose(errors: np.ndarray, rows: str, n_rows: int) -> np.ndarray:
    """Indices of the rows to show."""
    if rows == "first":
        return np.arange(min(n_rows, len(errors)))
    # Sorting puts rows whose error is NaN last; they are left out.
    order = np.argsort(errors, kind="stable")[: np.count_nonzero(~np.isnan(errors))]
    n_shown = min(n_rows, len(order))
    if rows == "largest":
        return order[::-1][:n_shown]
    return order[np.linspace(0, len(order) - 1, n_shown).round().astype(int)]


def _row_means(values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Means of the observed entries of each row, NaN where there are none."""
    counts = observed.sum(axis=1)
    return np.divide(np.nansum(values, axis=1), counts, out=np.full(len(counts), np.nan), where=counts > 0)


def _with_empty_columns_filled(X: np.ndarray, reconstructed: np.ndarray) -> np.ndarray:
    """X with columns that have no observed entry replaced by their reconstructions."""
    return np.where(np.isnan(X).all(axis=0), reconstructed, X)
