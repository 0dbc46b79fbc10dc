"""Words for what estimators minimise, what their scores are and what they start at, by their public parameters."""

from __future__ import annotations

from numbers import Integral
from typing import Any

# Means over entries, as `loss_curve_` has them.
TRAINING_LOSSES = {
    "squared_error": "share of variance unexplained",
    "absolute_error": "absolute error, in root mean variances",
    "huber": "Huber's, of residuals in root mean variances",
    "binary_cross_entropy": "binary cross-entropy, nats per entry",
    "poisson": "half the Poisson deviance, nats per entry",
}
# Sums over the entries of a row, as minus `score_samples` has them.
ROW_LOSSES = {
    "squared_error": "squared reconstruction error",
    "absolute_error": "absolute reconstruction error",
    "huber": "Huber's loss of the reconstruction",
    "binary_cross_entropy": "binary cross-entropy (nats)",
    "poisson": "half the Poisson deviance (nats)",
}


def training_loss_name(estimator: Any) -> str:
    """What `loss_curve_` is, and in which unit."""
    if not hasattr(estimator, "pca_loss_") or _is_denoising_detector(estimator):
        return "loss"
    loss: Any = getattr(estimator, "loss", "squared_error")
    if getattr(estimator, "variational", False):
        beta = getattr(estimator, "beta", 1)
        weighted = "" if beta == 1 else f" with beta = {beta:g}"
        # The normalisers of the other likelihoods, which depend on X alone, are left out in training.
        constant = "" if loss == "binary_cross_entropy" else ", up to a constant"
        return f"loss (negative evidence lower bound{weighted},\nnats per entry{constant})"
    sparsity = getattr(estimator, "sparsity", None)
    penalty = "" if sparsity is None or isinstance(sparsity, Integral) else ",\npenalty of codes included"
    return f"loss ({TRAINING_LOSSES.get(loss, loss)}{penalty})"


def row_loss_name(estimator: Any) -> str:
    """What minus `score_samples` is: the loss of autoencoders that reconstruct, a score of its own of others."""
    if not hasattr(estimator, "reconstruct"):
        return "−score_samples"
    if getattr(estimator, "variational", False):
        return "negative evidence lower bound (nats)"
    return ROW_LOSSES.get(getattr(estimator, "loss", ""), "−score_samples")


def start_name(estimator: Any) -> str:
    """The linear model that training set out from, whose loss is `pca_loss_`."""
    if _is_denoising_detector(estimator):
        return "Wiener filter"
    if getattr(estimator, "sparsity", None) is not None:
        return "linear sparse code"
    if _is_denoising_transformer(estimator):
        return "best linear denoiser"
    return "probabilistic PCA" if getattr(estimator, "variational", False) else "PCA"


def _is_denoising_detector(estimator: Any) -> bool:
    return getattr(estimator, "method", None) == "denoising"


def _is_denoising_transformer(estimator: Any) -> bool:
    """Whether the start undoes corruption: noise of level "auto" only regularises, and what functions do is unknown."""
    corruption, level = getattr(estimator, "corruption", None), getattr(estimator, "corruption_level", "auto")
    if isinstance(level, str):
        return corruption in ("masking", "salt_and_pepper", "swap")
    return isinstance(corruption, str) and level > 0
