"""AutoencoderOutlierDetector: outliers by denoising autoencoders and nearest rows, with p-values and contributions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import false_discovery_control
from sklearn.base import OutlierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skae._detector._calibration import Calibration, normal_threshold, threshold
from skae._detector._denoising import DenoisingScorer
from skae._detector._reconstruction import ReconstructionScorer
from skae._detector._scorer import Scorer, ScorerFit, ScorerParameters
from skae._estimator import AUTO, BaseAutoencoder, training_attributes
from skae._linalg._moments import feature_ranges
from skae._rows._processes import is_distributed
from skae._rows._reservoir import Reservoir, sample_rows
from skae._rows._training_rows import TrainingRows
from skae._support._callbacks import with_callbacks
from skae._support._categories import ADVICE_TO_CONVERT, ENCODE, as_table, category_counts, encoded, find_categories
from skae._support._constraints import (
    Boolean,
    FeatureSelection,
    Float,
    OneOf,
    check_parameters,
    layer_sizes,
    plain_number,
)
from skae._support._frames import frame_like
from skae._support._random_state import local_random_state, random_state_after
from skae._support._state import fields_of
from skae._support._tensors import like
from skae._support._threads import single_thread
from skae._support._torch import no_autocast, resolve_device, resolve_dtype
from skae._support._validation import check_features_observed, check_n_components, unchanged_on_error
from skae._support._warnings import warn

# Limits of the sample that `partial_fit` keeps of all rows seen: the number of rows, and of values in them.
MAX_STREAM_ROWS, MAX_STREAM_NUMBERS = 20_000, 20_000_000
# The same for `fit`. They are smaller, because a saved file contains the sample even if no `partial_fit` follows.
MAX_FIT_ROWS, MAX_FIT_NUMBERS = 4096, 1_000_000

# `recalibrate` warns if no p-value is this low or, unless `contamination` is "auto", as low as `contamination`.
HIGHEST_LEVEL = 0.05

# The constraint on the parameter of `select`.
FDR = {"fdr": (Float(0, 1, low_open=True, high_open=True),)}

# The values of the `method` parameter.
SCORERS: dict[str, type[Scorer]] = {"denoising": DenoisingScorer, "reconstruction": ReconstructionScorer}


def _can_label_training_rows(detector: AutoencoderOutlierDetector) -> bool:
    if detector.novelty:
        raise AttributeError(
            "fit_predict is not available when novelty=True, because all training rows are assumed to be normal. Call "
            "fit, then predict on new rows, or set novelty=False. See docs/guide_outliers.md."
        )
    return True


class AutoencoderOutlierDetector(OutlierMixin, BaseAutoencoder):
    r"""Outlier detection by denoising autoencoders and distances to training rows.

    A row is unusual if it is far from the training rows, or if its features do not fit each other. Several component
    scores measure this. Distances are measured to the nearest row in each of several random samples of the training
    rows [3]_, in three coordinate systems: standardised features, whitened features, and normal quantiles of the ranks
    of each feature. Autoencoders learn how the features depend on each other. With ``novelty=True`` they predict masked
    features from the others, as probabilities of bins [1]_; else they remove Gaussian noise from rows [2]_.

    Each component score is converted to a surprisal: minus the logarithm of the share of training rows with a component
    score at least as high. For this, training rows are scored by distances and networks that were fitted without them.
    The score of a row is minus the mean of its two highest surprisals.

    Parameters
    ----------
    method : {"denoising", "reconstruction"}, default="denoising"
        How rows are scored. "denoising" is the method described above. "reconstruction" has two component scores: the
        reconstruction error of an autoencoder with a bottleneck of `n_components`, which starts at PCA, and the
        Mahalanobis distance of its code. With fewer than two rows per feature, training rows may look more unusual than
        new rows, and `fit` warns.
    novelty : bool, default=False
        If True, all training rows are assumed to be normal, so that the score can follow them closely: samples have 512
        rows, distances are also measured in random subsets of the features, masked autoencoders are trained, and
        component scores are weighted by how well they distinguish training rows from corrupted rows. If False, training
        rows may contain outliers: samples have 32 or 8 rows and seldom contain the most unusual training rows, and
        denoisers are trained briefly. Not used with ``method="reconstruction"`` except for `contamination`.
    n_components : int, float or None, default=0.9
        Number of columns of the codes that `transform` returns, as in `AutoencoderTransformer`. A float in (0, 1) takes
        the smallest number of principal components that explains that share of the variance. None takes all. With
        "reconstruction" it is the width of the bottleneck.
    contamination : "auto" or float, default="auto"
        With ``novelty=True``, the share of new normal rows that are labelled as outliers, which is the rate of false
        alarms. "auto" is 0.01. With ``novelty=False``, the share of the training rows that are labelled as outliers,
        rounded down to whole rows. "auto" counts the rows whose component scores are, on average, more than four times
        as far above their medians as the upper quartiles are. It labels that many rows, at least one; of Gaussian rows,
        these are 0.1 to 1 %. A float must be in (0, 0.5].
    hidden_layer_sizes : int, array-like of int or "auto", default="auto"
        Widths of the hidden layers. An int is one layer. "auto" is as in `AutoencoderTransformer` for "reconstruction",
        (128, 128, 128) for masked autoencoders, and (96, 96, 96) for denoisers.
    activation : {"silu", "relu", "gelu", "tanh", "identity"}, default="relu"
        Activation function of the hidden layers.
    scale : bool, default=True
        If True, features are divided by their standard deviation first, so that their units do not matter. With
        "denoising", the standard deviation is robust to extreme values, and a constant feature is divided by a tenth of
        its value.
    alpha : float or "auto", default="auto"
        L2 decay of the weights. "auto" is ``min(3, 1500 / n_samples)`` for masked autoencoders, 0.001 for denoisers,
        and as in `AutoencoderTransformer` for "reconstruction".
    batch_size : int or "auto", default="auto"
        Number of rows per step. "auto" is 64 for "denoising", and as in `AutoencoderTransformer` for "reconstruction".
    learning_rate_init : float or "auto", default="auto"
        Highest learning rate of AdamW. "auto" is 0.003 for "denoising" and 0.005 for "reconstruction".
    max_iter : int or "auto", default="auto"
        Maximum number of epochs. For "denoising", "auto" gives 900 steps for masked autoencoders, at most two per row,
        and 400 steps for denoisers, at most one per row. For "reconstruction", it is as in `AutoencoderTransformer`.
        Below 50 rows it is 0: networks are not trained, and remain the closed forms that they start from.
    n_iter_no_change : int or "auto", default="auto"
        With "denoising", training stops if this many epochs in a row did not lower the best loss by 0.01 %, and "auto"
        is `max_iter`. For "reconstruction", it is as in `AutoencoderTransformer`.
    categorical_features : "from_dtype", array-like of bool, int or str, or None, default="from_dtype"
        Which features are categorical, as in `HistGradientBoostingClassifier`. With "from_dtype", they are the columns
        of a pandas or polars DataFrame whose dtype is categorical (or, in polars, an enum). An array selects features
        by a mask, by indices or by column names. None means that no feature is categorical. Categories may be strings
        or numbers; 1, 1.0 and "1" are the same. A category that `fit` has not seen is unusual. Categorical features
        need ``method="denoising"``.
    dtype : {"auto", "bfloat16", "float32", "float64"}, default="auto"
        Precision to compute in. "auto" is float64 up to 256 rows and float32 beyond. With "bfloat16" the matrix
        products of training are in bfloat16, which is faster if the CPU (AMX, AVX-512-BF16) or GPU supports it. Scores
        are always returned as float64.
    device : str, default="auto"
        Where to compute, as torch names it. "auto" is CUDA if available, else the CPU. "mps" raises an error, because
        it has no float64.
    verbose : bool or int, default=False
        If True, print the loss of every epoch.
    random_state : int, RandomState instance or None, default=None
        Determines the samples of the training rows, the initial weights of the networks, the batches and the noise.
        Pass an int for reproducible results.

    Attributes
    ----------
    n_components_ : int
        Number of columns of the codes.
    offset_ : float
        The threshold: rows with a lower score are outliers. ``decision_function = score_samples - offset_``, as in
        `IsolationForest`.
    n_iter_ : int
        Number of epochs run; 1 if no epoch was run.
    loss_curve_ : list of float
        Training loss of every epoch.
    validation_loss_curve_ : list of float or None
        With "reconstruction", the loss on held-out rows before the first epoch and after each epoch. None without a
        hold-out, and with "denoising".
    best_loss_ : float
        Loss of the parameters that were kept.
    initial_loss_ : float
        Loss before training: that of the marginal frequencies (masked autoencoders), of the Wiener filter (denoisers)
        or of PCA ("reconstruction").
    categories_ : dict of int to ndarray
        The sorted categories of each categorical feature. Keys are indices of features. `partial_fit` keeps the
        categories of its first call.
    n_samples_seen_ : int
        Number of rows seen by `fit`, and by `partial_fit` since.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if all are strings.

    Raises
    ------
    ValueError
        If a parameter is out of its range, X contains infinity, a feature is missing in all rows, columns of X are
        strings but not categorical, or training diverges.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` is an int, all of these epochs were run, and the last tenth of them still lowered the loss by more
        than 1 %.
    UserWarning
        If ``method="reconstruction"`` is fitted to fewer than two rows per feature, or if there are too few calibration
        rows for `contamination`, a float, with ``novelty=True``.

    See Also
    --------
    sklearn.ensemble.IsolationForest : Outlier detection by random splits.
    sklearn.neighbors.LocalOutlierFactor : Outlier detection by local density.
    AutoencoderTransformer : The autoencoder as a transformer.

    Notes
    -----
    These notes describe ``method="denoising"``, unless they name "reconstruction".

    *Clusters of outliers.* A cluster of outliers that is denser than the normal rows around it looks normal to every
    method that measures distances. With ``novelty=False`` this happens if the cluster makes up more than about 5 to
    10 % of the training rows.

    *Missing entries* (NaN) do not make a row more or less unusual. Squared distances are summed over the observed
    features and multiplied by the number of all features over the number of observed ones. Whitening needs all
    features, so a missing one gets the value, among those of the training rows, nearest to its expectation given the
    other features, as if rows were Gaussian. If no training row had missing entries, whitened distances of incomplete
    rows do not count. Masked autoencoders treat missing features as masked. A row without any observed feature has a
    score of 0 and a p-value of 1; `fit` ignores such rows.

    *Limits.* Above 64 features, denoisers are trained instead of masked autoencoders. More than 2,000 features raise an
    error. If there are more than 20,000 different rows, a sample of 20,000 is fitted.

    *Duplicates.* Equal training rows count as copies of one row, and a row is scored without its copies. Equal rows do
    not count as copies if more than 5 % of the rows are duplicates, or if a row occurs more than 20 times. They are
    then common states, which new rows will often equal.

    *Groups.* If `fit` gets `groups`, folds consist of whole groups. Training rows are recognised by their values when
    they are scored again, and are compared with the rows of other groups only. (ONNX graphs score them like new rows.)
    p-values count groups: with G groups of equal size, no p-value is below 1 / (G + 1). `partial_fit` has no `groups`.

    *Categorical features* are represented by one indicator per category. All indicators of a feature together count as
    one feature: on average, two rows are as far apart in it as in a numeric feature. Masked autoencoders mask them
    together. There are at most 1,280 indicators for all categorical features together. If a feature has more categories
    than its part of these, its rare categories share an indicator. Masked autoencoders and weights of component scores
    are then used with ``novelty=False``, too. A missing category is a missing entry.

    *p-values* are conformal [4]_ [5]_, and `select` controls the false discovery rate with them [6]_.

    *Torch tensors.* Given a torch tensor, methods return tensors on its device, but rows are standardised, whitened and
    ranked on the CPU.

    References
    ----------
    .. [1] Germain, M., Gregor, K., Murray, I. & Larochelle, H. (2015). MADE: Masked autoencoder for distribution
       estimation. ICML. https://arxiv.org/abs/1502.03509
    .. [2] Vincent, P. (2011). A connection between score matching and denoising autoencoders. Neural Computation, 23,
       1661-1674. :doi:`10.1162/NECO_a_00142`
    .. [3] Pang, G., Ting, K. M. & Albrecht, D. (2015). LeSiNN: Detecting anomalies by identifying least similar nearest
       neighbours. ICDM Workshops. :doi:`10.1109/ICDMW.2015.62`
    .. [4] Vovk, V., Gammerman, A. & Shafer, G. (2005). Algorithmic learning in a random world. Springer.
    .. [5] Vovk, V. (2015). Cross-conformal predictors. Annals of Mathematics and Artificial Intelligence, 74, 9-28.
       :doi:`10.1007/s10472-013-9368-4`
    .. [6] Bates, S., Candès, E., Lei, L., Romano, Y. & Sesia, M. (2023). Testing for outliers with conformal p-values.
       Annals of Statistics, 51, 149-178. :doi:`10.1214/22-AOS2244`

    Examples
    --------
    >>> import numpy as np
    >>> from skae import AutoencoderOutlierDetector
    >>> rng = np.random.RandomState(0)
    >>> X = rng.normal(size=(200, 3))
    >>> detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.0, 0.0], [0.0, 9.0, 0.0]])
    array([ 1, -1])
    >>> detector.feature_contributions([[0.0, 9.0, 0.0]]).argmax()
    np.int64(1)
    """

    _constraints = BaseAutoencoder._constraints | {
        "method": (OneOf(SCORERS),),
        "novelty": (Boolean(),),
        "contamination": (Float(0, 0.5, low_open=True), AUTO),
        "categorical_features": (OneOf(("from_dtype", None)), FeatureSelection()),
    }

    categories_: dict[int, np.ndarray]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = self.categorical_features is None or isinstance(self.categorical_features, str)
        return tags

    def __init__(
        self,
        *,
        method="denoising",
        novelty=False,
        n_components=0.9,
        contamination="auto",
        hidden_layer_sizes="auto",
        activation="relu",
        scale=True,
        alpha="auto",
        batch_size="auto",
        learning_rate_init="auto",
        max_iter="auto",
        n_iter_no_change="auto",
        categorical_features="from_dtype",
        dtype="auto",
        device="auto",
        verbose=False,
        random_state=None,
    ):
        self.method = method
        self.novelty = novelty
        self.n_components = n_components
        self.contamination = contamination
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.scale = scale
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.n_iter_no_change = n_iter_no_change
        self.categorical_features = categorical_features
        self.dtype = dtype
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    @with_callbacks
    def fit(self, X, y=None, sample_weight=None, groups=None):
        """Fit distances and networks to the training rows, and calibrate their scores.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. Most of them must be normal; with ``novelty=True``, all of them.
        y : Ignored
            Present for scikit-learn's API.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows: a weight of two counts as the row given twice. If the weights sum to less than the
            number of rows, they are scaled up to that sum.
        groups : array-like of shape (n_samples,), default=None
            The group that each row belongs to, as numbers or strings: rows of one subject or machine, or overlapping
            windows of one signal. Each training row is scored without the rows of its group, so that scores are
            calibrated for rows of new groups.

        Returns
        -------
        AutoencoderOutlierDetector
            The fitted estimator. If `fit` raises, the estimator is unchanged.

        Raises
        ------
        ValueError
            If `groups` does not have the length of X, is not 1-D, contains NaN, or has fewer than 2 different values
            among rows with positive weight.
        """
        with unchanged_on_error(self):
            rows = self._check_training_rows(X, sample_weight, groups)
            attributes = self._fit(rows, local_random_state(self.random_state))
            at_most = max(1, min(MAX_FIT_ROWS, MAX_FIT_NUMBERS // rows.n_features))
            _, reservoir = sample_rows(rows, None, 0, at_most, random_state_after(self.random_state, 0))
            self._set(attributes | {"n_samples_seen_": rows.n_rows, "_reservoir": reservoir})
        return self

    @with_callbacks
    def partial_fit(self, X, y=None, sample_weight=None):
        """Fit to a random sample of all rows seen so far.

        The sample has at most 20,000 rows and 20 million values; if `fit` was called first, at most 4,096 rows and 1
        million values. Each row is equally likely to be in it, or as likely as its weight determines. As long as the
        sample contains all rows, the result is the same as that of `fit`. A call takes as long as a `fit` on the
        sample, so a few large chunks are faster than many small ones. Categories are those of the first call; other
        categories in later chunks remain unusual, however frequent they are.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A chunk of one or more rows.
        y : Ignored
            Present for scikit-learn's API.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, as in `fit`.

        Returns
        -------
        AutoencoderOutlierDetector
            The fitted estimator. If `partial_fit` raises, the estimator is unchanged.
        """
        with unchanged_on_error(self):
            chunk = self._check_training_rows(X, sample_weight, reset=not self._is_fitted_before, min_samples=1)
            before = getattr(self, "_reservoir", None)
            n_before = 0 if before is None else self.n_samples_seen_
            at_most = max(1, min(MAX_STREAM_ROWS, MAX_STREAM_NUMBERS // chunk.n_features))
            random_state = random_state_after(self.random_state, n_before)
            rows, reservoir = sample_rows(chunk, before, n_before, at_most, random_state)
            rows = replace(rows, dtype=resolve_dtype(self.dtype, rows.n_rows))
            attributes = self._fit(rows, local_random_state(self.random_state))
            self._set(attributes | {"n_samples_seen_": n_before + chunk.n_rows, "_reservoir": reservoir})
        return self

    @available_if(_can_label_training_rows)
    def fit_predict(self, X, y=None, sample_weight=None, groups=None):
        """Fit and label the training rows. Not available if ``novelty=True``, because all of them are then normal.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows, mostly normal.
        y : Ignored
            Present for scikit-learn's API.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, as in `fit`.
        groups : array-like of shape (n_samples,), default=None
            The group that each row belongs to, as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            -1 for outliers, +1 for inliers.
        """
        return self.fit(X, sample_weight=sample_weight, groups=groups).predict(X)

    def recalibrate(self, X_normal, sample_weight=None, groups=None):
        """Calibrate scores, threshold and p-values with recent normal rows, without a new fit.

        Use it if normal rows have drifted since the fit, for instance because a sensor has become noisier. Distances
        and networks stay as fitted, but their component scores are compared with those of the given rows instead of the
        training rows. This changes `score_samples`, `p_values`, `select` and `feature_contributions`. The threshold
        `offset_` is set as if ``novelty=True``: `contamination` is the share of new normal rows that are labelled as
        outliers, and "auto" is 0.01.

        With n rows, no p-value is below 1 / (n + 1). If `contamination` is lower than that, `predict` labels the rows
        that are more unusual than all n. A later `fit` or `partial_fit` replaces the calibration.

        Parameters
        ----------
        X_normal : {array-like, sparse matrix} of shape (n_samples, n_features)
            Normal rows that the detector was not fitted to, at least 2. All of them are used, whereas `fit` uses at
            most 2,000 training rows for calibration. Outliers among them make p-values larger.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, as in `fit`.
        groups : array-like of shape (n_samples,), default=None
            The group that each row belongs to, as in `fit`. p-values then count groups.

        Returns
        -------
        AutoencoderOutlierDetector
            The estimator. If `recalibrate` raises, the estimator is unchanged.

        Raises
        ------
        ValueError
            If X_normal has fewer than 2 rows with an observed value.

        Warns
        -----
        UserWarning
            If there are too few rows: `contamination` is below 1 / (n + 1), or it is "auto" and n is below 19. Groups
            count instead of rows if there are any.
        """
        check_is_fitted(self)
        rows = self._check_training_rows(X_normal, sample_weight, groups, reset=False).without_empty_rows()
        if rows.n_rows < 2:
            raise ValueError(
                f"X_normal must contain at least 2 rows with an observed value. Got {rows.n_rows}. See "
                "docs/guide_recalibration.md."
            )
        components = self._scorer.component_scores(rows.source.local, rows.device)
        weight = self._calibration.component_weight
        calibration = Calibration.of(components, rows.effective_counts, weight, rows.groups)
        offset = normal_threshold(calibration, plain_number(self.contamination))
        self._warn_if_too_few(calibration)
        with unchanged_on_error(self):
            self._set({"offset_": offset, "_calibration": calibration})
        return self

    def score_samples(self, X):
        r"""Return the normality of each row: zero or negative, and the lower, the more unusual.

        The score is minus the mean of the two highest surprisals of a row. A surprisal is :math:`-\log s`, where s is
        the share of training rows with a component score at least as high. Above all of these it increases linearly
        with the component score. With ``novelty=True``, and with categorical features, surprisals are multiplied by
        weights in (0, 1], which are larger for component scores that distinguish training rows better from corrupted
        rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Scores.
        """
        return like(self._score_samples(self._check_fitted_X(X)), X)

    def decision_function(self, X):
        """Return ``score_samples(X) - offset_``: negative for outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Scores relative to the threshold.
        """
        return like(self._score_samples(self._check_fitted_X(X)) - self.offset_, X)

    def predict(self, X):
        """Label rows as outliers or inliers.

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
        return like(np.where(scores < self.offset_, -1, 1), X)

    def p_values(self, X):
        r"""Return conformal p-values: the share of normal rows whose score is as low or lower.

        A p-value of 0.01 means that about 1 % of normal rows score this low or lower. ``p_values(X) <= 0.01`` therefore
        has a false-alarm rate of about 1 % on new normal rows (Vovk et al. 2005). Pass rows that the detector was not
        fitted to: about 1 % of the training rows get a p-value this low, however many of them are outliers.

        Scores are compared with those of calibration rows. With n of these, no p-value is below 1 / (n + 1). After
        `recalibrate`, they are the rows given to it. After `fit`, they are up to 2,000 training rows, each scored by
        distances and networks that were fitted without its fold, a third of the rows (cross-conformal, Vovk 2015). With
        "reconstruction", they are the held-out rows. If there are fewer than 200 rows or fewer than ten per feature,
        and fewer than 1,000 in all, they are all rows instead, cross-fitted in five folds.

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
        return like(self._calibration.p_values(scores), X)

    def select(self, X, fdr=0.1):
        r"""Select outliers so that the expected share of false alarms among them is at most `fdr`.

        The Benjamini-Hochberg procedure is applied to the p-values of the given rows. If the normal rows among them are
        exchangeable with the calibration rows, the expected share of normal rows among the selected ones is at most
        `fdr`, for any number of outliers; it counts as zero if no row is selected (Bates et al. 2023). Like the
        p-values, this is approximate.

        With few calibration rows, often no row is selected. With n of them, no p-value is below 1 / (n + 1). Of m given
        rows, either none or at least m / (fdr (n + 1)) are then selected. A larger `fdr` or more calibration rows help;
        `recalibrate` accepts any number of rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows that the detector was not fitted to. Whether a row is selected depends on the others.
        fdr : float, default=0.1
            The false discovery rate: the largest expected share of false alarms among the selected rows. In (0, 1).

        Returns
        -------
        ndarray of shape (n_samples,)
            True for the selected rows.

        Raises
        ------
        ValueError
            If `fdr` is out of its range.

        Warns
        -----
        UserWarning
            If no row is selected although some rows are more unusual than all calibration rows, because there are too
            few calibration rows.
        """
        rows = self._check_fitted_X(X)
        check_parameters(f"{type(self).__name__}.select", {"fdr": fdr}, FDR)
        p_values = self._calibration.p_values(self._score_samples(rows))
        selected = false_discovery_control(p_values) <= float(fdr)
        lowest = self._calibration.lowest_p_value
        if not selected.any() and p_values.min() <= lowest:
            n_rows = len(p_values)
            warn(
                "No row is selected, although some are more unusual than all calibration rows. The lowest possible "
                f"p-value is {lowest:.3g}. With fdr={fdr}, either none or at least "
                f"{math.ceil(lowest * n_rows / fdr)} of the {n_rows} rows can be selected. Increase fdr, or pass more "
                "normal rows to recalibrate. See docs/guide_outliers.md, 'A list of alarms'.",
                UserWarning,
            )
        return like(selected, X)

    def feature_contributions(self, X):
        """Return the contribution of each feature to the score of each row.

        Each of the two highest surprisals of a row is divided among the features. The share of a feature is
        proportional to the decrease of the log-distance to the nearest training rows if the value of the feature could
        be chosen freely. Distances are those of the component score; for networks, those of whitened rows. With
        "reconstruction", shares of the reconstruction error are proportional to squared errors, and shares of the
        Mahalanobis distance to squared differences between the reconstruction and the mean row. Each row of the result
        sums to ``-score_samples(X)``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_features)
            Contributions, at least zero. A DataFrame with the same columns and index if X is a pandas or polars
            DataFrame.
        """
        return frame_like(like(self._feature_contributions(self._check_fitted_X(X)), X), X)

    def transform(self, X):
        """Encode rows, for instance to plot outliers in two dimensions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components_)
            Codes in the dtype of X (float64 for integers). With "denoising", they are coordinates along the leading
            principal axes of the standardised features; the axes are those of the 80 % of the training rows nearest to
            their centre. With "reconstruction", they are the codes of the autoencoder.
        """
        return like(self._codes(self._check_fitted_X(X)), X)

    @property
    def _advice_on_strings(self) -> str:
        return ADVICE_TO_CONVERT if self.method == "denoising" else super()._advice_on_strings

    def _check_X(self, X, *, reset: bool, min_samples: int = 1):
        """Check X, and convert it to numbers. Categories become codes."""
        categories = find_categories(X, self.categorical_features) if reset else self.categories_
        if categories and self.method == "reconstruction":
            raise ValueError(
                f"method='reconstruction' does not support categorical features. Use method='denoising', or {ENCODE}. "
                "See docs/guide_outliers.md."
            )
        if categories:
            X = as_table(X)
            validate_data(self, X, reset=reset, skip_check_array=True)
            X = check_array(
                encoded(X, categories),
                ensure_min_samples=min_samples,
                ensure_all_finite="allow-nan",
                estimator=self,
            )
        else:
            X = super()._check_X(X, reset=reset, min_samples=min_samples)
        if reset:
            self.categories_ = categories
        return X

    def _fit(self, rows: TrainingRows, random_state: np.random.RandomState) -> dict[str, Any]:
        """Fit the scorer and return the fitted attributes."""
        if is_distributed():
            raise ValueError(
                "AutoencoderOutlierDetector is fitted in one process: call it outside of skae.distributed(). See "
                "docs/guide_distributed.md."
            )
        check_features_observed(~np.isnan(feature_ranges(rows.source)[0]), rows.feature_names)
        rows = rows.without_empty_rows()
        X = rows.source.local

        def attributes(fitted: ScorerFit) -> dict[str, Any]:
            calibration = Calibration.of(fitted.components, fitted.weight, fitted.component_weight, fitted.groups)
            contamination = plain_number(self.contamination)
            if self.novelty:
                offset = normal_threshold(calibration, contamination)
            else:
                scores = calibration.scores_of(fitted.scorer.component_scores(X, rows.device))
                offset = threshold(calibration, fitted.components, contamination, scores, rows.effective_counts)
            return training_attributes(fitted.training) | {
                "n_components_": fitted.n_components,
                "offset_": offset,
                "_method": self.method,
                "_scorer": fitted.scorer,
                "_calibration": calibration,
            }

        # Matrix products are small, so that threads would gain little, and on a busy machine they wait for each other.
        with single_thread(), no_autocast():
            report = self._reporter(rows, attributes)
            fitted = SCORERS[self.method].fit(rows, self._scorer_parameters(), random_state, report)
            # If training ended at `max_iter`, this is the number of epochs that were run.
            self._warn_if_unconverged(fitted.training, len(fitted.training.losses))
            result = attributes(fitted)
            if self.novelty and not isinstance(self.contamination, str):
                self._warn_if_too_few(result["_calibration"])
            return result

    def _warn_if_too_few(self, calibration: Calibration) -> None:
        """Warn if no p-value is as low as `contamination` or, with "auto", as `HIGHEST_LEVEL`."""
        is_auto, lowest = isinstance(self.contamination, str), calibration.lowest_p_value
        level = HIGHEST_LEVEL if is_auto else float(self.contamination)
        if lowest > level * (1.0 + 1e-9):  # sums of weights are rounded
            which, advice = ("", "") if is_auto else (f" for contamination={level:g}", ", or increase contamination")
            warn(
                f"There are too few calibration rows{which}: no p-value is below {lowest:.3g}, and predict may label "
                f"that share of new normal rows. Pass at least {math.ceil(1.0 / level - 1e-9) - 1} normal rows to "
                f"recalibrate{advice}. See docs/guide_recalibration.md.",
                UserWarning,
            )

    def _scorer_parameters(self) -> ScorerParameters:
        n_components = plain_number(self.n_components)
        check_n_components(n_components, self.n_features_in_)
        return ScorerParameters(
            novelty=bool(self.novelty),
            n_components=n_components,
            hidden_layer_sizes=layer_sizes(self.hidden_layer_sizes),
            activation=self.activation,
            scale=bool(self.scale),
            training=self._training_parameters(),
            n_categories=category_counts(self.categories_, self.n_features_in_),
        )

    def _score_samples(self, X) -> np.ndarray:
        return self._calibration.scores_of(self._scorer.component_scores(X, resolve_device(self.device)))

    def _feature_contributions(self, X) -> np.ndarray:
        scorer, calibration, device = self._scorer, self._calibration, resolve_device(self.device)
        components = scorer.component_scores(X, device)
        shares = scorer.feature_shares(X, calibration.contributions_of(components), device)
        return shares * -calibration.scores_of(components)[:, np.newaxis]

    def _codes(self, X) -> np.ndarray:
        return self._scorer.codes(X, resolve_device(self.device))[:, : self.n_components_]

    def _fitted_to_state(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "_scorer": self._scorer.to_state(),
            "_calibration": self._calibration.to_state(),
        }
        # The estimator that callbacks get during `fit` has no `_reservoir` yet.
        return state | ({"_reservoir": fields_of(self._reservoir)} if hasattr(self, "_reservoir") else {})

    def _fitted_from_state(self, state: dict[str, Any]) -> dict[str, Any]:
        fitted: dict[str, Any] = {
            "_scorer": SCORERS[state["_method"]].from_state(state["_scorer"]),
            "_calibration": Calibration.from_state(state["_calibration"]),
        }
        return fitted | ({"_reservoir": Reservoir(**state["_reservoir"])} if "_reservoir" in state else {})
