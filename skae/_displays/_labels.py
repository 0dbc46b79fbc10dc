"""Labels for losses, scores and starting points, derived from the public parameters of an estimator."""

from __future__ import annotations

from typing import Any

from skae._detector._network_training import MAX_BINNED_FEATURES

# For each `loss`: its mean over entries, as in `loss_curve_`, and its sum over a row, as in `-score_samples`.
LOSS_LABELS = {
    "squared_error": ("share of variance unexplained", "squared reconstruction error"),
    "absolute_error": ("absolute error, in root mean variances", "absolute reconstruction error"),
    "huber": ("Huber loss of residuals in root mean variances", "Huber loss of the reconstruction"),
    "binary_cross_entropy": ("binary cross-entropy, nats per entry", "binary cross-entropy (nats)"),
    "poisson": ("half the Poisson deviance, nats per entry", "half the Poisson deviance (nats)"),
}


def training_loss_name(estimator: Any) -> str:
    """The quantity in `loss_curve_` and its unit."""
    if not hasattr(estimator, "initial_loss_") or is_denoising_detector(estimator):
        return "loss"
    loss: Any = getattr(estimator, "loss", "squared_error")
    if not _is_variational(estimator):
        return f"loss ({LOSS_LABELS.get(loss, (loss,))[0]})"
    weighted = "" if estimator.beta == 1 else f" with beta = {estimator.beta:g}"
    # Training omits the normalisers of the other likelihoods, which depend on X alone.
    constant = "" if loss == "binary_cross_entropy" else ", up to a constant"
    return f"loss (negative evidence lower bound{weighted},\nnats per entry{constant})"


def row_loss_name(estimator: Any) -> str:
    """The quantity in `-score_samples`: the loss of an autoencoder that reconstructs, otherwise just a score."""
    if not hasattr(estimator, "reconstruct"):
        return "−score_samples"
    if _is_variational(estimator):
        return "negative evidence lower bound (nats)"
    return LOSS_LABELS.get(getattr(estimator, "loss", ""), ("−score_samples",))[-1]


def start_name(estimator: Any) -> str:
    """The model that training starts from; its loss is `initial_loss_`."""
    if is_denoising_detector(estimator):
        return "Wiener filter" if has_denoisers(estimator) else "marginal frequencies"
    code = getattr(estimator, "code", "dense")
    if code == "sparse":
        return "linear sparse code"
    # The moments of a callable corruption are not known, so that training starts from PCA.
    named = isinstance(getattr(estimator, "corruption", None), str)
    if named and getattr(estimator, "corruption_level", "auto") != 0:
        return "best linear denoiser"
    return "probabilistic PCA" if code == "variational" else "PCA"


def is_denoising_detector(estimator: Any) -> bool:
    return getattr(estimator, "method", None) == "denoising"


def has_denoisers(estimator: Any) -> bool:
    """Whether the networks are a detector's denoisers. Its other networks are masked autoencoders."""
    if not is_denoising_detector(estimator):
        return False
    return estimator.n_features_in_ > MAX_BINNED_FEATURES or not (estimator.novelty or estimator.categories_)


def _is_variational(estimator: Any) -> bool:
    return getattr(estimator, "code", None) == "variational"
