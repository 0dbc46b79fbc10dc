"""AutoencoderOutlierDetector: outliers as rows that denoising moves, with p-values and reasons."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, OutlierMixin, TransformerMixin

from skae._base_detector import BaseDetector
from skae._support._callbacks import with_callbacks
from skae._support._inputs import local_random_state, unchanged_on_error
from skae._support._tensors import in_kind


class AutoencoderOutlierDetector(ClassNamePrefixFeaturesOutMixin, TransformerMixin, OutlierMixin, BaseDetector):
    r"""Outlier detection by denoising: unusual rows are those that move when noise is removed from them.

    A denoiser learns to restore rows from Gaussian noise. On clean rows its residual is proportional to the gradient of
    the log-density [1]_ [2]_: rows where the data are dense stay, others are drawn towards them. Three denoisers are
    trained at all noise levels at once, each a correction to the Wiener filter of a robust covariance; the training
    rows themselves are a fourth, whose residual is the distance to the nearest row [3]_. A row is as unusual as the
    most alarmed of these views finds it, each measured by its own upper tail over the training rows.

    Parameters
    ----------
    method : {"denoising", "reconstruction"}, default="denoising"
        "reconstruction" is the classical alternative: the error of an autoencoder with a bottleneck of `n_components`
        that starts at PCA, and the Mahalanobis distance of its code. It is for more rows than features: below two rows
        a feature, those it was fitted to may look more unusual than new ones, and `fit` warns where they do.
    n_components : int, float or None, default=0.9
        Number of columns of the codes that `transform` gives, as in `AutoencoderTransformer`; at most one a feature
        with "denoising". With "reconstruction" it is the width of the bottleneck. A share asks for as many as principal
        components need to explain that much of the variance.
    contamination : "auto" or float, default="auto"
        Share of the training rows to label as outliers, in (0, 0.5], rounded down to whole rows. "auto" labels rows
        whose score is at least twice as far from the median as that of the 95th percentile of the training rows, and
        at least one training row, unless all score alike or more than a tenth of new rows would score as low.
    hidden_layer_sizes : tuple of int or "auto", default="auto"
        Widths of the hidden layers: (96, 96, 96) for "denoising", (256, 128) for "reconstruction" if "auto".
    activation : {"silu", "relu", "gelu", "tanh", "identity"}, default="silu"
        Activation function of the hidden layers.
    scale : bool, default=True
        Whether features are divided by their standard deviation first, so that their units do not matter.
    solver : {"adamw", "adam", "sgd"}, default="adamw"
        Optimiser.
    alpha : float or "auto", default="auto"
        L2 decay: 0.001 for "denoising", ``min(1, 500 / n_samples)`` for "reconstruction" if "auto"; 0.0003 times that
        for "adam" and "sgd", which add the decay to the gradient.
    batch_size : int or "auto", default="auto"
        Rows per step. "auto" is 64 for "denoising", else as in `AutoencoderTransformer`.
    learning_rate_init : float or "auto", default="auto"
        Highest learning rate: 0.003 for "denoising", 0.008 for "reconstruction" if "auto"; for "sgd"
        ``min(40, 0.4 * n_features)`` times that.
    max_iter : int or "auto", default="auto"
        Number of epochs at most. For "denoising" "auto" makes 400 steps, no more than rows but one epoch at least (a
        network trained for long learns the outliers too), else it is as in `AutoencoderTransformer`; below 50 rows it
        is 0: no network, only closed forms.
    n_iter_no_change : int or "auto", default=20
        Training stops after this many epochs that did not lower the loss by 0.01 %; "auto" is half of `max_iter`, at
        least 20.
    dtype : {"auto", "bfloat16", "float32", "float64"}, default="auto"
        Precision of the networks. "auto" is float64 up to 256 rows and float32 beyond. "bfloat16": products of training
        in bfloat16, worth it where the CPU (AMX, AVX-512-BF16) or GPU has it. Scores are float64.
    device : str, default="auto"
        Where to compute, as torch names it; "mps" lacks float64 and is refused. "auto" is CUDA where there is one, else
        the CPU.
    verbose : bool or int, default=False
        Whether to print the loss of every epoch.
    random_state : int, RandomState instance or None, default=None
        Draws bags of training rows, initial weights, batches and noise. Pass an int for results that repeat.

    Attributes
    ----------
    n_components_ : int
        Number of columns of the codes.
    offset_ : float
        ``decision_function = score_samples - offset_``, as in `IsolationForest`.
    n_iter_ : int
        Number of epochs run; where there are none, the closed forms count as one.
    loss_curve_ : list of float
        Training loss of every epoch.
    validation_loss_curve_ : list of float or None
        With "reconstruction", the loss on held-out rows, starting with PCA's.
    best_loss_ : float
        Loss of the parameters kept.
    pca_loss_ : float
        Loss before training: that of the Wiener filter, or of PCA.
    n_samples_seen_ : int
        Number of rows seen by `fit`, and by `partial_fit` since.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if all are strings.

    Raises
    ------
    ValueError
        If a parameter is out of its range, the input is not finite, or training meets values that are not.

    See Also
    --------
    sklearn.ensemble.IsolationForest : Outliers as rows that random splits isolate early.
    sklearn.neighbors.LocalOutlierFactor : Outliers by local density.
    AutoencoderTransformer : The autoencoder as a transformer.

    Notes
    -----
    A cluster of outliers that is denser than the normal rows around it looks normal to every method that measures
    distances, this one included.

    Given a torch tensor, methods return tensors on its device; coordinates are found in main memory.

    References
    ----------
    .. [1] Vincent, P. (2011). A connection between score matching and denoising autoencoders. Neural Computation, 23,
       1661-1674. :doi:`10.1162/NECO_a_00142`
    .. [2] Alain, G. & Bengio, Y. (2014). What regularized auto-encoders learn from the data-generating distribution.
       Journal of Machine Learning Research, 15, 3743-3773.
    .. [3] Ramaswamy, S., Rastogi, R. & Shim, K. (2000). Efficient algorithms for mining outliers from large data sets.
       SIGMOD. :doi:`10.1145/342009.335437`
    .. [4] Vovk, V., Gammerman, A. & Shafer, G. (2005). Algorithmic learning in a random world. Springer.
    .. [5] Vovk, V. (2015). Cross-conformal predictors. Annals of Mathematics and Artificial Intelligence, 74, 9-28.
       :doi:`10.1007/s10472-013-9368-4`

    Examples
    --------
    >>> import numpy as np
    >>> from skae import AutoencoderOutlierDetector
    >>> rng = np.random.RandomState(0)
    >>> X = rng.normal(size=(200, 3))
    >>> detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.0, 0.0], [0.0, 9.0, 0.0]])
    array([ 1, -1])
    >>> detector.feature_errors([[0.0, 9.0, 0.0]]).argmax()
    np.int64(1)
    """

    def __init__(
        self,
        *,
        method="denoising",
        n_components=0.9,
        contamination="auto",
        hidden_layer_sizes="auto",
        activation="silu",
        scale=True,
        solver="adamw",
        alpha="auto",
        batch_size="auto",
        learning_rate_init="auto",
        max_iter="auto",
        n_iter_no_change=20,
        dtype="auto",
        device="auto",
        verbose=False,
        random_state=None,
    ):
        self.method = method
        self.n_components = n_components
        self.contamination = contamination
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.scale = scale
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.n_iter_no_change = n_iter_no_change
        self.dtype = dtype
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    @with_callbacks
    def fit(self, X, y=None, sample_weight=None):
        """Fit the denoisers and calibrate their scores.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows, mostly normal.
        y : Ignored
            Present for scikit-learn's API.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows: a weight of two counts as the row given twice. Weights that sum to less than the number
            of rows are raised to that sum.

        Returns
        -------
        AutoencoderOutlierDetector
            The fitted estimator. If `fit` raises, it is what it was before.
        """
        with unchanged_on_error(self):
            data = self._checked(X, sample_weight)
            fitted = self._fit_detector(data, local_random_state(self.random_state))
            _, kept = self._with_earlier_rows(data, anew=True)
            for name, value in (fitted | kept).items():
                setattr(self, name, value)
        return self

    @with_callbacks
    def partial_fit(self, X, y=None, sample_weight=None):
        """Fit again, to a sample of all rows seen.

        At most 20,000 rows and 20 million numbers are kept, each row as likely as any other (or as its weight says);
        after `fit` 8,192 rows and 4 million numbers. A call takes as long as `fit` on those: pass few large chunks.
        While all are kept the result is that of `fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A chunk of rows, one or more.
        y : Ignored
            Present for scikit-learn's API.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, as in `fit`.

        Returns
        -------
        AutoencoderOutlierDetector
            The fitted estimator. If `partial_fit` raises, it is what it was before.
        """
        with unchanged_on_error(self):
            chunk = self._checked(X, sample_weight, reset=not hasattr(self, "_state"), min_samples=1)
            data, kept = self._with_earlier_rows(chunk)
            for name, value in (self._fit_detector(data, local_random_state(self.random_state)) | kept).items():
                setattr(self, name, value)
        return self

    def score_samples(self, X):
        r"""Return the normality of each row: below zero, and the lower the more unusual.

        The score is :math:`-\log(1 + e^u)`, where the most alarmed view puts the row at u: 0 is the median of the
        training rows, 1 their 95th percentile, and the scale is that of the logarithm of distances.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Scores.
        """
        return in_kind(self._score_samples(self._check_fitted_X(X)), X)

    def decision_function(self, X):
        """Return ``score_samples(X) - offset_``: negative for outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Scores about the threshold.
        """
        return in_kind(self._score_samples(self._check_fitted_X(X)) - self.offset_, X)

    def predict(self, X):
        """Label rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            -1 for outliers, +1 for inliers.
        """
        scores = self._score_samples(self._check_fitted_X(X))
        return in_kind(np.where(scores < self.offset_, -1, 1), X)

    def p_values(self, X):
        r"""Return conformal p-values: how often a normal row scores as low as this one.

        If the training rows are exchangeable with new normal rows, the chance that a new normal row's p-value is at
        most a is at most a: ``p_values(X) <= 0.01`` has a false-alarm rate of at most 1 %, at any number of training
        rows (Vovk et al. 2005). Calibration scores are those of up to 2,000 training rows, each compared with the
        others only and scored by the one denoiser that did not learn from it; with "reconstruction" it is the held-out
        rows that calibrate. Where a covariance depends on single rows (below 200 rows, or ten a feature), rows are
        scored by detectors fitted to the other four fifths, all of them below 1,000 rows and else a fifth
        (cross-conformal, Vovk 2015). New rows' scores use all rows, so that none is wasted. The guarantee would be
        exact for scores that do not depend on single rows; it is approximate here. With n calibration scores no p-value
        is below 1 / (n + 1).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Values in (0, 1].
        """
        scores = self._score_samples(self._check_fitted_X(X))
        return in_kind(self._p_values(scores), X)

    def feature_errors(self, X):
        """Return what each feature contributes to each row's score.

        The most alarmed view of a row grows with the squared differences between the row and its denoised self (or the
        training rows nearest to it); each feature is given its share of them. Rows sum to ``-score_samples(X)``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_features)
            Contributions, at least zero; a DataFrame with the same columns and index if X is one of pandas.
        """
        errors = self._feature_errors(self._check_fitted_X(X))
        if hasattr(X, "iloc"):
            return type(X)(errors, index=X.index, columns=X.columns)
        return in_kind(errors, X)

    def transform(self, X):
        """Encode rows, for maps of outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components_)
            In the dtype of X (float64 for integers). With "denoising" the leading coordinates on the axes of the robust
            covariance, in standard deviations of a feature; with "reconstruction" the codes of the autoencoder.
        """
        return in_kind(self._codes(self._check_fitted_X(X)), X)
