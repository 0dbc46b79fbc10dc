"""LossCurveDisplay: the loss during training, and the loss before it."""

from __future__ import annotations

import numpy as np

from skae._displays._drawing import BLUE, GREY, VERMILION, check_matplotlib, new_axes, with_name
from skae._displays._estimator_access import check_estimator, display_name, final_step
from skae._displays._labels import has_denoisers, start_name, training_loss_name

# Curves of at most this many epochs have markers, because a single epoch draws no line.
MAX_MARKED_EPOCHS = 12
# Losses within this relative difference are equal up to rounding.
ROUNDING = 1e-9


class LossCurveDisplay:
    """Training and held-out loss of every epoch, and the loss of PCA, or another closed form, before training.

    A marker shows the epoch and the loss of the weights that were kept: epoch 0 if no epoch was better than the
    starting point. There is no marker if a warm start kept its previous weights, whose loss is not on the curve.
    Without a hold-out the last weights are kept, and all losses are those of the training rows. The denoisers of a
    detector ignore the worst tenth of each batch in training and in the training curve, but not in the losses of the
    starting point and of the weights that were kept. It is recommended to use :meth:`from_estimator` to create a
    `LossCurveDisplay`. All parameters are stored as attributes.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Training loss of every epoch, averaged over its steps.
    validation_loss_curve : array-like of shape (n_epochs + 1,), default=None
        Loss on held-out rows before the first epoch and after each epoch.
    initial_loss : float, default=None
        Loss before training.
    best_loss : float, default=None
        Loss of the weights that were kept.
    train_name : str, default="training rows"
        Name of the training curve.
    start_name : str, default="PCA"
        Name of the model before training.
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
    initial_line_ : matplotlib Line2D or None
        Loss before training.
    best_point_ : matplotlib Line2D or None
        The weights that were kept, if their loss is that of an epoch.

    See Also
    --------
    AutoencoderTransformer : Has the `loss_curve_`, `validation_loss_curve_` and `initial_loss_` that are drawn here.
    sklearn.model_selection.LearningCurveDisplay : Draw scores against the number of training rows.

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
        initial_loss=None,
        best_loss=None,
        train_name="training rows",
        start_name="PCA",
        loss_name="loss",
        estimator_name=None,
    ):
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.initial_loss = initial_loss
        self.best_loss = best_loss
        self.train_name = train_name
        self.start_name = start_name
        self.loss_name = loss_name
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, line_kwargs=None):
        """Draw the losses of a fitted estimator.

        Parameters
        ----------
        estimator : estimator instance
            Fitted estimator with `loss_curve_`, or a pipeline that ends in one.
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a figure.
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
        display = cls(
            loss_curve=final.loss_curve_,
            validation_loss_curve=getattr(final, "validation_loss_curve_", None),
            initial_loss=getattr(final, "initial_loss_", None),
            # `best_loss_` of scikit-learn's networks is the lowest loss of an epoch, not that of the weights kept.
            best_loss=final.best_loss_ if hasattr(final, "initial_loss_") else None,
            train_name="training rows" + (", worst tenth left out" if has_denoisers(final) else ""),
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
            Axes to draw in. None creates a figure.
        line_kwargs : dict, default=None
            Keyword arguments of matplotlib's `plot` for the two curves.

        Returns
        -------
        LossCurveDisplay
            The display itself.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        ax = new_axes() if ax is None else ax
        self.ax_, self.figure_ = ax, ax.figure
        self._plot_curves(ax, line_kwargs or {})
        self._plot_best(ax)
        self.initial_line_ = None
        if self.initial_loss is not None:
            label = f"{self.start_name}, before training"
            self.initial_line_ = ax.axhline(self.initial_loss, color=GREY, linestyle="--", linewidth=1.5, label=label)
        ax.set(xlabel="epoch", ylabel=self.loss_name, title=with_name("Loss during training", self.estimator_name))
        if len(self.loss_curve) == 0:
            ax.set_xlim(-0.5, 1.5)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.3)
        ax.legend()
        return self

    def _plot_curves(self, ax, line_kwargs: dict) -> None:
        n_epochs = len(self.loss_curve)
        style = {"linewidth": 2, "marker": "o" if n_epochs <= MAX_MARKED_EPOCHS else "", "markersize": 4} | line_kwargs
        # Without epochs there is no curve, and so no entry in the legend.
        train = {"color": BLUE, "label": self.train_name if n_epochs else None} | style
        (self.train_line_,) = ax.plot(np.arange(1, n_epochs + 1), self.loss_curve, **train)
        self.validation_line_ = None
        if self.validation_loss_curve is not None:
            validation = {"color": VERMILION, "label": "held-out rows"} | style
            (self.validation_line_,) = ax.plot(
                np.arange(len(self.validation_loss_curve)), self.validation_loss_curve, **validation
            )

    def _plot_best(self, ax) -> None:
        self.best_point_ = None
        epoch = self._best_epoch()
        if epoch is None:
            return
        # Without a hold-out the loss is comparable with that of the start, not with the curve.
        held_out = self.validation_loss_curve is not None
        color, label = (VERMILION, "kept") if held_out else (GREY, "kept, all rows")
        style = {"marker": "o", "markersize": 8, "markerfacecolor": "white", "markeredgewidth": 2, "zorder": 3}
        (self.best_point_,) = ax.plot([epoch], [self.best_loss], linestyle="", color=color, label=label, **style)

    def _best_epoch(self) -> int | None:
        """The epoch whose weights were kept, None if it is unknown; without a hold-out it is the last or 0."""
        if self.best_loss is None:
            return None
        if self.validation_loss_curve is not None:
            differences = np.abs(np.asarray(self.validation_loss_curve, dtype=float) - self.best_loss)
            nearest = int(np.argmin(differences))
            return nearest if differences[nearest] <= ROUNDING * abs(self.best_loss) else None
        return 0 if self.best_loss == self.initial_loss else len(self.loss_curve)
