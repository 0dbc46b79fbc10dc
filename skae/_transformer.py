"""AutoencoderTransformer: non-linear dimensionality reduction that starts at PCA."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skae._autoencoder._codes import CODES
from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._corruption import CORRUPTIONS
from skae._autoencoder._fit import fit
from skae._autoencoder._fitted import FittedAutoencoder
from skae._autoencoder._losses import LOSSES, check_range
from skae._autoencoder._neighbors import check_pairs
from skae._autoencoder._packaging import AutoencoderFit
from skae._autoencoder._partial_fit import IncrementalState, state_after_fit, update
from skae._autoencoder._torch_modules import DecoderModule, EncoderModule
from skae._defaults._autoencoder import CORRUPTION_LEVEL, autoencoder_settings, chunk_settings, default_layer_sizes
from skae._defaults._training_parameters import resolved
from skae._estimator import AUTO, BaseAutoencoder, training_attributes
from skae._linalg._moments import missing_share
from skae._rows._processes import is_distributed, processes_of_fit
from skae._rows._row_source import RowSource
from skae._rows._training_rows import TrainingRows
from skae._support._callbacks import with_callbacks
from skae._support._constraints import AnyCallable, Boolean, Float, Integer, OneOf, layer_sizes, plain_number
from skae._support._frames import frame_like
from skae._support._random_state import local_random_state, random_state_after
from skae._support._tensors import as_array, is_valid_tensor, like
from skae._support._threads import settle_count
from skae._support._torch import resolve_device, resolve_dtype
from skae._support._validation import check_n_components, check_sample_weight, unchanged_on_error


def _has_partial_fit(transformer: AutoencoderTransformer) -> bool:
    """True, or AttributeError for a code that needs all rows at once."""
    if transformer.code == "neighbors":
        raise AttributeError(
            "partial_fit is not available with code='neighbors', because the nearest rows of a row may be in another "
            "chunk. Use fit, or another code. See docs/guide_maps.md."
        )
    return True


class AutoencoderTransformer(BaseAutoencoder):
    r"""Non-linear dimensionality reduction by an autoencoder that starts at PCA.

    The encoder and the decoder are those of PCA, each with a non-linear correction added:

    .. math::

        z = V^\top \tilde x + f(\tilde x), \qquad \hat x = V z + g(z), \qquad \tilde x = (x - \mu) / s,

    where V holds the principal axes, and the multi-layer perceptrons f and g return zero at first. Before training, the
    estimator is therefore ``PCA(n_components)``, and ``max_iter=0`` returns just that; denoising, sparse and
    variational autoencoders start at their linear case. Trained parameters replace this starting point only if they
    reconstruct held-out rows clearly better.

    Rows that are far from all training rows are encoded and decoded by PCA alone: the corrections fade out there.

    Entries of X may be missing (NaN). Training learns from the observed entries, and `reconstruct` fills the others. If
    features are in different units, set ``scale=True``; otherwise those with small values hardly count.

    Parameters
    ----------
    n_components : int, float or None, default=2
        Number of columns of the code; an int above the number of features only with ``code="sparse"``. A float in
        (0, 1) takes the smallest number of principal components that explains more than that share of the variance
        (with ``code="ordered"``, the smallest number of the code's own components). None takes ``min(n_samples,
        n_features)``.
    code : {"dense", "neighbors", "ordered", "sparse", "variational"}, default="dense"
        Kind of code. "dense" uses every component for every row, as PCA does. "neighbors" also keeps rows that are near
        each other together, for maps in two components, as UMAP and t-SNE do [3]_. The network is kept only if held-out
        rows are reconstructed better and are nearer to their neighbours than with PCA. "ordered" sorts components by
        what they explain, so that the first j columns of a code are a code themselves. "sparse" sets all components of
        a row to zero except the `n_nonzero` largest; training starts at atoms found by k-means, or at PCA's axes if
        those reconstruct better. "variational" draws codes from a distribution, with a standard normal prior; training
        starts at probabilistic PCA, `transform` returns the mean of the posterior, and `score_samples` a bound on the
        log-likelihood.
    n_nonzero : int or None, default=None
        Number of components per row that are not zero, for ``code="sparse"``. None is a tenth of `n_components`, at
        least 1.
    beta : float, default=1.0
        Weight of the divergence from the prior in the loss, for ``code="variational"``.
    corruption : {"gaussian", "masking", "salt_and_pepper", "swap"}, callable or None, default=None
        How training inputs are corrupted. The network learns to reproduce the clean rows, which makes it a denoising
        autoencoder [2]_. It starts at the best linear denoiser, and held-out rows are corrupted as well. "gaussian"
        adds noise, "masking" hides entries as if they were missing, "salt_and_pepper" sets entries to the lowest or
        highest value of their feature, "swap" sets them to the value of another row. A callable takes rows and a
        RandomState, and returns rows with NaN where an entry is to be masked. None is the plain autoencoder, which is
        regularised by Gaussian noise of standard deviation ``min(0.1, 100 / n_samples)``.
    corruption_level : float or "auto", default="auto"
        How strong the corruption is. For "gaussian" it is the standard deviation of the noise, in units of the root
        mean variance of a feature. For "salt_and_pepper" and "swap" it is the share of entries that are changed, at
        most 1. For "masking" it is the mean share of masked entries: the share of each row is drawn between 0 and twice
        the level, and is at most 0.95. A callable does not use it. "auto" is 0.25.
    loss : {"squared_error", "absolute_error", "huber", "binary_cross_entropy", "poisson"}, default="squared_error"
        What training minimises. "binary_cross_entropy" is for entries in [0, 1], "poisson" for counts, which need not
        be integers. `fit` and `partial_fit` raise an error for values outside the range; values that are outside only
        by rounding count as the bound. All other methods accept any row; see `score_samples`.
    network : callable, torch.nn.Module or None, default=None
        A custom network that replaces the perceptrons f and g. It is a module with the methods ``encode`` and
        ``decode``, which take standardised rows and codes, or a callable ``network(n_features, n_outputs,
        n_components)`` that makes such a module; `skae.networks` has some. ``encode`` returns `n_outputs` numbers per
        row: `n_components`, or twice that for a variational code. The outputs are multiplied by gates that start at
        zero. Training starts at the weights of the module and trains a copy; parameters that require no gradient stay
        as they are. Weights that a callable draws with torch depend on `random_state` only. In a pipeline with
        ``memory``, pass a class or a function, because a module is never found in the cache.
    hidden_layer_sizes : int, array-like of int or "auto", default="auto"
        Widths of the hidden layers of the encoder; the decoder has the same in reverse order. An int is one layer, and
        ``()`` makes a linear autoencoder. "auto" is (128, 128, 128) if `n_components` is an int up to 4, else
        (256, 128). Not used with `network`.
    activation : {"silu", "relu", "gelu", "tanh", "identity"}, default="silu"
        Activation function of the hidden layers. Not used with `network`.
    whiten : bool, default=False
        If True, the components of the codes of the training rows have unit variance and are uncorrelated. If False,
        codes keep the metric of the data: distances between codes approximate distances between reconstructions.
    scale : bool, default=False
        If True, features are divided by their standard deviation first. Losses and scores are then in standard
        deviations, while `inverse_transform` and `reconstruct` return the units of X.
    alpha : float or "auto", default="auto"
        L2 decay of the weights of f and g, which shrinks the autoencoder towards PCA. The fewer rows there are, the
        more decay they need. "auto" is ``min(1, 500 / n_samples)``, times ``n_components / 4`` if `n_components` is an
        int below 4.
    batch_size : int or "auto", default="auto"
        Number of rows per step. Rows that are left over are spread over the steps of the epoch. "auto" is the power of
        two nearest to ``sqrt(2 * n_samples)``, between 32 and 1,024.
    learning_rate_init : float or "auto", default="auto"
        Learning rate of AdamW. After a warm-up of at most two epochs it stays constant for as long as the loss falls
        (see `n_iter_no_change`). Then it falls to zero along a half cosine, over half as many epochs as before. "auto"
        is 0.005, or 0.002 if entries are missing or masked.
    max_iter : int or "auto", default="auto"
        Maximum number of epochs; with 0 the estimator is PCA. The learning rate falls over the last third of these
        epochs at the latest. "auto" is 160, which is seldom reached. Beyond 128 features it is smaller, but at least
        64. For an ordered code, and if entries are missing or masked, it is two and a half times as large. Below 50
        rows it is 0: so few rows cannot show whether a correction improves on PCA.
    n_iter_no_change : int or "auto", default="auto"
        Number of epochs over which progress is measured. The learning rate starts to fall when the mean loss over this
        many epochs is less than 5 % below the mean over as many epochs before; with a hold-out, the loss is that of the
        held-out rows. "auto" is 10, changed by the same factors as `max_iter`; more if these epochs have fewer than 60
        steps, and fewer if they have more than 2,000, as they have beyond about 130,000 rows.
    early_stopping : bool, float or "auto", default="auto"
        If True, some rows are held out, extreme ones among them, and their loss decides which parameters are kept: the
        last ones, or those of an earlier epoch if these are better, or PCA if both improve on it by less than about a
        standard error. A float is the share of the rows to hold out. True holds out a quarter of the rows, at most 100;
        beyond 2,000 rows a twentieth, at most 2,000. "auto" is True for at least 20 rows, unless `max_iter` is 0. Of
        equal rows at most one is held out. If entries are missing, only masked entries of held-out rows count, and a
        smaller improvement on PCA is enough.

        If `fit` is given `groups`, whole groups are held out, and shares are shares of the groups. "auto" is then True
        however few groups there are. At least three groups are held out; if there are fewer than six, it is half of
        them, and PCA is kept. At most 2,000 of their rows are used.
    warm_start : bool, default=False
        If True, `fit` starts from the previous weights instead of PCA. Codes are rotated to match the new principal
        axes. The parameters `code`, `loss` and those that shape the network must be the same as before. If
        `n_components` is a float or None, the number of components is kept.
    dtype : {"auto", "bfloat16", "float32", "float64"}, default="auto"
        Precision to compute in. "auto" is float64 up to 256 rows and float32 beyond. With "bfloat16" the matrix
        products of training are in bfloat16, which is faster if the CPU (AMX, AVX-512-BF16) or GPU supports it. The
        output has the dtype of the input.
    device : str, default="auto"
        Where to compute, as torch names it. "auto" is CUDA if available, else the CPU. "mps" raises an error, because
        it has no float64.
    verbose : bool or int, default=False
        If True, print the losses of every epoch.
    random_state : int, RandomState instance or None, default=None
        Determines the hold-out, the initial weights of the hidden layers, the batches and the noise. Pass an int for
        reproducible results. Global generators are not used, except that torch's is seeded while a callable makes a
        network, and restored afterwards.

    Attributes
    ----------
    n_components_ : int
        Number of columns of the code.
    mean_ : ndarray of shape (n_features_in_,)
        Mean of the training rows.
    scale_ : ndarray of shape (n_features_in_,)
        What each feature is divided by: with `scale` its standard deviation, or 1 for a constant feature; else 1.
    components_ : ndarray of shape (n_components_, n_features_in_)
        Principal axes: the linear part of the encoder. Axes beyond the rank of the data are zero.
    explained_variance_ratio_ : ndarray of shape (n_components_,)
        Share of the variance that each principal axis explains or, for an ordered code, each component of the code. The
        share that the autoencoder explains in total is its `score`.
    n_iter_ : int
        Number of epochs run; 1 if no epoch was run.
    loss_curve_ : list of float
        Training loss of every epoch. For squared errors it is the share of the variance that is left unexplained.
    validation_loss_curve_ : list of float or None
        Loss on the held-out rows before the first epoch, which is `initial_loss_`, and after each epoch. None without
        a hold-out.
    best_loss_ : float
        Loss of the parameters that were kept, on the held-out rows if there are any, else on the training rows.
    initial_loss_ : float
        Loss of the linear autoencoder that training started at, on the same rows as `best_loss_`.
    n_samples_seen_ : int
        Number of rows seen by `fit`, and by `partial_fit` since.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if all are strings.

    Raises
    ------
    ValueError
        If a parameter is out of its range or contradicts another, X contains infinity or values outside the range of
        the loss, a feature is missing in all rows, or training diverges.
    TypeError
        If `network` is not, or does not make, a module with the methods ``encode`` and ``decode``.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` is an int, all of these epochs were run, and the last tenth of them still lowered the loss by more
        than 1 %.

    See Also
    --------
    distributed : Fit one transformer in several processes together.
    sklearn.decomposition.PCA : The linear transformer this one starts at.
    sklearn.neural_network.MLPRegressor : An autoencoder if fitted to ``(X, X)``, but without codes.

    Notes
    -----
    The squared error is the mean over rows of :math:`\|\tilde x - \hat x\|^2 / d`. The number s makes the mean square
    of :math:`\tilde x` one, so a loss of 0.2 on the training rows means that 80 % of their variance is explained. The
    other losses are means over entries as well, of residuals in units of s ("binary_cross_entropy" and "poisson": in
    the units of X).

    After `partial_fit`, the attributes from `n_iter_` to `initial_loss_` are those of the last chunk. "auto" depends on
    the number of all rows seen, or for `batch_size` on the number of rows in the chunk. The learning rate is constant,
    and "auto" is between two and four fifths of the value above. If `n_components` is a float or None, the first chunk
    determines the number. A sparse code starts at atoms of the first chunk and keeps them; if no atoms were better than
    PCA's axes, it follows these.

    With ``code="neighbors"`` a batch has as many pairs of near rows as `batch_size`, and "auto" means other values: a
    learning rate of 0.01 that falls along a half cosine, `alpha` 0.05, batches of 256 (512 from 5,000 rows on), and
    ``160 * (1500 / n_samples) ** 0.375`` epochs, at most 160. `n_iter_no_change` is not used. Losses include that of
    pairs, whose kernel becomes narrower during training, so that `loss_curve_` may rise. Weights count in the losses
    only: they do not change which rows are neighbours. Codes have the size of PCA's scores, but only distances between
    near rows have a meaning.

    Given a torch tensor, methods return tensors on its device. Floating-point rows without missing entries are not
    copied to the CPU, except in `fit`.

    Missing values, all losses and custom networks can be combined with every code, except in these cases. A variational
    code needs a loss that is a likelihood (squared error, binary cross-entropy or Poisson). ``code="neighbors"`` cannot
    be used with missing values, `corruption`, `partial_fit`, `distributed` and bfloat16. `whiten` needs
    ``code="dense"`` or ``"neighbors"``.

    References
    ----------
    .. [1] Hinton, G. E. & Salakhutdinov, R. R. (2006). Reducing the dimensionality of data with neural networks.
       Science, 313, 504-507. :doi:`10.1126/science.1127647`
    .. [2] Vincent, P. et al. (2010). Stacked denoising autoencoders. Journal of Machine Learning Research, 11,
       3371-3408.
    .. [3] Damrich, S. et al. (2023). From t-SNE to UMAP with contrastive learning. International Conference on Learning
       Representations.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.metrics import r2_score
    >>> from skae import AutoencoderTransformer
    >>> X, _ = load_digits(return_X_y=True)
    >>> train, test = X[:1400], X[1400:]
    >>> pca = PCA(n_components=8).fit(train)
    >>> linear = pca.inverse_transform(pca.transform(test))
    >>> autoencoder = AutoencoderTransformer(n_components=8, random_state=0).fit(train)
    >>> autoencoder.transform(test).shape
    (397, 8)
    >>> autoencoder.score(test) > r2_score(test, linear, multioutput="variance_weighted") + 0.1
    True
    """

    _constraints = BaseAutoencoder._constraints | {
        "code": (OneOf(CODES),),
        "n_nonzero": (Integer(1), OneOf((None,))),
        "beta": (Float(0, low_open=True),),
        "corruption": (OneOf((*CORRUPTIONS, None)), AnyCallable()),
        "corruption_level": (Float(0), AUTO),
        "loss": (OneOf(LOSSES),),
        "network": (AnyCallable(), OneOf((None,))),
        "whiten": (Boolean(),),
        "early_stopping": (Boolean(), Float(0, 1, low_open=True, high_open=True), AUTO),
        "warm_start": (Boolean(),),
    }

    def __init__(
        self,
        n_components=2,
        *,
        code="dense",
        n_nonzero=None,
        beta=1.0,
        corruption=None,
        corruption_level="auto",
        loss="squared_error",
        network=None,
        hidden_layer_sizes="auto",
        activation="silu",
        whiten=False,
        scale=False,
        alpha="auto",
        batch_size="auto",
        learning_rate_init="auto",
        max_iter="auto",
        n_iter_no_change="auto",
        early_stopping="auto",
        warm_start=False,
        dtype="auto",
        device="auto",
        verbose=False,
        random_state=None,
    ):
        self.n_components = n_components
        self.code = code
        self.n_nonzero = n_nonzero
        self.beta = beta
        self.corruption = corruption
        self.corruption_level = corruption_level
        self.loss = loss
        self.network = network
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.whiten = whiten
        self.scale = scale
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.warm_start = warm_start
        self.dtype = dtype
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.code != "neighbors"
        return tags

    @with_callbacks
    def fit(self, X, y=None, sample_weight=None, groups=None):
        """Fit the principal axes, then train the corrections.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.
        y : Ignored
            Present for scikit-learn's API.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows: a weight of two counts as the row given twice.
        groups : array-like of shape (n_samples,), default=None
            The group that each row belongs to, as numbers or strings: rows of one subject or machine, or overlapping
            windows of one signal. A group is never both trained on and held out, so that the parameters are chosen for
            new groups. The share to hold out is a share of the groups, and improvements on PCA are counted by groups.
            Equal rows of different groups do not count as copies of each other.

        Returns
        -------
        AutoencoderTransformer
            The fitted estimator. If `fit` raises, the estimator is unchanged.

        Raises
        ------
        ValueError
            If `groups` does not have the length of X, is not 1-D, contains NaN, or has fewer than 2 different values
            among rows with positive weight.
        """
        with unchanged_on_error(self), processes_of_fit() as processes:
            # Parameters are not checked yet: `_check_training_rows` raises for a `warm_start` that is no bool.
            warm = Boolean().accepts(self.warm_start) and self.warm_start and self._is_fitted_before
            rows = self._check_training_rows(X, sample_weight, groups, reset=not warm, processes=processes)
            config, source = self._config(rows), rows.source
            # Processes that fit together continue from the fit and the random state of the first one.
            random_state = source.broadcast(local_random_state(self.random_state))
            state = source.broadcast(self._fitted.to_state() if warm else None)
            previous = None if state is None else FittedAutoencoder.from_state(state)
            settings = autoencoder_settings(self._training_parameters(), config, rows)
            report = self._reporter(rows, _attributes)
            fitted = fit(rows, config, settings, random_state, previous=previous, report=report)
            self._warn_if_unconverged(fitted.training, settings.max_iter)
            incremental = state_after_fit(fitted, rows, settings, random_state)
            self._set(_attributes(fitted) | {"n_samples_seen_": rows.n_rows, "_incremental": incremental})
        return self

    @available_if(_has_partial_fit)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Continue with a chunk of rows.

        Mean, scale and principal axes become those of all rows seen, exactly as if all rows had come at once. Training
        makes one pass over the chunk, at a constant learning rate. `transform` uses an average of the weights over the
        last steps if that reconstructs held-out rows better than PCA, else PCA. A quarter of all rows seen, later a
        twentieth, at most 500, are held out. They are drawn row by row: only `fit` takes `groups`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A chunk of one or more rows, with at most 2,000 features and without missing entries.
        y : Ignored
            Present for scikit-learn's API.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows: a weight of two counts as the row given twice.

        Returns
        -------
        AutoencoderTransformer
            The fitted estimator. If `partial_fit` raises, the estimator is unchanged.
        """
        with unchanged_on_error(self):
            chunk = self._check_training_rows(X, sample_weight, reset=not self._is_fitted_before, min_samples=1)
            config = self._config(chunk)
            if is_distributed():
                raise ValueError(
                    "partial_fit runs in one process: call it outside of skae.distributed(), or call fit. See "
                    "docs/guide_distributed.md."
                )
            if chunk.missing_share:
                raise ValueError(
                    "Input X of partial_fit contains NaN. Call fit, which learns from rows with missing entries, or "
                    "drop these rows: see docs/guide_missing_values.md."
                )
            state, previous = getattr(self, "_incremental", None), getattr(self, "_fitted", None)
            n_before = 0 if state is None else state.n_rows
            n_seen = n_before + chunk.n_rows
            chunk = replace(chunk, n_seen=n_seen, dtype=resolve_dtype(self.dtype, n_seen))
            parameters = self._training_parameters()
            state, fitted = update(
                state,
                previous,
                chunk,
                config,
                lambda n_train_rows: chunk_settings(parameters, config, chunk, n_train_rows),
                random_state_after(self.random_state, n_before),
            )
            self._set(_attributes(fitted) | {"n_samples_seen_": n_seen, "_incremental": state})
            if self.verbose:
                losses = "".join(f"loss {loss:.6f}, " for loss in self.loss_curve_)
                print(f"{n_seen} rows seen: {losses}loss kept {self.best_loss_:.6f}")
        return self

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
        return self._fitted.encode(X, resolve_device(self.device))

    def inverse_transform(self, X):
        """Decode codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components_)
            Codes. If ``code="ordered"``, the first columns are enough.

        Returns
        -------
        ndarray of shape (n_samples, n_features_in_)
            Rows in the units of the training rows, in the dtype of the codes.
        """
        check_is_fitted(self)
        if not is_valid_tensor(X):
            X = like(check_array(as_array(X), dtype=(np.float64, np.float32)), X)
        has_prefixes = self._fitted.config.code_class.has_prefixes
        if X.shape[1] > self.n_components_ or (X.shape[1] < self.n_components_ and not has_prefixes):
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting {self.n_components_} "
                "components as input. Pass all columns of the codes; only code='ordered' decodes the first ones alone. "
                "See docs/guide_ordered.md."
            )
        return self._fitted.decode(X, resolve_device(self.device))

    def reconstruct(self, X):
        """Encode and decode rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_features)
            Their reconstructions, in the dtype of X. If X is a DataFrame of pandas or polars, a DataFrame with the same
            columns and index.
        """
        rows = self._check_fitted_X(X)
        return frame_like(self._fitted.reconstruct(rows, resolve_device(self.device)), X)

    def predict(self, X):
        """Encode and decode rows, as `reconstruct` does; for dense input only.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_features)
            Their reconstructions, in the dtype of X. If X is a DataFrame of pandas or polars, a DataFrame with the same
            columns and index.
        """
        if sparse.issparse(X):
            raise TypeError(
                "Sparse data was passed to predict, whose result is dense. Call reconstruct instead, on parts of X if "
                "the result would not fit into memory. See docs/guide_large_data.md."
            )
        return self.reconstruct(X)

    def score_samples(self, X):
        r"""Return minus the loss of each row, or the evidence lower bound if the code is variational.

        For the squared error this is :math:`-\|x - \hat x\|^2`. The evidence lower bound, in nats, is

        .. math:: E_{q(z|x)} \log p(x|z) - D_{KL}(q(z|x) \| p(z)) \le \log p(x).

        A row may lie outside the range of the loss, as new rows may after `MinMaxScaler`. It is encoded as it is, but
        its reconstruction is compared with the row clipped to the range.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. Missing entries do not count.

        Returns
        -------
        ndarray of shape (n_samples,)
            Scores. Squared errors are in units of the variances of the features if `scale`, else in the squared units
            of X.
        """
        X = self._check_fitted_X(X)
        if self._fitted.config.code_class.is_variational:
            return self._fitted.log_evidence_bounds(X, resolve_device(self.device))
        return -self._fitted.summed_losses(X, resolve_device(self.device))

    def score(self, X, y=None, sample_weight=None):
        r"""Return the share of the variance about the mean of the training rows that is explained (R²).

        .. math:: R^2 = 1 - \sum_i w_i \|x_i - \hat x_i\|^2 / \sum_i w_i \|x_i - \mu\|^2

        With `scale`, differences are divided by `scale_` first, so scores with and without `scale` cannot be compared.
        Missing entries do not count.

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
            1 for a perfect reconstruction, 0 for one that is as good as the mean.

        Raises
        ------
        ValueError
            If no entry is observed.
        """
        X = self._check_fitted_X(X)
        weight = check_sample_weight(sample_weight, X)
        errors, norms, _ = self._fitted.errors_and_codes(X, resolve_device(self.device))
        largest = max(errors.max(), norms.max()) or 1.0  # the sums of squares could overflow float64
        error, norm = np.average(errors / largest, weights=weight), np.average(norms / largest, weights=weight)
        if norm == 0.0:
            if missing_share(RowSource(as_array(X))) == 1.0:
                raise ValueError(
                    "X has no observed entry to compare its reconstruction with: all entries are NaN. Pass rows with "
                    "observed entries."
                )
            return 1.0 if error == 0.0 else 0.0
        return float(1.0 - error / norm)

    def sample(self, n_samples=1, random_state=None):
        """Draw new rows.

        Codes are drawn and decoded. Codes of a variational autoencoder are drawn from the prior, all others from a
        mixture of Gaussians with the number of components that has the lowest BIC. The first call fits the mixture to
        the codes of at most 4,096 training rows (after `partial_fit`, of at most 500 of the rows seen).

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Determines the codes that are drawn. Pass an int for reproducible results.

        Returns
        -------
        ndarray of shape (n_samples, n_features_in_)
            Rows in the units of the training rows.
        """
        check_is_fitted(self)
        if not Integer(1).accepts(n_samples):
            raise ValueError(f"Invalid value for 'n_samples': {n_samples!r}. It must be an int >= 1.")
        return self._fitted.sample(n_samples, local_random_state(random_state), resolve_device(self.device))

    def encoder_module(self):
        """Return `transform` as a torch module whose parameters can be trained further.

        Returns
        -------
        torch.nn.Module
            A module that encodes rows in the units of X, without missing entries. It is a copy, so that training it
            does not change the estimator. It is on the CPU, in the precision of the estimator.
        """
        check_is_fitted(self)
        return EncoderModule(self._fitted)

    def decoder_module(self):
        """Return `inverse_transform` as a torch module whose parameters can be trained further.

        Returns
        -------
        torch.nn.Module
            A module that decodes codes to rows in the units of X. It is a copy, as in `encoder_module`.
        """
        check_is_fitted(self)
        return DecoderModule(self._fitted)

    def _config(self, rows: TrainingRows) -> AutoencoderConfig:
        """The configuration, checked against the training rows."""
        if self.corruption is None and not isinstance(self.corruption_level, str):
            raise ValueError(
                f"corruption_level={self.corruption_level} needs a corruption. Got corruption=None. Name one, such as "
                "'gaussian', or leave corruption_level at 'auto': see docs/guide_denoising.md."
            )
        n_components = plain_number(self.n_components)
        if self.code != "sparse":
            check_n_components(n_components, rows.n_features)
        config = AutoencoderConfig(
            n_components=n_components,
            code=self.code,
            n_nonzero=plain_number(self.n_nonzero),
            beta=float(self.beta),
            loss=self.loss,
            corruption=self.corruption,
            corruption_level=plain_number(resolved(self.corruption_level, lambda: CORRUPTION_LEVEL)),
            network=self.network,
            hidden_layer_sizes=resolved(
                layer_sizes(self.hidden_layer_sizes), lambda: default_layer_sizes(n_components)
            ),
            activation=self.activation,
            whiten=bool(self.whiten),
            scale=bool(self.scale),
        )
        if rows.source.is_distributed and (self.corruption == "swap" or callable(self.corruption)):
            raise ValueError(
                f"corruption={self.corruption!r} cannot be used within skae.distributed(), because it needs all rows "
                "of a batch in one process. Use 'gaussian', 'masking' or 'salt_and_pepper'. See "
                "docs/guide_distributed.md."
            )
        if config.code_class.has_pairs:
            check_pairs(rows, self.code, self.dtype)
        check_range(rows.source, self.loss)
        return config

    def _check_X(self, X, *, reset: bool, min_samples: int = 1):
        try:
            return super()._check_X(X, reset=reset, min_samples=min_samples)
        except ValueError as error:
            if self.code != "neighbors" or "contains NaN" not in str(error):
                raise
            # scikit-learn's advice is about estimators that never accept missing entries.
            raise ValueError(
                "Input X contains NaN, which code='neighbors' does not accept. Fill missing entries first, for "
                "instance with SimpleImputer, or use another code. See docs/guide_maps.md."
            ) from error

    def _check_fitted_X(self, X):
        """Checked rows. A valid tensor stays on its device; of others scikit-learn checks a copy, and raises errors."""
        if not is_valid_tensor(X):
            return like(super()._check_fitted_X(X), X)
        settle_count()
        check_is_fitted(self)
        return validate_data(self, X, reset=False, skip_check_array=True)

    def _fitted_to_state(self) -> dict[str, Any]:
        # The estimators that callbacks get during fit have no `_incremental` yet.
        names = ("_fitted", "_incremental")
        return {name: getattr(self, name).to_state() for name in names if hasattr(self, name)}

    def _fitted_from_state(self, state: dict[str, Any]) -> dict[str, Any]:
        fitted: dict[str, Any] = {"_fitted": FittedAutoencoder.from_state(state["_fitted"])}
        if "_incremental" in state:
            attributes = [state[name] for name in ("n_samples_seen_", "mean_", "scale_", "components_")]
            fitted["_incremental"] = IncrementalState.from_state(state["_incremental"], *attributes)
        return fitted


def _attributes(fitted: AutoencoderFit) -> dict[str, Any]:
    """The fitted attributes that follow from the fitted autoencoder."""
    n_components = fitted.autoencoder.n_components
    return training_attributes(fitted.training) | {
        "n_components_": n_components,
        "mean_": fitted.axes.mean,
        "scale_": fitted.axes.scale,
        "components_": fitted.axes.components[:n_components],
        "explained_variance_ratio_": fitted.explained_variance_ratio,
        "_fitted": fitted.autoencoder,
    }
