"""OutlierScoreDisplay: the distribution of outlier scores and the threshold."""

from __future__ import annotations

import numpy as np

from skae._displays._drawing import BLUE, VERMILION, check_matplotlib, histogram_edges, new_axes, with_name
from skae._displays._estimator_access import check_estimator, column, display_name, final_step


class OutlierScoreDisplay:
    """Histogram of outlier scores with the threshold.

    If labels are given, each class has a histogram in per cent of its rows, so that a few outliers are visible beside
    many inliers; the legend counts the rows of each class below the threshold. For a ROC curve, use
    :class:`sklearn.metrics.RocCurveDisplay` as in the example. It is recommended to use :meth:`from_estimator` or
    :meth:`from_predictions` to create an `OutlierScoreDisplay`. All parameters are stored as attributes.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        Scores; the lower, the more unusual.
    offset : float, default=None
        Threshold. Rows that score below it are labelled outliers.
    outlier : ndarray of shape (n_samples,) of bool, default=None
        Which rows are known to be outliers.
    estimator_name : str, default=None
        Name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the histogram.
    figure_ : matplotlib Figure
        Figure containing the axes.
    histograms_ : list of matplotlib BarContainer
        The histogram of all rows, or those of the inliers and of the outliers.
    threshold_line_ : matplotlib Line2D or None
        The threshold.

    See Also
    --------
    AutoencoderOutlierDetector : Detector whose scores are drawn here.
    FeatureContributionDisplay : Draw which features make one row unusual.
    sklearn.metrics.RocCurveDisplay : Draw the ROC curve of the scores.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from sklearn.metrics import RocCurveDisplay
    >>> from skae import AutoencoderOutlierDetector, OutlierScoreDisplay
    >>> rng = np.random.RandomState(0)
    >>> X = np.concatenate([rng.normal(size=(190, 3)), rng.normal(scale=5.0, size=(10, 3))])
    >>> y = np.repeat([1, -1], [190, 10])
    >>> detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    >>> figure, (left, right) = plt.subplots(1, 2)
    >>> display = OutlierScoreDisplay.from_estimator(detector, X, y, ax=left)
    >>> curve = RocCurveDisplay.from_predictions(y == -1, -display.scores, ax=right)
    >>> bool(curve.roc_auc > 0.9)
    True
    """

    def __init__(self, *, scores, offset=None, outlier=None, estimator_name=None):
        self.scores = scores
        self.offset = offset
        self.outlier = outlier
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, pos_label=None, ax=None, histogram_kwargs=None):
        """Score rows with a fitted outlier detector and draw the scores.

        Parameters
        ----------
        estimator : estimator instance
            Fitted outlier detector with `score_samples`, or a pipeline that ends in one; `offset_` is its threshold.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,), default=None
            Labels of the rows, if known. Without `pos_label` they are -1 for outliers and 1 for inliers (as in
            `predict`), 1 for outliers and 0 for inliers, or True for outliers and False for inliers. If all labels are
            the number 1, all rows are inliers.
        pos_label : int, float, bool or str, default=None
            Label of the outliers; rows with any other label are inliers. None means -1 if the labels are -1 and 1, 1 if
            they are 0 and 1, and True if they are booleans.
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.
        histogram_kwargs : dict, default=None
            Keyword arguments of matplotlib's `hist`.

        Returns
        -------
        OutlierScoreDisplay
            The display, drawn.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        check_estimator(estimator, "score_samples")
        return cls.from_predictions(
            np.asarray(estimator.score_samples(X)),
            y,
            offset=getattr(final_step(estimator), "offset_", None),
            pos_label=pos_label,
            estimator_name=display_name(estimator),
            ax=ax,
            histogram_kwargs=histogram_kwargs,
        )

    @classmethod
    def from_predictions(
        cls, scores, y=None, *, offset=None, pos_label=None, estimator_name=None, ax=None, histogram_kwargs=None
    ):
        """Draw scores.

        Parameters
        ----------
        scores : array-like of shape (n_samples,)
            Scores; the lower, the more unusual.
        y : array-like of shape (n_samples,), default=None
            Labels of the rows, if known. Without `pos_label` they are -1 for outliers and 1 for inliers (as in
            `predict`), 1 for outliers and 0 for inliers, or True for outliers and False for inliers. If all labels are
            the number 1, all rows are inliers.
        offset : float, default=None
            Threshold. Rows that score below it are labelled outliers.
        pos_label : int, float, bool or str, default=None
            Label of the outliers; rows with any other label are inliers. None means -1 if the labels are -1 and 1, 1 if
            they are 0 and 1, and True if they are booleans.
        estimator_name : str, default=None
            Name of the estimator, for the title.
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.
        histogram_kwargs : dict, default=None
            Keyword arguments of matplotlib's `hist`.

        Returns
        -------
        OutlierScoreDisplay
            The display, drawn.
        """
        check_matplotlib(f"{cls.__name__}.from_predictions")
        scores = column(scores, scores, "scores").astype(float)
        outlier = None if y is None else _outliers(column(y, scores, "y"), pos_label)
        display = cls(scores=scores, offset=offset, outlier=outlier, estimator_name=estimator_name)
        return display.plot(ax=ax, histogram_kwargs=histogram_kwargs)

    def plot(self, ax=None, *, histogram_kwargs=None):
        """Draw the histogram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.
        histogram_kwargs : dict, default=None
            Keyword arguments of matplotlib's `hist`.

        Returns
        -------
        OutlierScoreDisplay
            The display itself.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        ax = new_axes() if ax is None else ax
        self.ax_, self.figure_ = ax, ax.figure
        scores, edges = np.asarray(self.scores), histogram_edges(self.scores)
        self.histograms_ = []
        for mask, name, color in self._parts():
            below = "" if self.offset is None else f", {np.count_nonzero(scores[mask] < self.offset):,} below"
            weights = np.full(mask.sum(), 1.0 if self.outlier is None else 100.0 / mask.sum())
            style = {"bins": edges, "color": color, "alpha": 0.6, "label": f"{mask.sum():,} {name}{below}"}
            self.histograms_.append(ax.hist(scores[mask], weights=weights, **style | (histogram_kwargs or {}))[2])
        self.threshold_line_ = None
        if self.offset is not None:
            label = f"threshold {self.offset:.3g}"
            self.threshold_line_ = ax.axvline(self.offset, color="black", linestyle="--", linewidth=1.5, label=label)
        ax.set_xlabel("score_samples (the lower, the more unusual)")
        ax.set_ylabel("rows" if self.outlier is None else "rows (% of their class)")
        # Room for the legend, which would otherwise hide bars.
        ax.set_ylim(top=1.3 * ax.get_ylim()[1])
        if self.outlier is None:
            ax.yaxis.get_major_locator().set_params(integer=True)
        ax.set_title(with_name("Outlier scores", self.estimator_name))
        ax.legend(framealpha=1.0)
        return self

    def _parts(self) -> list[tuple[np.ndarray, str, str]]:
        """Mask, name and colour of each histogram; a class without rows has none."""
        if self.outlier is None:
            return [(np.ones(len(self.scores), bool), "rows", BLUE)]
        parts = [(~self.outlier, "inliers", BLUE), (self.outlier, "outliers", VERMILION)]
        return [part for part in parts if part[0].any()]


def _outliers(y: np.ndarray, pos_label) -> np.ndarray:
    """Mask of the outliers: `pos_label` if given, else True, -1 (beside 1) or 1 (beside 0)."""
    classes = np.unique(y)
    if len(classes) > 2 and pos_label is None:
        raise ValueError(f"y is not binary: it has {len(classes)} labels. Pass pos_label, the label of the outliers.")
    if pos_label is not None:
        if pos_label not in classes:
            raise ValueError(f"pos_label={pos_label!r} is not a valid label: It should be one of {classes.tolist()}.")
        return y == pos_label
    # Booleans before numbers: True equals 1, which means an inlier in {-1, 1}.
    if y.dtype.kind == "b":
        return y
    if y.dtype.kind in "iuf" and set(classes.tolist()) <= {-1, 1}:
        return y == -1
    if y.dtype.kind in "iuf" and set(classes.tolist()) <= {0, 1}:
        return y == 1
    raise ValueError(
        f"y takes value in {set(classes.tolist())} and pos_label is not specified: either make y take value in {{0, 1}}"
        " or {-1, 1} or pass pos_label explicitly."
    )
