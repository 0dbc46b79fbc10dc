"""What a transformer does with rows once fitted, and which members of the family go together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skae._base import TrainingData
from skae._base_anchored import Member
from skae._base_incremental import BaseIncremental
from skae._code_density import CodeDensity
from skae._model._losses import LOSSES
from skae._modules import DecoderModule, EncoderModule
from skae._numerics._moments import feature_ranges, share_missing
from skae._support._distributed import ProcessGroup
from skae._support._inputs import check_sample_weight, local_random_state
from skae._support._made_once import MadeOnce
from skae._support._parameters import AnyCallable, Boolean, Float, Integer, OneOf, plain_number
from skae._support._tensors import as_array, in_kind, is_sound_tensor
from skae._support._threads import settle_count

CORRUPTIONS = ("gaussian", "masking", "salt_and_pepper", "swap")
# Parameters that exclude each other, and why: the error says so.
EXCLUSIVE = {
    "whiten": "mixes its components",
    "variational": "draws it from a density",
    "sparsity": "makes components zero",
    "ordered": "cuts it after a component",
}
# The range of X that losses need, and the words for it.
RANGES = {"binary_cross_entropy": (0.0, 1.0, "in [0, 1]"), "poisson": (0.0, np.inf, ">= 0")}

# Densities of codes to draw from: fitting one takes seconds.
_DENSITIES: MadeOnce[CodeDensity] = MadeOnce()


class BaseTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseIncremental):
    """Checks what the constructor of the transformer is given; encodes, decodes, scores and samples."""

    _constraints = BaseIncremental._constraints | {
        "n_components": (Integer(1), Float(0, 1, low_open=True, high_open=True), OneOf((None,))),
        "whiten": (Boolean(),),
        "loss": (OneOf(tuple(LOSSES)),),
        "corruption": (OneOf(CORRUPTIONS), AnyCallable()),
        "sparsity": (Integer(1), Float(0, low_open=True), OneOf((None,))),
        "ordered": (Boolean(),),
        "variational": (Boolean(),),
        "beta": (Float(0, low_open=True),),
        "network": (AnyCallable(), OneOf((None,))),
        "distributed": (Boolean(),),
        "warm_start": (Boolean(),),
    }

    @property
    def _member(self) -> Member:
        return Member(
            self.corruption,
            self.loss,
            plain_number(self.sparsity),
            bool(self.ordered),
            bool(self.variational),
            float(self.beta),
            self.network,
        )

    def _checked(
        self, X, sample_weight, *, reset: bool = True, min_samples: int = 2, processes: ProcessGroup | None = None
    ) -> TrainingData:
        data = super()._checked(X, sample_weight, reset=reset, min_samples=min_samples, processes=processes)
        data = replace(data, share_missing=share_missing(data.X))
        self._check_combination()
        _check_range(data.X, self.loss)
        return data

    def _check_fitted_X(self, X):
        """Checked rows. A tensor stays one on its device, and leaves it only for a check that will say something."""
        settle_count()
        if not is_sound_tensor(X):
            return in_kind(super()._check_fitted_X(X), X)
        check_is_fitted(self)
        return validate_data(self, X, reset=False, skip_check_array=True)

    def _check_combination(self) -> None:
        """Refuse members that contradict each other, and say why."""
        chosen = [name for name in EXCLUSIVE if getattr(self, name)]
        if len(chosen) > 1:
            first, second = chosen[:2]
            raise ValueError(
                f"{first} and {second} cannot be combined: {first} {EXCLUSIVE[first]}, {second} {EXCLUSIVE[second]}."
            )
        if self.variational and not LOSSES[self.loss].is_likelihood and self.loss != "squared_error":
            raise ValueError(
                f"variational=True needs a loss that is a likelihood: 'squared_error', 'binary_cross_entropy' or "
                f"'poisson'. Got {self.loss!r} instead."
            )
        if self.distributed and (self.corruption == "swap" or callable(self.corruption)):
            raise ValueError(
                f"corruption={self.corruption!r} cannot be combined with distributed=True: it looks at all rows of a "
                "batch."
            )
        is_share = self.corruption in ("masking", "salt_and_pepper", "swap")
        if is_share and not isinstance(self.corruption_level, str) and self.corruption_level > 1:
            raise ValueError(
                f"corruption_level is a share of the entries with corruption={self.corruption!r}, and at most 1. "
                f"Got {self.corruption_level} instead."
            )
        if self.network is not None and self.ordered and isinstance(plain_number(self.n_components), float):
            raise ValueError("ordered=True cannot shorten the code of a custom network: give n_components as an int.")

    def transform(self, X):
        """Encode rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components_)
            Their codes, in the dtype of X (float64 for integers).
        """
        X = self._check_fitted_X(X)
        return self._fitted.encode(X, self.device)

    def inverse_transform(self, X):
        """Decode codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components_)
            Codes. If `ordered`, their first columns alone will do.

        Returns
        -------
        ndarray of shape (n_samples, n_features_in_)
            Rows in the units of the training rows, in the dtype of the codes.
        """
        check_is_fitted(self)
        if not is_sound_tensor(X):
            X = in_kind(check_array(as_array(X), dtype=(np.float64, np.float32)), X)
        ordered = self._fitted.architecture["ordered"]
        if X.shape[1] > self.n_components_ or (X.shape[1] < self.n_components_ and not ordered):
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting {self.n_components_} "
                "components as input."
            )
        return self._fitted.decode(X, self.device)

    def reconstruct(self, X):
        """Encode and decode rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            What their codes retain of them, in the dtype of X.
        """
        X = self._check_fitted_X(X)
        return self._fitted.reconstruct(X, self.device)

    def predict(self, X):
        """Encode and decode rows: `reconstruct`, for dense input.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            What their codes retain of them, in the dtype of X.
        """
        if sparse.issparse(X):
            raise TypeError("Sparse data was passed to predict, whose result is dense. Call reconstruct instead.")
        return self.reconstruct(X)

    def score_samples(self, X):
        r"""Return minus the loss of each row, or its evidence lower bound if `variational`.

        For the squared error that is :math:`-\|x - \hat x\|^2`. The bound, in nats, is

        .. math:: E_{q(z|x)} \log p(x|z) - D_{KL}(q(z|x) \| p(z)) \le \log p(x).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. Entries that are missing do not count.

        Returns
        -------
        ndarray of shape (n_samples,)
            Scores; with `scale` squared errors are in units of the features' variances, else in those of X.
        """
        X = self._check_fitted_X(X)
        _check_range(X, self._fitted.architecture["loss"])
        if self._fitted.architecture["variational"]:
            return self._fitted.log_evidence_bounds(X, self.device)
        return -self._fitted.summed_losses(X, self.device)

    def score(self, X, y=None, sample_weight=None):
        r"""Return the share of variance explained (R²), about the mean of the training rows.

        .. math:: R^2 = 1 - \sum_i w_i \|x_i - \hat x_i\|^2 / \sum_i w_i \|x_i - \mu\|^2

        With `scale` differences are first divided by `scale_`: of estimators with and without it the scores are of
        different things. Entries that are missing do not count.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : Ignored
            Present for scikit-learn's API.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            1 for a perfect reconstruction, 0 for one as good as the mean.

        Raises
        ------
        ValueError
            If no entry is observed.
        """
        X = self._check_fitted_X(X)
        weight = check_sample_weight(sample_weight, X)
        errors, norms = self._fitted.squared_errors(X, self.device)
        largest = max(errors.max(), norms.max()) or 1.0  # sums of squares need not be within float64
        error, norm = np.average(errors / largest, weights=weight), np.average(norms / largest, weights=weight)
        if norm == 0.0:
            if share_missing(as_array(X)) == 1.0:
                raise ValueError("X has no observed entry, and its reconstruction nothing to be compared with.")
            return 1.0 if error == 0.0 else 0.0
        return float(1.0 - error / norm)

    def sample(self, n_samples=1, random_state=None):
        """Draw new rows.

        Codes are drawn from the prior if `variational`, else from a mixture of Gaussians (as many as give the lowest
        BIC), go through what `sparsity` does to a code, and are decoded. The mixture is fitted in the first call to the
        codes of at most 4,096 training rows; after `partial_fit`, of at most 500 of all rows seen.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Draws the codes. Pass an int for results that repeat.

        Returns
        -------
        ndarray of shape (n_samples, n_features_in_)
            Rows in the units of the training rows.
        """
        check_is_fitted(self)
        if not Integer(1).accepts(n_samples):
            raise ValueError(f"Invalid value for 'n_samples': {n_samples!r}. It must be an int >= 1.")
        random_state = local_random_state(random_state)
        if self._fitted.architecture["variational"]:
            codes = random_state.normal(size=(n_samples, self.n_components_))
        else:
            codes = self._density.sample(n_samples, random_state) @ self._fitted.code_map
        return self._fitted.decode(codes, self.device)

    @property
    def _density(self) -> CodeDensity:
        def make() -> CodeDensity:
            return CodeDensity.of(self._codes.astype(np.float64), self._fitted.network("cpu").bottleneck)

        return _DENSITIES.of(self, self._codes, make)

    def encoder_module(self):
        """Return `transform` as a torch module whose parameters can be trained further.

        Returns
        -------
        torch.nn.Module
            Turns rows in the units of X, none of their entries missing, into codes. A copy: training it does not change
            the estimator. In the precision the estimator computes in, on the CPU.
        """
        check_is_fitted(self)
        return EncoderModule(self._fitted)

    def decoder_module(self):
        """Return `inverse_transform` as a torch module whose parameters can be trained further.

        Returns
        -------
        torch.nn.Module
            Turns codes into rows in the units of X; a copy, as `encoder_module` is.
        """
        check_is_fitted(self)
        return DecoderModule(self._fitted)


def _check_range(X, loss: str) -> None:
    """Raise ValueError unless the loss is defined for the values of X, an array, tensor, CSR matrix or shards."""
    if loss not in RANGES:
        return
    low, high, words = RANGES[loss]
    lowest, highest = feature_ranges(as_array(X))
    for extreme in (np.nanmin(lowest, initial=low), np.nanmax(highest, initial=low)):
        if not low <= extreme <= high:
            raise ValueError(f"loss={loss!r} needs values of X {words}. Got {extreme:g} instead.")
