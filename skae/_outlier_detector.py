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
from skae._rows._reservoir import Reservoir, draw_priorities, highest_priorities
from skae._rows._row_source import RowSource
from skae._rows._training_rows import TrainingRows
from skae._support._callbacks import with_callbacks
from skae._support._categories import ADVICE_TO_CONVERT, ENCODE, Categories, as_table, encoded, find_categories
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
from skae._support._tensors import like
from skae._support._threads import single_thread
from skae._support._torch import resolve_dtype
from skae._support._validation import check_features_observed, unchanged_on_error
from skae._support._warnings import warn

# Rows of a stream, and numbers in them, that are kept to fit to.
MAX_STREAM_ROWS, MAX_STREAM_NUMBERS = 20_000, 20_000_000
# After `fit`, which need not be followed by `partial_fit`, they must not make a large file.
MAX_FIT_ROWS, MAX_FIT_NUMBERS = 4096, 1_000_000

# What `select` takes for `fdr`.
FDR = {"fdr": (Float(0, 1, low_open=True, high_open=True),)}

# The values of the `method` parameter.
SCORERS: dict[str, type[Scorer]] = {"denoising": DenoisingScorer, "reconstruction": ReconstructionScorer}


def _can_label_training_rows(detector: AutoencoderOutlierDetector) -> bool:
    if detector.novelty:
        raise AttributeError(
            "fit_predict is not available with novelty=True, which says that all training rows are normal. Call fit, "
            "then predict on new rows."
        )
    return True


class AutoencoderOutlierDetector(OutlierMixin, BaseAutoencoder):
    r"""Outlier detection by denoising autoencoders and distances to training rows.

    A row is unusual if it is far from the training rows, or if its features do not fit each other. Distances are to the
    nearest row of many small samples of the training rows [3]_, in three coordinate systems: the standardised features,
    the same after whitening, and normal quantiles of each feature's ranks. How well features fit each other is what
    autoencoders learn: with ``novelty=True`` to predict features that are masked from the others [1]_, as probabilities
    of bins, else to restore rows from Gaussian noise [2]_. Each of the component scores becomes a surprisal: minus the
    logarithm of the share of training rows that are as unusual, among rows that it was not fitted to.

    Parameters
    ----------
    method : {"denoising", "reconstruction"}, default="denoising"
        "reconstruction" is the classical alternative: the error of an autoencoder with a bottleneck of `n_components`
        that starts at PCA, and the Mahalanobis distance of its code. It is for more rows than features: below two rows
        per feature, the rows it was fitted to may look more unusual than new ones, and `fit` warns of that.
    novelty : bool, default=False
        If True, the training rows are all normal, and the score may follow them closely: a row's distances are to
        samples of 512 training rows and to their projections on random subsets of the features, a masked autoencoder is
        trained, and what tells training rows best from corrupted ones counts most. If False, training rows may contain
        outliers: samples are of 32 and 8 rows, the most unusual rows are in few of them, and denoisers are trained
        briefly.
    n_components : int, float or None, default=0.9
        Number of columns of the codes that `transform` gives, as in `AutoencoderTransformer`; with "denoising" at
        most one per feature. With "reconstruction" it is the width of the bottleneck. A share asks for as many
        components as principal components need to explain that much of the variance.
    contamination : "auto" or float, default="auto"
        With ``novelty=True`` the share of new normal rows to label as outliers, false alarms that is; "auto" is 0.01.
        Else the share of the training rows, rounded down to whole rows; "auto" takes as many as have component scores
        that are on average four times as far above the median as the upper quartile is, between 0.1 and 1 % of Gaussian
        rows, or only the most unusual one. In (0, 0.5].
    hidden_layer_sizes : int, array-like of int or "auto", default="auto"
        Widths of the hidden layers; an int is one layer. "auto" is (128, 128, 128) for masked autoencoders,
        (96, 96, 96) for denoisers and as in `AutoencoderTransformer` for "reconstruction".
    activation : {"silu", "relu", "gelu", "tanh", "identity"}, default="relu"
        Activation function of the hidden layers.
    scale : bool, default=True
        If True, features are divided by their standard deviation first, so that their units do not matter. With
        "denoising" it is robust to extreme values, and a constant feature is divided by a tenth of its value.
    alpha : float or "auto", default="auto"
        L2 decay. "auto" is ``min(3, 1500 / n_samples)`` for masked autoencoders, 0.001 for denoisers and as in
        `AutoencoderTransformer` for "reconstruction".
    batch_size : int or "auto", default="auto"
        Rows per step. "auto" is 64 for "denoising", else as in `AutoencoderTransformer`.
    learning_rate_init : float or "auto", default="auto"
        Highest learning rate of AdamW. "auto" is 0.003 for "denoising" and 0.005 for "reconstruction".
    max_iter : int or "auto", default="auto"
        Maximum number of epochs. For "denoising", "auto" is as many as make 900 steps of masked autoencoders, at most
        two per row, or 400 of denoisers, at most one per row. For "reconstruction" it is as in
        `AutoencoderTransformer`. Below 50 rows it is 0: no network, only closed forms.
    n_iter_no_change : int or "auto", default="auto"
        With "denoising" training stops after this many epochs that did not lower the loss by 0.01 %, and "auto" is
        `max_iter`. For "reconstruction" it is as in `AutoencoderTransformer`.
    categorical_features : "from_dtype", array-like of bool, int or str, or None, default="from_dtype"
        Which features are categorical, as in `HistGradientBoostingClassifier`: with "from_dtype" the columns of a
        DataFrame of pandas or polars whose dtype is categorical (or, in polars, an enum), else those that a mask,
        indices or column names choose; None means none. Categories may be strings or numbers. One that `fit` has not
        seen is unusual, and a missing one is a missing value. Needs ``method="denoising"``.
    dtype : {"auto", "bfloat16", "float32", "float64"}, default="auto"
        Precision of the networks. "auto" is float64 up to 256 rows and float32 beyond. "bfloat16": the products of
        training are in bfloat16, which is faster where the CPU (AMX, AVX-512-BF16) or GPU supports it. Scores are
        float64.
    device : str, default="auto"
        Where to compute, as torch names it; "mps" lacks float64 and is refused. "auto" is CUDA if available, else
        the CPU.
    verbose : bool or int, default=False
        If True, print the loss of every epoch.
    random_state : int, RandomState instance or None, default=None
        Draws bags of training rows, initial weights, batches and noise. Pass an int for reproducible results.

    Attributes
    ----------
    n_components_ : int
        Number of columns of the codes.
    offset_ : float
        ``decision_function = score_samples - offset_``, as in `IsolationForest`.
    n_iter_ : int
        Number of epochs run; 1 if there are none.
    loss_curve_ : list of float
        Training loss of every epoch.
    validation_loss_curve_ : list of float or None
        With "reconstruction", the loss on held-out rows, starting with PCA's.
    best_loss_ : float
        Loss of the parameters kept.
    initial_loss_ : float
        Loss before training: that of marginal frequencies, of the Wiener filter, or of PCA.
    categories_ : dict of int to ndarray
        The sorted categories of each categorical feature, by its place in X; of `partial_fit`, those of the first call.
    n_samples_seen_ : int
        Number of rows seen by `fit`, and by `partial_fit` since.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if all are strings.

    Raises
    ------
    ValueError
        If a parameter is out of its range, X is infinite or has a feature without any value, columns of X are strings
        but not categorical, or training diverges.

    See Also
    --------
    sklearn.ensemble.IsolationForest : Outliers as rows that random splits isolate early.
    sklearn.neighbors.LocalOutlierFactor : Outliers by local density.
    AutoencoderTransformer : The autoencoder as a transformer.

    Notes
    -----
    A cluster of outliers that is denser than the normal rows around it looks normal to every method that measures
    distances; with ``novelty=False`` this happens from a share of the training rows of some five to ten per cent.

    Missing entries (NaN) make a row neither more nor less unusual. Distances are over its observed features, times the
    number of all features per observed one. Whitened coordinates need all features: a missing one gets the known value
    nearest to its expectation given the others, as if rows were Gaussian. If no training row had missing entries,
    whitened distances of incomplete rows do not count. Masked autoencoders treat missing features as masked. A row of
    which nothing is observed has a score of 0 and a p-value of 1; `fit` leaves such rows out.

    Above 64 features denoisers are trained instead of masked autoencoders; more than 2,000 are refused. Of more than
    20,000 rows a sample is fitted.

    Rows that are equal count as copies, and a row is judged without its copies, unless rows repeat by nature: if more
    than 5 % of the rows repeat others, or one row is there more than 20 times.

    Where `fit` is given `groups`, folds consist of whole groups. Training rows are recognised by their values, and
    their nearest rows are those of other groups (not in ONNX graphs, where they are judged as new rows are). p-values
    count groups: with G groups of equal size none is below 1 / (G + 1). `partial_fit` knows no groups.

    A categorical feature is indicators of its categories in all coordinate systems, and masked as a whole. Together its
    indicators count as one feature: two rows are on average as far apart in it as in a number. Of all categorical
    features together 1,280 categories have indicators; beyond that, the rare ones of a feature share one.

    Given a torch tensor, methods return tensors on its device; coordinates are found in main memory.

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

    categories_: Categories

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
        """Fit the scorer and calibrate its scores.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows: mostly normal or, with ``novelty=True``, all of them.
        y : Ignored
            Present for scikit-learn's API.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows: a weight of two counts as the row given twice. Weights that sum to less than the number
            of rows are raised to that sum.
        groups : array-like of shape (n_samples,), default=None
            The group that each row belongs to, of any dtype: rows of one subject or machine, overlapping windows of one
            signal. Scores are then calibrated for rows of new groups: a training row is judged without the rows of its
            group.

        Returns
        -------
        AutoencoderOutlierDetector
            The fitted estimator. If `fit` raises, the estimator is unchanged.

        Raises
        ------
        ValueError
            If `groups` has another length than X, is not 1-D, contains NaN, or has fewer than 2 different values among
            rows with positive weight.
        """
        with unchanged_on_error(self):
            rows = self._check_training_rows(X, sample_weight, groups)
            attributes = self._fit(rows, local_random_state(self.random_state))
            self._set(attributes | self._sample_rows(rows, None, MAX_FIT_ROWS, MAX_FIT_NUMBERS)[1])
        return self

    @with_callbacks
    def partial_fit(self, X, y=None, sample_weight=None):
        """Fit again, to a sample of all rows seen.

        At most 20,000 rows and 20 million numbers are kept, each row as likely as any other (or as its weight says);
        after `fit` 4,096 rows and 1 million numbers. A call takes as long as `fit` on those: pass few large chunks.
        While all rows are kept the result is that of `fit`. Categories are those of the first call: later ones are
        unusual, however often they come.

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
            The fitted estimator. If `partial_fit` raises, the estimator is unchanged.
        """
        with unchanged_on_error(self):
            chunk = self._check_training_rows(X, sample_weight, reset=not self._is_fitted_before, min_samples=1)
            before = getattr(self, "_reservoir", None)
            rows, reservoir = self._sample_rows(chunk, before, MAX_STREAM_ROWS, MAX_STREAM_NUMBERS)
            self._set(self._fit(rows, local_random_state(self.random_state)) | reservoir)
        return self

    @available_if(_can_label_training_rows)
    def fit_predict(self, X, y=None, sample_weight=None, groups=None):
        """Fit, and label the training rows. Not available with ``novelty=True``, where all of them are normal.

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
        """Calibrate scores, threshold and p-values by recent normal rows, without a new fit.

        Use it where normal rows have become more unusual than training rows were, for instance because a sensor has
        become noisier. Distances and networks remain as fitted. What they find in a row is compared with what they find
        in the rows given, instead of the training rows: `score_samples`, `p_values`, `select` and
        `feature_contributions` are those of a detector that was calibrated by these rows. `offset_` is set as with
        ``novelty=True``: `contamination` is the share of new normal rows to label, and "auto" is 0.01.

        With n rows no p-value is below 1 / (n + 1); if `contamination` is lower, `predict` labels rows that are more
        unusual than all n. `fit` and `partial_fit` calibrate by their own rows again.

        Parameters
        ----------
        X_normal : {array-like, sparse matrix} of shape (n_samples, n_features)
            Normal rows that the detector was not fitted to, at least 2. All of them calibrate, while of the training
            rows at most 2,000 do. Outliers among them make p-values larger.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, as in `fit`.
        groups : array-like of shape (n_samples,), default=None
            The group that each row belongs to, as in `fit`. p-values then count groups.

        Returns
        -------
        AutoencoderOutlierDetector
            The estimator. If `recalibrate` raises, it is unchanged.
        """
        check_is_fitted(self)
        rows = self._check_training_rows(X_normal, sample_weight, groups, reset=False).without_empty_rows()
        if rows.n_rows < 2:
            raise ValueError(f"recalibrate needs at least 2 rows with an observed value. Got {rows.n_rows}.")
        components = self._scorer.component_scores(rows.source.local, self.device)
        weight = self._calibration.component_weight
        calibration = Calibration.of(components, rows.effective_counts, weight, rows.groups)
        offset = normal_threshold(calibration, plain_number(self.contamination))
        with unchanged_on_error(self):
            self._set({"offset_": offset, "_calibration": calibration})
        return self

    def score_samples(self, X):
        r"""Return the normality of each row: below zero, and the lower the more unusual.

        The score is minus the mean of a row's two highest surprisals. A surprisal is :math:`-\log s`, where s is the
        share of training rows with as high a component score; beyond the highest of them it grows with the component.
        With ``novelty=True`` it is multiplied by how well the component tells training rows from corrupted ones.

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
            Scores about the threshold.
        """
        return like(self._score_samples(self._check_fitted_X(X)) - self.offset_, X)

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
        return like(np.where(scores < self.offset_, -1, 1), X)

    def p_values(self, X):
        r"""Return conformal p-values: the share of normal rows that score as low as a row or lower.

        A p-value of 0.01 means that about 1 % of normal rows score this low or lower: among new normal rows,
        ``p_values(X) <= 0.01`` has a false-alarm rate of about 1 % (Vovk et al. 2005). Pass rows that the detector was
        not fitted to: of its training rows about 1 % get a p-value this low, however many of them are outliers.

        Scores are compared with those of calibration rows. After `recalibrate` these are the rows given to it. After
        `fit` they are up to 2,000 of the training rows, each judged by coordinates, samples and networks that were
        fitted without a third of the rows, its own among them (cross-conformal, Vovk 2015). With "reconstruction" they
        are the held-out rows, and up to 1,000 rows, if they are fewer than 200 or ten per feature, all rows by
        cross-fitting in five folds. With n calibration rows no p-value is below 1 / (n + 1).

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
        r"""Return a list of alarms of which at most a share `fdr` is false on average.

        The list is made by the Benjamini-Hochberg procedure from the p-values of the rows given. If the normal rows
        among them are like the calibration rows, the expected share of normal rows in the list is at most `fdr`, an
        empty list counting as zero (Bates et al. 2023). This holds for any number of outliers, and as
        approximately as `p_values` do.

        With few calibration rows the list is often empty. With n of them no p-value is below 1 / (n + 1), so among m
        rows at least m / (fdr (n + 1)) must be alarms for the list not to be empty. A larger `fdr` or more calibration
        rows help; `recalibrate` takes any number of them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows that the detector was not fitted to. Whether a row is in the list depends on the others.
        fdr : float, default=0.1
            The false discovery rate: the expected share of false alarms in the list. In (0, 1).

        Returns
        -------
        ndarray of shape (n_samples,)
            True for the rows in the list.

        Raises
        ------
        ValueError
            If `fdr` is out of its range.

        Warns
        -----
        UserWarning
            If the list is empty although some rows are more unusual than all calibration rows: these are then too few.
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
                f"p-value is {lowest:.3g}: among {n_rows} rows it takes at least {math.ceil(lowest * n_rows / fdr)} "
                f"alarms at fdr={fdr}. Increase fdr, or pass more normal rows to recalibrate.",
                UserWarning,
            )
        return like(selected, X)

    def feature_contributions(self, X):
        """Return what each feature contributes to each row's score.

        Each surprisal that counts is divided among the features by how much nearer the nearest training rows are if a
        feature may take another value: for rows in the same coordinates, or whitened ones for what a network finds.
        Rows sum to ``-score_samples(X)``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_features)
            Contributions, at least zero; a DataFrame with the same columns and index if X is one of pandas or polars.
        """
        return frame_like(like(self._feature_contributions(self._check_fitted_X(X)), X), X)

    def transform(self, X):
        """Encode rows, for maps of outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components_)
            In the dtype of X (float64 for integers). With "denoising" the leading coordinates on the principal axes of
            the four fifths of the rows nearest to their centre, in standard deviations of a feature; with
            "reconstruction" the codes of the autoencoder.
        """
        return like(self._codes(self._check_fitted_X(X)), X)

    @property
    def _advice_on_strings(self) -> str:
        return ADVICE_TO_CONVERT if self.method == "denoising" else super()._advice_on_strings

    def _check_X(self, X, *, reset: bool, min_samples: int = 1):
        """Numbers, with codes for categories."""
        categories = find_categories(X, self.categorical_features) if reset else self.categories_
        if categories and self.method == "reconstruction":
            raise ValueError(f"method='reconstruction' takes no categorical features: use {ENCODE}, or 'denoising'.")
        if categories:
            X = as_table(X)
            validate_data(self, X, reset=reset, skip_check_array=True)
            X = check_array(encoded(X, categories), ensure_min_samples=min_samples, ensure_all_finite="allow-nan")
        else:
            X = super()._check_X(X, reset=reset, min_samples=min_samples)
        if reset:
            self.categories_ = categories
        return X

    def _fit(self, rows: TrainingRows, random_state: np.random.RandomState) -> dict[str, Any]:
        """The fitted attributes."""
        if is_distributed():
            raise ValueError("AutoencoderOutlierDetector fits in one process: call it outside of skae.distributed().")
        check_features_observed(~np.isnan(feature_ranges(rows.source)[0]))
        rows = rows.without_empty_rows()  # they say nothing
        X = rows.source.local

        def attributes(fitted: ScorerFit) -> dict[str, Any]:
            calibration = Calibration.of(fitted.components, fitted.weight, fitted.component_weight, fitted.groups)

            def training_scores() -> tuple[np.ndarray, np.ndarray]:
                scores = calibration.scores_of(fitted.scorer.component_scores(X, self.device))
                return scores, rows.effective_counts

            contamination = plain_number(self.contamination)
            offset = threshold(calibration, fitted.components, training_scores, contamination, bool(self.novelty))
            return training_attributes(fitted.training) | {
                "n_components_": fitted.n_components,
                "offset_": offset,
                "_method": self.method,
                "_scorer": fitted.scorer,
                "_calibration": calibration,
            }

        # Products are small: threads would gain little, and wait for each other on a busy machine.
        with single_thread():
            report = self._reporter(rows, attributes)
            fitted = SCORERS[self.method].fit(rows, self._scorer_parameters(), random_state, report)
            # A run that ended at `max_iter` made as many epochs.
            self._warn_if_unconverged(fitted.training, len(fitted.training.losses))
            return attributes(fitted)

    def _scorer_parameters(self) -> ScorerParameters:
        return ScorerParameters(
            bool(self.novelty),
            plain_number(self.n_components),
            layer_sizes(self.hidden_layer_sizes),
            self.activation,
            bool(self.scale),
            self._training_parameters(),
            self.device,
            self._n_categories(),
        )

    def _n_categories(self) -> np.ndarray | None:
        """How many categories each feature has, 0 for numbers; None if all are."""
        if not self.categories_:
            return None
        counts = np.zeros(self.n_features_in_, dtype=np.intp)
        for place, known in self.categories_.items():
            counts[place] = len(known)
        return counts

    def _sample_rows(
        self, chunk: TrainingRows, before: Reservoir | None, max_rows: int, max_numbers: int
    ) -> tuple[TrainingRows, dict[str, Any]]:
        """A sample of all rows seen, the chunk's among them, to fit to; and the attributes that keep it."""
        n_before = 0 if before is None else self.n_samples_seen_
        n_seen = n_before + chunk.n_rows
        weight = np.ones(chunk.n_rows) if chunk.sample_weight is None else chunk.sample_weight
        priorities = draw_priorities(weight, random_state_after(self.random_state, n_before))
        at_most = max(1, min(max_rows, max_numbers // chunk.n_features))
        reservoir = Reservoir.of(chunk.source.local, weight, priorities, highest_priorities(priorities, at_most))
        if before is not None:
            if len(before) < n_before:  # a sample of this size is uniform, a larger one would not be
                at_most = min(at_most, len(before))
            reservoir = before.followed_by(reservoir)
            reservoir = reservoir.select(highest_priorities(reservoir.priorities, at_most))
        # Once rows are left out, their weights have already decided which.
        weigh = len(reservoir) == n_seen and (reservoir.weight != 1.0).any()
        rows = replace(
            chunk,
            source=RowSource(reservoir.rows),
            sample_weight=reservoir.weight if weigh else None,
            dtype=resolve_dtype(self.dtype, len(reservoir)),
        )
        return rows, {"n_samples_seen_": n_seen, "_reservoir": reservoir}

    def _score_samples(self, X) -> np.ndarray:
        return self._calibration.scores_of(self._scorer.component_scores(X, self.device))

    def _feature_contributions(self, X) -> np.ndarray:
        scorer, calibration = self._scorer, self._calibration
        components = scorer.component_scores(X, self.device)
        shares = scorer.feature_shares(X, calibration.contributions_of(components), self.device)
        return shares * -calibration.scores_of(components)[:, np.newaxis]

    def _codes(self, X) -> np.ndarray:
        return self._scorer.codes(X, self.device)[:, : self.n_components_]

    def _fitted_to_state(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "_scorer": self._scorer.to_state(),
            "_calibration": self._calibration.to_state(),
        }
        # What callbacks are given during fit has no `_reservoir` yet.
        return state | ({"_reservoir": dict(vars(self._reservoir))} if hasattr(self, "_reservoir") else {})

    def _fitted_from_state(self, state: dict[str, Any]) -> dict[str, Any]:
        fitted: dict[str, Any] = {
            "_scorer": SCORERS[state["_method"]].from_state(state["_scorer"]),
            "_calibration": Calibration.from_state(state["_calibration"]),
        }
        return fitted | ({"_reservoir": Reservoir(**state["_reservoir"])} if "_reservoir" in state else {})
