"""FeatureContributionDisplay: which features make a row unusual."""

from __future__ import annotations

from numbers import Real

import numpy as np

from skae._displays._drawing import GREY, VERMILION, check_matplotlib, new_axes, shortened, with_name
from skae._displays._estimator_access import (
    check_estimator,
    display_name,
    feature_names,
    final_step,
    input_of_final_step,
    take_row,
    values_of_row,
)
from skae._support._constraints import Integer, check_parameters


class FeatureContributionDisplay:
    """Bar chart of the contributions of the features to the score of one row.

    The largest contributions come first, each with its share of the score. The last bar is the sum of all others, so
    that the bars add up to the score. It is recommended to use :meth:`from_estimator` or :meth:`from_predictions` to
    create a `FeatureContributionDisplay`. All parameters are stored as attributes.

    Parameters
    ----------
    feature_contributions : ndarray of shape (n_features,)
        Contribution of each feature to ``-score_samples``, at least zero.
    feature_names : array-like of shape (n_features,)
        Names of the features.
    feature_values : array-like of shape (n_features,), default=None
        Values of the row, shown beside the names.
    row_name : object, default=None
        Name of the row, for the title.
    p_value : float, default=None
        The p-value of the row, for the title.
    estimator_name : str, default=None
        Name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.
    figure_ : matplotlib Figure
        Figure containing the axes.
    bars_ : matplotlib BarContainer
        The bars, from top to bottom.
    shown_ : ndarray of shape (n_shown,) of int
        Indices of the features with a separate bar, the largest contribution first.

    See Also
    --------
    AutoencoderOutlierDetector.feature_contributions : Compute the contributions drawn here.
    OutlierScoreDisplay : Draw the scores of all rows.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skae import AutoencoderOutlierDetector, FeatureContributionDisplay
    >>> X, _ = load_wine(return_X_y=True, as_frame=True)
    >>> detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    >>> display = FeatureContributionDisplay.from_estimator(detector, X, row=0, n_features=5)
    >>> len(display.bars_)  # five features and the sum of the others
    6
    """

    def __init__(
        self,
        *,
        feature_contributions,
        feature_names,
        feature_values=None,
        row_name=None,
        p_value=None,
        estimator_name=None,
    ):
        self.feature_contributions = feature_contributions
        self.feature_names = feature_names
        self.feature_values = feature_values
        self.row_name = row_name
        self.p_value = p_value
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, X, *, row=None, n_features=8, ax=None, bar_kwargs=None):
        """Compute the contributions to the score of one row with a fitted outlier detector and draw them.

        Parameters
        ----------
        estimator : estimator instance
            Fitted :class:`~skae.AutoencoderOutlierDetector`, or another detector with `feature_contributions` and
            `score_samples`. In a pipeline that ends in one, contributions are those of the features that the detector
            gets.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        row : int, default=None
            Position of the row in X. None takes the row with the lowest score.
        n_features : int, default=8
            Maximum number of features with a separate bar.
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.
        bar_kwargs : dict, default=None
            Keyword arguments of matplotlib's `barh`.

        Returns
        -------
        FeatureContributionDisplay
            The display, drawn.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        detector = final_step(estimator)
        check_estimator(detector, "feature_contributions", "score_samples")
        if row is None:
            row = int(np.argmin(estimator.score_samples(X)))
        check_parameters(cls.__name__, {"row": row}, {"row": (Integer(0),)})
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        if row >= n_rows:
            raise ValueError(f"The 'row' parameter of {cls.__name__} must be an int < {n_rows}. Got {row!r} instead.")
        chosen = take_row(X, row)
        rows = input_of_final_step(estimator, chosen)
        contributions = np.asarray(detector.feature_contributions(rows))[0]
        display = cls(
            feature_contributions=contributions,
            feature_names=_names(estimator, X, rows, len(contributions)),
            feature_values=values_of_row(rows),
            row_name=chosen.index[0] if hasattr(X, "iloc") else row,
            p_value=float(detector.p_values(rows)[0]) if hasattr(detector, "p_values") else None,
            estimator_name=display_name(estimator),
        )
        return display.plot(ax=ax, n_features=n_features, bar_kwargs=bar_kwargs)

    @classmethod
    def from_predictions(cls, feature_contributions, *, n_features=8, ax=None, bar_kwargs=None):
        """Draw one row of the output of `feature_contributions`.

        Parameters
        ----------
        feature_contributions : array-like of shape (n_features,)
            Contributions of the features. The index of a pandas Series, such as
            ``detector.feature_contributions(X).iloc[0]``, names them.
        n_features : int, default=8
            Maximum number of features with a separate bar.
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.
        bar_kwargs : dict, default=None
            Keyword arguments of matplotlib's `barh`.

        Returns
        -------
        FeatureContributionDisplay
            The display, drawn.
        """
        check_matplotlib(f"{cls.__name__}.from_predictions")
        contributions = np.asarray(feature_contributions, dtype=float)
        if contributions.ndim != 1:
            raise ValueError(
                f"feature_contributions should be a 1d array, got an array of shape {contributions.shape} instead."
            )
        is_series = hasattr(feature_contributions, "iloc")
        display = cls(
            feature_contributions=contributions,
            feature_names=np.array([str(name) for name in feature_contributions.index], dtype=object)
            if is_series
            else feature_names(None, len(contributions)),
            row_name=feature_contributions.name if is_series else None,
        )
        return display.plot(ax=ax, n_features=n_features, bar_kwargs=bar_kwargs)

    def plot(self, ax=None, *, n_features=8, bar_kwargs=None):
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.
        n_features : int, default=8
            Maximum number of features with a separate bar.
        bar_kwargs : dict, default=None
            Keyword arguments of matplotlib's `barh`.

        Returns
        -------
        FeatureContributionDisplay
            The display itself.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        check_parameters(type(self).__name__, {"n_features": n_features}, {"n_features": (Integer(1),)})
        contributions = np.asarray(self.feature_contributions, dtype=float)
        if ax is None:
            ax = new_axes(aspect=max(0.75, 0.2 + 0.045 * min(n_features, len(contributions))))
        order = np.argsort(-contributions, kind="stable")
        self.shown_, others = order[:n_features], order[n_features:]
        widths, labels = list(contributions[self.shown_]), [self._label(index) for index in self.shown_]
        if len(others):
            widths.append(contributions[others].sum())
            labels.append(f"{len(others)} other" + ("s" if len(others) > 1 else ""))
        colors = [VERMILION] * len(self.shown_) + [GREY] * (len(others) > 0)
        self.bars_ = ax.barh(np.arange(len(widths)), widths, **{"color": colors} | (bar_kwargs or {}))
        shares = np.divide(widths, contributions.sum() or 1.0)
        ax.bar_label(self.bars_, [f"{100 * share:.0f} %" for share in shares], padding=3)
        ax.set_yticks(np.arange(len(widths)), labels=labels)
        ax.invert_yaxis()
        # Room for the shares at the ends of the bars.
        ax.set_xlim(0.0, 1.2 * (max(widths) or 1.0))
        ax.set(xlabel="contribution to −score_samples", title=self._title(contributions))
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _label(self, index: int) -> str:
        name = shortened(self.feature_names[index])
        if self.feature_values is None:
            return name
        value = self.feature_values[index]
        return f"{name} = {value:.4g}" if isinstance(value, Real) else f"{name} = {shortened(str(value))}"

    def _title(self, contributions: np.ndarray) -> str:
        row = "A row" if self.row_name is None else f"Row {self.row_name}"
        p_value = "" if self.p_value is None else f", p = {self.p_value:.2g}"
        return with_name(f"{row}: score {-contributions.sum():.3g}{p_value}", self.estimator_name)


def _names(estimator, X, rows, n_features: int) -> np.ndarray:
    """Names of the features that the detector gets: those that the steps before it give, else those it knows."""
    if rows is not X and not hasattr(rows, "columns") and hasattr(X, "columns"):
        try:
            return np.asarray(estimator[:-1].get_feature_names_out(list(X.columns)), dtype=object)
        except AttributeError:  # a step without names
            pass
    return feature_names(rows, n_features, final_step(estimator))
