"""FeatureErrorDisplay: which features make a row unusual."""

from __future__ import annotations

import numpy as np

from skae._displays._asking import check_estimator, dense, display_name, feature_names, take_row
from skae._displays._drawing import GREY, VERMILION, check_matplotlib, new_axes, shortened
from skae._support._parameters import Integer, check_parameters


class FeatureErrorDisplay:
    """The features to blame for the score of one row, as bars.

    The largest contributions come first, each with its share of the score; the others are summed in the last bar, so
    that the bars always make up the whole score. It is recommended to use :meth:`from_estimator` or
    :meth:`from_predictions` to create a `FeatureErrorDisplay`. All parameters are stored as attributes.

    Parameters
    ----------
    feature_errors : ndarray of shape (n_features,)
        Contribution of each feature to ``-score_samples``, at least zero.
    feature_names : array-like of shape (n_features,)
        Names of the features.
    feature_values : array-like of shape (n_features,), default=None
        The row itself, written beside the names.
    row_name : object, default=None
        What to call the row in the title.
    p_value : float, default=None
        The row's p-value, for the title.
    estimator_name : str, default=None
        Name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.
    figure_ : matplotlib Figure
        Figure containing the axes.
    bars_ : matplotlib BarContainer
        The bars, from the top down.
    shown_ : ndarray of shape (n_shown,) of int
        The features that have a bar of their own, the most to blame first.

    See Also
    --------
    AutoencoderOutlierDetector.feature_errors : What is drawn here.
    OutlierScoreDisplay : The scores of all rows.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skae import AutoencoderOutlierDetector, FeatureErrorDisplay
    >>> X, _ = load_wine(return_X_y=True, as_frame=True)
    >>> detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    >>> display = FeatureErrorDisplay.from_estimator(detector, X, row=0, n_features=5)
    >>> len(display.bars_)  # five features, and the rest
    6
    """

    def __init__(
        self,
        *,
        feature_errors,
        feature_names,
        feature_values=None,
        row_name=None,
        p_value=None,
        estimator_name=None,
    ):
        self.feature_errors = feature_errors
        self.feature_names = feature_names
        self.feature_values = feature_values
        self.row_name = row_name
        self.p_value = p_value
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, X, *, row=None, n_features=8, ax=None, bar_kwargs=None):
        """Ask a fitted outlier detector about one row and draw its answer.

        Parameters
        ----------
        estimator : estimator instance
            Fitted :class:`~skae.AutoencoderOutlierDetector`, or another with `feature_errors` and `score_samples`.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        row : int, default=None
            Position of the row in X. None takes the most unusual one.
        n_features : int, default=8
            Number of features with a bar of their own, at most.
        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a figure.
        bar_kwargs : dict, default=None
            Keyword arguments of matplotlib's `barh`.

        Returns
        -------
        FeatureErrorDisplay
            The display, drawn.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        check_estimator(estimator, "feature_errors", "score_samples")
        if row is None:
            row = int(np.argmin(estimator.score_samples(X)))
        check_parameters(cls.__name__, {"row": row}, {"row": (Integer(0),)})
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        if row >= n_rows:
            raise ValueError(f"The 'row' parameter of {cls.__name__} must be an int < {n_rows}. Got {row!r} instead.")
        chosen = take_row(X, row)
        errors = np.asarray(estimator.feature_errors(chosen))[0]
        display = cls(
            feature_errors=errors,
            feature_names=feature_names(X, len(errors), estimator),
            feature_values=dense(chosen, allow_nan=True)[0],
            row_name=chosen.index[0] if hasattr(X, "iloc") else row,
            p_value=float(estimator.p_values(chosen)[0]) if hasattr(estimator, "p_values") else None,
            estimator_name=display_name(estimator),
        )
        return display.plot(ax=ax, n_features=n_features, bar_kwargs=bar_kwargs)

    @classmethod
    def from_predictions(cls, feature_errors, *, n_features=8, ax=None, bar_kwargs=None):
        """Draw one row of what `feature_errors` returned.

        Parameters
        ----------
        feature_errors : array-like of shape (n_features,)
            Contributions of the features. A pandas Series, such as ``detector.feature_errors(X).iloc[0]``, names them.
        n_features : int, default=8
            Number of features with a bar of their own, at most.
        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a figure.
        bar_kwargs : dict, default=None
            Keyword arguments of matplotlib's `barh`.

        Returns
        -------
        FeatureErrorDisplay
            The display, drawn.
        """
        check_matplotlib(f"{cls.__name__}.from_predictions")
        errors = np.asarray(feature_errors, dtype=float)
        if errors.ndim != 1:
            raise ValueError(f"feature_errors should be a 1d array, got an array of shape {errors.shape} instead.")
        named = hasattr(feature_errors, "iloc")
        display = cls(
            feature_errors=errors,
            feature_names=np.array([str(name) for name in feature_errors.index], dtype=object)
            if named
            else feature_names(None, len(errors)),
            row_name=feature_errors.name if named else None,
        )
        return display.plot(ax=ax, n_features=n_features, bar_kwargs=bar_kwargs)

    def plot(self, ax=None, *, n_features=8, bar_kwargs=None):
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a figure.
        n_features : int, default=8
            Number of features with a bar of their own, at most.
        bar_kwargs : dict, default=None
            Keyword arguments of matplotlib's `barh`.

        Returns
        -------
        FeatureErrorDisplay
            The display itself.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        check_parameters(type(self).__name__, {"n_features": n_features}, {"n_features": (Integer(1),)})
        if ax is None:
            aspect = max(0.75, 0.2 + 0.045 * min(n_features, len(self.feature_errors)))
            ax = new_axes(f"{type(self).__name__}.plot", aspect=aspect)
        errors = np.asarray(self.feature_errors, dtype=float)
        order = np.argsort(-errors, kind="stable")
        self.shown_ = order[:n_features]
        rest = order[n_features:]
        widths, labels = list(errors[self.shown_]), [self._label(index) for index in self.shown_]
        if len(rest):
            widths.append(errors[rest].sum())
            labels.append(f"{len(rest)} other" + ("s" if len(rest) > 1 else ""))
        colors = [VERMILION] * len(self.shown_) + [GREY] * (len(rest) > 0)
        self.bars_ = ax.barh(np.arange(len(widths)), widths, **{"color": colors} | (bar_kwargs or {}))
        ax.bar_label(
            self.bars_, [f"{100 * share:.0f} %" for share in np.divide(widths, errors.sum() or 1.0)], padding=3
        )
        ax.set_yticks(np.arange(len(widths)), labels=labels)
        ax.invert_yaxis()
        # Room for the shares at the ends of the bars.
        ax.set_xlim(0.0, 1.2 * (max(widths) or 1.0))
        ax.set(xlabel="contribution to −score_samples", title=self._title(errors))
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _label(self, index: int) -> str:
        name = shortened(self.feature_names[index])
        return name if self.feature_values is None else f"{name} = {self.feature_values[index]:.4g}"

    def _title(self, errors: np.ndarray) -> str:
        row = "A row" if self.row_name is None else f"Row {self.row_name}"
        p_value = "" if self.p_value is None else f", p = {self.p_value:.2g}"
        by = "" if self.estimator_name is None else f"\n{self.estimator_name}"
        return f"{row}: score {-errors.sum():.3g}{p_value}{by}"
