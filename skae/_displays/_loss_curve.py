"""LossCurveDisplay: how training went, and where it started."""

from __future__ import annotations

import numpy as np

from skae._displays._asking import check_estimator, display_name, final_step
from skae._displays._drawing import BLUE, GREY, VERMILION, check_matplotlib, new_axes
from skae._displays._naming import start_name, training_loss_name

# Curves of no more epochs than this mark each one: a single epoch draws no line.
MAX_MARKED_EPOCHS = 12
# Losses that differ by no more than this share of them are the same but for rounding.
ROUNDING = 1e-9


class LossCurveDisplay:
    """Training and held-out loss of every epoch, and the loss of PCA, or another linear model, they started from.

    The parameters that were kept are marked at their loss and epoch; it is epoch 0 where nothing beat the start. None
    is marked where the weights that a warm start set out from were kept, for the curve does not have their loss.
    Without a hold-out the kept parameters are the last ones and are judged, as the start is, on training rows. A
    denoising detector learns from all but the worst tenth of every batch, and its curve is theirs; the start and the
    kept parameters are judged on all rows. It is recommended to use :meth:`from_estimator` to create a
    `LossCurveDisplay`. All parameters are stored as attributes.

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
    train_name : str, default="training rows"
        Name of the training curve.
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
        The parameters that were kept, where an epoch has their loss.

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
        train_name="training rows",
        start_name="PCA",
        loss_name="loss",
        estimator_name=None,
    ):
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.pca_loss = pca_loss
        self.best_loss = best_loss
        self.train_name = train_name
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
        anchored = hasattr(final, "pca_loss_")
        display = cls(
            loss_curve=final.loss_curve_,
            validation_loss_curve=getattr(final, "validation_loss_curve_", None),
            pca_loss=getattr(final, "pca_loss_", None),
            # Of scikit-learn's networks it is the lowest loss of an epoch, not that of the parameters kept.
            best_loss=final.best_loss_ if anchored else None,
            train_name="training rows, worst tenth left out" if denoises else "training rows",
            start_name=start_name(final),
            loss_name=training_loss_name(final),
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
        # Untrained, there is no curve; a label without one would be all there is to see of it.
        train = {"color": BLUE, "label": self.train_name if n_epochs else None} | style
        (self.train_line_,) = ax.plot(epochs, self.loss_curve, **train)
        self.validation_line_ = self.best_point_ = self.pca_line_ = None
        if self.validation_loss_curve is not None:
            validation = {"color": VERMILION, "label": "held-out rows"} | style
            starts_at_zero = np.arange(len(self.validation_loss_curve))
            (self.validation_line_,) = ax.plot(starts_at_zero, self.validation_loss_curve, **validation)
        best_epoch = self._best_epoch()
        if best_epoch is not None:
            marks = {"marker": "o", "markersize": 8, "markerfacecolor": "white", "markeredgewidth": 2, "zorder": 3}
            held_out = self.validation_line_ is not None
            # Without a hold-out the loss compares with the start's, not with the curve.
            marks |= {"color": VERMILION, "label": "kept"} if held_out else {"color": GREY, "label": "kept, all rows"}
            (self.best_point_,) = ax.plot([best_epoch], [self.best_loss], linestyle="", **marks)
        if self.pca_loss is not None:
            label = f"{self.start_name}, before training"
            self.pca_line_ = ax.axhline(self.pca_loss, color=GREY, linestyle="--", linewidth=1.5, label=label)
        ax.set(xlabel="epoch", ylabel=self.loss_name)
        ax.set_title("Loss during training" + (f"\n{self.estimator_name}" if self.estimator_name else ""))
        if not n_epochs:
            ax.set_xlim(-0.5, 1.5)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.3)
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _best_epoch(self) -> int | None:
        """The epoch whose parameters were kept; without a hold-out the last or the start. None where it is unknown."""
        if self.best_loss is None:
            return None
        if self.validation_loss_curve is not None:
            differences = np.abs(np.asarray(self.validation_loss_curve, dtype=float) - self.best_loss)
            nearest = int(np.argmin(differences))
            return nearest if differences[nearest] <= ROUNDING * abs(self.best_loss) else None
        return 0 if self.best_loss == self.pca_loss else len(self.loss_curve)
