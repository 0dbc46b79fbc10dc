"""LossCurveDisplay: how training went, and where it started."""

from __future__ import annotations

import numpy as np

from skae._displays._asking import check_estimator, display_name, final_step
from skae._displays._drawing import BLUE, GREY, VERMILION, check_matplotlib, new_axes

# Curves of no more epochs than this mark each one: a single epoch draws no line.
MAX_MARKED_EPOCHS = 12


class LossCurveDisplay:
    """Training and held-out loss of every epoch, and the loss of PCA they started from.

    The loss of the parameters that were kept is marked on the held-out curve; it is PCA's where nothing beat PCA. It is
    recommended to use :meth:`from_estimator` to create a `LossCurveDisplay`. All parameters are stored as attributes.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Training loss of every epoch, averaged while the parameters move.
    validation_loss_curve : array-like of shape (n_epochs + 1,), default=None
        Loss on held-out rows before the first epoch and after every one.
    pca_loss : float, default=None
        Loss before training.
    best_loss : float, default=None
        Loss of the parameters that were kept.
    start_name : str, default="PCA"
        What the estimator was before training.
    loss_name : str, default="loss"
        Label of the vertical axis.
    estimator_name : str, default=None
        Name of the estimator, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure containing the axes.
    train_line_ : matplotlib Line2D
        Training loss.
    validation_line_ : matplotlib Line2D or None
        Held-out loss.
    pca_line_ : matplotlib Line2D or None
        Loss before training.
    best_point_ : matplotlib Line2D or None
        The parameters kept, on the held-out curve.

    See Also
    --------
    AutoencoderTransformer : Its `loss_curve_`, `validation_loss_curve_` and `pca_loss_` are drawn here.
    sklearn.model_selection.LearningCurveDisplay : Scores against the number of training rows.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer, LossCurveDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(random_state=0).fit(X)
    >>> display = LossCurveDisplay.from_estimator(autoencoder)
    >>> display.ax_.get_xlabel()
    'epoch'
    """

    def __init__(
        self,
        *,
        loss_curve,
        validation_loss_curve=None,
        pca_loss=None,
        best_loss=None,
        start_name="PCA",
        loss_name="loss",
        estimator_name=None,
    ):
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.pca_loss = pca_loss
        self.best_loss = best_loss
        self.start_name = start_name
        self.loss_name = loss_name
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, line_kwargs=None):
        """Draw the losses that a fitted estimator kept.

        Parameters
        ----------
        estimator : estimator instance
            Fitted estimator with `loss_curve_`, or a pipeline that ends in one.
        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a figure.
        line_kwargs : dict, default=None
            Keyword arguments of matplotlib's `plot` for the two curves.

        Returns
        -------
        LossCurveDisplay
            The display, drawn.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        check_estimator(estimator)
        final = final_step(estimator)
        check_estimator(final, "loss_curve_")
        denoises = getattr(final, "method", None) == "denoising"
        is_share = hasattr(final, "pca_loss_") and not denoises
        display = cls(
            loss_curve=final.loss_curve_,
            validation_loss_curve=getattr(final, "validation_loss_curve_", None),
            pca_loss=getattr(final, "pca_loss_", None),
            best_loss=getattr(final, "best_loss_", None),
            start_name="Wiener filter" if denoises else "PCA",
            loss_name="loss (share of variance unexplained)" if is_share else "loss",
            estimator_name=display_name(estimator),
        )
        return display.plot(ax=ax, line_kwargs=line_kwargs)

    def plot(self, ax=None, *, line_kwargs=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a figure.
        line_kwargs : dict, default=None
            Keyword arguments of matplotlib's `plot` for the two curves.

        Returns
        -------
        LossCurveDisplay
            The display itself.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        ax = new_axes(f"{type(self).__name__}.plot") if ax is None else ax
        n_epochs = len(self.loss_curve)
        style = {"linewidth": 2, "marker": "o" if n_epochs <= MAX_MARKED_EPOCHS else "", "markersize": 4}
        style |= line_kwargs or {}
        epochs = np.arange(1, n_epochs + 1)
        (self.train_line_,) = ax.plot(epochs, self.loss_curve, **{"color": BLUE, "label": "training rows"} | style)
        self.validation_line_ = self.best_point_ = self.pca_line_ = None
        if self.validation_loss_curve is not None:
            losses = np.asarray(self.validation_loss_curve, dtype=float)
            held_out = {"color": VERMILION, "label": "held-out rows"} | style
            (self.validation_line_,) = ax.plot(np.arange(len(losses)), losses, **held_out)
            self._mark_best(ax, losses)
        if self.pca_loss is not None:
            label = f"{self.start_name}, before training"
            self.pca_line_ = ax.axhline(self.pca_loss, color=GREY, linestyle="--", linewidth=1.5, label=label)
        ax.set(xlabel="epoch", ylabel=self.loss_name)
        ax.set_title("Loss during training" + (f"\n{self.estimator_name}" if self.estimator_name else ""))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.3)
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _mark_best(self, ax, losses: np.ndarray) -> None:
        """A point where the held-out curve is at the loss that was kept."""
        kept = np.flatnonzero(losses == self.best_loss)
        if len(kept):
            marks = {"marker": "o", "markersize": 8, "markerfacecolor": "white", "markeredgewidth": 2}
            (self.best_point_,) = ax.plot(
                kept[:1], losses[kept[:1]], color=VERMILION, linestyle="", label="kept", zorder=3, **marks
            )
