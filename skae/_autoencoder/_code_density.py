"""A density of codes, from which new codes are drawn."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from skae._autoencoder._codes import DenseCode

# Numbers of Gaussians that are tried. The mixture with the lowest BIC is taken.
MIXTURE_SIZES = (1, 2, 4, 8, 16, 32)
# Added to the variances of each Gaussian, so that none collapses on a few rows. Over all rows, variances are one.
REGULARISATION = 1e-3


@dataclass(frozen=True)
class CodeDensity:
    """A mixture of Gaussians for codes (None if there is only one code). Draws are made valid codes by `code`."""

    code: DenseCode
    centre: np.ndarray
    spread: np.ndarray
    mixture: GaussianMixture | None

    @classmethod
    def of(cls, codes: np.ndarray, code: DenseCode) -> CodeDensity:
        """Fit the density to codes; the same codes give the same density."""
        centre, spread = codes.mean(axis=0), codes.std(axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        return cls(code, centre, spread, _fit_mixture((codes - centre) / spread) if len(codes) > 1 else None)

    def sample(self, n_samples: int, random_state: np.random.RandomState) -> np.ndarray:
        """Draw codes."""
        if self.mixture is None:
            drawn = np.zeros((n_samples, len(self.centre)))
        else:
            # GaussianMixture draws from its own random_state. It is replaced so that each call gives other rows, and in
            # a copy, because several threads may draw.
            mixture = copy.copy(self.mixture).set_params(random_state=random_state.randint(np.iinfo(np.int32).max))
            drawn = mixture.sample(n_samples)[0][random_state.permutation(n_samples)]
        return self.code.code(torch.from_numpy(drawn * self.spread + self.centre)).numpy()


def _fit_mixture(rows: np.ndarray) -> GaussianMixture:
    """The mixture with the lowest Bayesian information criterion; the same rows give the same mixture."""
    n_rows, n_components = rows.shape
    best, lowest = None, np.inf
    for size in MIXTURE_SIZES:
        # Each Gaussian needs enough rows for its covariance.
        if size > 1 and n_rows < 2 * size * (n_components + 1):
            break
        mixture = GaussianMixture(
            size, covariance_type="full", reg_covar=REGULARISATION, max_iter=50, tol=1e-2, random_state=0
        )
        with warnings.catch_warnings():
            # The mixture is good enough to sample from, even if its likelihood still rises after the last iteration.
            warnings.simplefilter("ignore", ConvergenceWarning)
            criterion = mixture.fit(rows).bic(rows)
        if criterion < lowest:
            best, lowest = mixture, criterion
    return best
