"""OutlierScoreDisplay: how rows score, where the threshold is, and how well it separates what is known."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import auc, roc_curve

from skae._displays._asking import check_estimator, column, display_name, final_step
from skae._displays._drawing import BLUE, GREY, VERMILION, check_matplotlib, histogram_edges, new_axes


class OutlierScoreDisplay:
    """Histogram of outlier scores with the threshold and, where the truth is known, the ROC curve.

    With known labels each class has a histogram of its own, in per cent of its rows, so that few outliers are seen
    beside many inliers. It is recommended to use :meth:`from_estimator` or :meth:`from_predictions` to create an
    `OutlierScoreDisplay`. All parameters are stored as attributes.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        Scores: the lower, the more unusual.
    offset : float, default=None
        Threshold: rows that score below it are labelled outliers.
    outlier : ndarray of shape (n_samples,) of bool, default=None
        Which rows are known to be outliers.
    fpr : ndarray of shape (n_thresholds,), default=None
        Share of the inliers flagged, at every threshold.
    tpr : ndarray of shape (n_thresholds,), default=None
        Share of the outliers found, at every threshold.
    roc_auc : float, default=None
        Area under the ROC curve.
    estimator_name : str, default=None
        Name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the histogram.
    roc_ax_ : matplotlib Axes or None
        Axes with the ROC curve.
    figure_ : matplotlib Figure
        Figure containing the axes.
    histograms_ : list of matplotlib BarContainer
        One histogram, or that of the inliers and that of the outliers.
    threshold_line_ : matplotlib Line2D or None
        The threshold.
    roc_line_ : matplotlib Line2D or None
        The ROC curve.
    threshold_point_ : matplotlib Line2D or None
        Where the threshold is on the ROC curve.

    See Also
    --------
    AutoencoderOutlierDetector : The detector whose scores are drawn here.
    FeatureErrorDisplay : The features to blame for one row's score.
    sklearn.metrics.RocCurveDisplay : ROC curves of classifiers.

    Examples
    --------
    >>> import numpy as np
    >>> from skae import AutoencoderOutlierDetector, OutlierScoreDisplay
    >>> rng = np.random.RandomState(0)
    >>> X = np.concatenate([rng.normal(size=(190, 3)), rng.normal(scale=5.0, size=(10, 3))])
    >>> y = np.repeat([1, -1], [190, 10])
    >>> detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    >>> display = OutlierScoreDisplay.from_estimator(detector, X, y)
    >>> bool(display.roc_auc > 0.9)
    True
    """

    def __init__(self, *, scores, offset=None, outlier=None, fpr=None, tpr=None, roc_auc=None, estimator_name=None):
        self.scores = scores
        self.offset = offset
        self.outlier = outlier
        self.fpr = fpr
        self.tpr = tpr
        self.roc_auc = roc_auc
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
            Labels of the rows, where they are known. Outliers are -1 beside 1, as `predict` labels them, 1 beside 0, or
            True beside False; other labels need `pos_label`. Ones alone are inliers, True alone are outliers.
        pos_label : int, float, bool or str, default=None
            Label of the outliers; rows of all other labels are inliers. None is -1 if labels are -1 and 1, 1 if they
            are 0 and 1, and True if they are booleans.
        ax : matplotlib Axes or array-like of two, default=None
            Axes for the histogram and for the ROC curve; a single one is for the histogram. None makes a figure.
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
            Scores: the lower, the more unusual.
        y : array-like of shape (n_samples,), default=None
            Labels of the rows, where they are known. Outliers are -1 beside 1, as `predict` labels them, 1 beside 0, or
            True beside False; other labels need `pos_label`. Ones alone are inliers, True alone are outliers.
        offset : float, default=None
            Threshold: rows that score below it are labelled outliers.
        pos_label : int, float, bool or str, default=None
            Label of the outliers; rows of all other labels are inliers. None is -1 if labels are -1 and 1, 1 if they
            are 0 and 1, and True if they are booleans.
        estimator_name : str, default=None
            Name of the estimator, for the title.
        ax : matplotlib Axes or array-like of two, default=None
            Axes for the histogram and for the ROC curve; a single one is for the histogram. None makes a figure.
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
        fpr = tpr = roc_auc = None
        # Rows of one class only have histograms but no ROC curve.
        if outlier is not None and 0 < outlier.sum() < len(outlier):
            fpr, tpr, _ = roc_curve(outlier, -scores)
            roc_auc = float(auc(fpr, tpr))
        display = cls(
            scores=scores,
            offset=offset,
            outlier=outlier,
            fpr=fpr,
            tpr=tpr,
            roc_auc=roc_auc,
            estimator_name=estimator_name,
        )
        return display.plot(ax=ax, histogram_kwargs=histogram_kwargs)

    def plot(self, ax=None, *, histogram_kwargs=None):
        """Draw the histogram and, where the truth is known, the ROC curve.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of two, default=None
            Axes for the histogram and for the ROC curve; a single one is for the histogram. None makes a figure.
        histogram_kwargs : dict, default=None
            Keyword arguments of matplotlib's `hist`.

        Returns
        -------
        OutlierScoreDisplay
            The display itself.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        if ax is None:
            ax = new_axes(f"{type(self).__name__}.plot", 1 if self.fpr is None else 2)
        given = np.ravel(np.asarray(ax, dtype=object))
        if len(given) > 2:
            raise ValueError(f"Expected ax to be one or two axes, got {len(given)} of them instead.")
        self.ax_, self.figure_ = given[0], given[0].figure
        self._plot_histogram(self.ax_, histogram_kwargs or {})
        self.roc_ax_ = self.roc_line_ = self.threshold_point_ = None
        if self.fpr is not None and len(given) == 2:
            self.roc_ax_ = given[1]
            self._plot_roc(self.roc_ax_)
        return self

    def _plot_histogram(self, ax, histogram_kwargs: dict) -> None:
        scores, edges = np.asarray(self.scores), histogram_edges(self.scores)
        parts = [(np.ones(len(scores), bool), "rows", BLUE)]
        if self.outlier is not None:
            parts = [(~self.outlier, "inliers", BLUE), (self.outlier, "outliers", VERMILION)]
        self.histograms_ = []
        for chosen, name, color in parts:
            if not chosen.any():
                continue
            weights = np.full(chosen.sum(), 1.0 if self.outlier is None else 100.0 / chosen.sum())
            style = {"bins": edges, "color": color, "alpha": 0.6, "label": f"{chosen.sum():,} {name}"}
            self.histograms_.append(ax.hist(scores[chosen], weights=weights, **style | histogram_kwargs)[2])
        self.threshold_line_ = None
        if self.offset is not None:
            flagged = np.count_nonzero(scores < self.offset)
            label = f"threshold {self.offset:.3g}: {flagged:,} below"
            self.threshold_line_ = ax.axvline(self.offset, color="black", linestyle="--", linewidth=1.5, label=label)
        ax.set(
            xlabel="score_samples (the lower, the more unusual)",
            ylabel="rows" if self.outlier is None else "rows (% of their class)",
        )
        # Room for the legend: it would hide bars.
        ax.set_ylim(top=1.3 * ax.get_ylim()[1])
        if self.outlier is None:
            ax.yaxis.get_major_locator().set_params(integer=True)
        ax.set_title("Outlier scores" + (f"\n{self.estimator_name}" if self.estimator_name else ""))
        ax.legend(framealpha=1.0)

    def _plot_roc(self, ax) -> None:
        ax.plot([0, 100], [0, 100], color=GREY, linestyle=":", linewidth=1.5, label="chance")
        label = f"AUC = {self.roc_auc:.3f}"
        (self.roc_line_,) = ax.plot(100 * self.fpr, 100 * self.tpr, color=BLUE, linewidth=2, label=label)
        if self.offset is not None:
            flagged = np.asarray(self.scores) < self.offset
            found = 100 * flagged[self.outlier].mean()
            false = 100 * flagged[~self.outlier].mean()
            (self.threshold_point_,) = ax.plot([false], [found], "o", color="black", label="threshold", clip_on=False)
        ax.set(xlabel="inliers flagged (%)", ylabel="outliers found (%)", title="ROC curve")
        ax.set(xlim=(-3, 103), ylim=(-3, 103))
        ax.grid(alpha=0.3)
        ax.legend(loc="lower right")


def _outliers(y: np.ndarray, pos_label) -> np.ndarray:
    """Which rows are outliers: by `pos_label`, as booleans say, by scikit-learn's labels (-1 and 1), or by 0 and 1."""
    classes = np.unique(y)
    if len(classes) > 2 and pos_label is None:
        raise ValueError(f"y is not binary: it has {len(classes)} labels. Pass pos_label, the label of the outliers.")
    if pos_label is not None:
        if pos_label not in classes:
            raise ValueError(f"pos_label={pos_label!r} is not a valid label: It should be one of {classes.tolist()}.")
        return y == pos_label
    # Before numbers: True is 1, which means an inlier beside -1.
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
