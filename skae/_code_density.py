"""A density on codes, to sample from."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

# Numbers of Gaussians tried; the one with the lowest BIC is taken.
MIXTURE_SIZES = (1, 2, 4, 8, 16, 32)
# Added to the variances of codes of unit variance, so that no Gaussian collapses on a few rows.
REGULARISATION = 1e-3


def sample_codes(codes: np.ndarray, n_samples: int, random_state: np.random.RandomState) -> np.ndarray:
    """Draw from a mixture of Gaussians fitted to codes."""
    centre, spread = codes.mean(axis=0), codes.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    mixture = _fit_mixture((codes - centre) / spread)
    # GaussianMixture draws from its own random_state; drawing again must give something else.
    mixture.set_params(random_state=random_state.randint(np.iinfo(np.int32).max))
    drawn, _ = mixture.sample(n_samples)
    return drawn[random_state.permutation(n_samples)] * spread + centre


def _fit_mixture(codes: np.ndarray) -> GaussianMixture:
    """The mixture with the lowest Bayesian information criterion; the same for the same codes."""
    n_rows, n_components = codes.shape
    best, lowest = None, np.inf
    for size in MIXTURE_SIZES:
        # A Gaussian needs rows enough for its covariance.
        if size > 1 and n_rows < 2 * size * (n_components + 1):
            break
        mixture = GaussianMixture(
            size, covariance_type="full", reg_covar=REGULARISATION, max_iter=50, tol=1e-2, random_state=0
        )
        criterion = _fitted_quietly(mixture, codes).bic(codes)
        if criterion < lowest:
            best, lowest = mixture, criterion
    return best


def _fitted_quietly(mixture: GaussianMixture, codes: np.ndarray) -> GaussianMixture:
    """Fit; a likelihood still rising after the last iteration is good enough to sample from."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(codes)
