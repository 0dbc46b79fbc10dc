"""AutoencoderTransformer: non-linear dimensionality reduction that starts at PCA."""

from __future__ import annotations

from skae._base_transformer import BaseTransformer
from skae._fitted import FittedAutoencoder
from skae._numerics._shards import processes_of
from skae._support._callbacks import with_callbacks
from skae._support._distributed import processes_of_fit
from skae._support._inputs import local_random_state, unchanged_on_error
from skae._support._parameters import Boolean, plain_number


class AutoencoderTransformer(BaseTransformer):
    r"""Non-linear dimensionality reduction by an autoencoder that starts at PCA and only improves on it.

    The encoder and the decoder are PCA's projections plus a correction each,

    .. math::

        z = V^\top \tilde x + f(\tilde x), \qquad \hat x = V z + g(z), \qquad \tilde x = (x - \mu) / s,

    where V holds the principal axes and the perceptrons f and g start at zero. Before training the estimator is
    ``PCA(n_components)``, and ``max_iter=0`` returns just that; members of the family that are no plain autoencoder
    start at their linear case. Training keeps the parameters that reconstruct held-out rows best, the starting point
    included.

    Entries of X may be missing (NaN): training learns from those observed, and `reconstruct` fills the others. Features
    in different units then need `scale`, or the small ones count for nothing.

    Parameters
    ----------
    n_components : int, float or None, default=2
        Number of columns of the code. An int of at least 1, which may exceed the number of features; a float in
        (0, 1): the smallest number of principal components that explains more than that share of the variance (if
        `ordered`: of the code's own); None: ``min(n_samples, n_features)``.
    hidden_layer_sizes : tuple of int, default=(256, 128)
        Widths of the encoder's hidden layers; the decoder mirrors them. ``()`` makes a linear autoencoder. Not used
        with `network`.
    activation : {"silu", "relu", "gelu", "tanh", "identity"}, default="silu"
        Activation function of the hidden layers. Not used with `network`.
    network : callable, torch.nn.Module or None, default=None
        A network of one's own in place of the perceptrons, behind a gate that starts at zero: a module with methods
        ``encode`` and ``decode`` of standardised rows, or ``network(n_features, n_outputs, n_components)`` that makes
        one, such as those of `skae.networks`. The encoder returns `n_outputs` numbers: `n_components`, twice that if
        `variational`. Training starts at the module's weights and leaves it alone, and those that require no gradient
        stay as they are; weights that a callable has torch draw follow from `random_state`.
    loss : {"squared_error", "absolute_error", "huber", "binary_cross_entropy", "poisson"}, default="squared_error"
        What training minimises. "binary_cross_entropy" is for entries in [0, 1], "poisson" for counts.
    whiten : bool, default=False
        Whether codes have unit variance and no correlation over the training rows. Without it codes keep the metric
        of the data: distances between them mimic distances between reconstructions.
    scale : bool, default=False
        Whether features are divided by their standard deviation first. Losses and scores are then in those units.
    corruption : {"gaussian", "masking", "salt_and_pepper", "swap"} or callable, default="gaussian"
        What training does to the inputs whose clean version it asks back [2]_. "masking" hides entries as if they were
        missing; "salt_and_pepper" puts them at the end of their feature's range, "swap" at its value in another row. A
        callable is given rows and a RandomState and returns rows, NaN where an entry is to be hidden.
    corruption_level : float or "auto", default="auto"
        Standard deviation of Gaussian noise in units of the root mean variance of a feature, or the share of entries
        changed, at most 1; a callable does not use it. "masking" hides of each row a share drawn between none and twice
        the level, at most 0.95. The autoencoder is then a denoising one: it starts at the best linear denoiser in
        place of PCA and is judged on corrupted rows. "auto" is 0.25 for shares; Gaussian noise is then
        ``min(0.1, 100 / n_samples)`` and only regularises.
    sparsity : float, int or None, default=None
        An int keeps that many components of each code, those largest by magnitude, and makes the others zero; training
        then starts at atoms found by k-means, or at PCA's axes where those reconstruct better. A float charges the
        codes' absolute values: components within that many root mean variances of zero become zero.
    ordered : bool, default=False
        Whether components are ordered by what they explain: the first j columns of the code are then a code themselves.
    variational : bool, default=False
        Whether codes are random, with a standard normal prior: the autoencoder starts at probabilistic PCA, `transform`
        returns the posterior's mean and `score_samples` a bound on the log-likelihood.
    beta : float, default=1.0
        Weight of the divergence from the prior in a variational loss.
    solver : {"adamw", "adam", "sgd"}, default="adamw"
        Optimiser. "sgd" has Nesterov momentum 0.9.
    alpha : float or "auto", default="auto"
        L2 decay of the corrections, which shrinks them towards PCA: few rows need it, many do not. "auto" is
        ``min(1, 500 / n_samples)``, and 0.0003 times that for "adam" and "sgd", which add the decay to the gradient.
    batch_size : int or "auto", default="auto"
        Rows per step; what is left over is spread over all steps. "auto" is the power of two nearest
        ``sqrt(2 * n_samples)``, between 32 and 1,024.
    learning_rate_init : float or "auto", default="auto"
        Highest learning rate. It is warmed up over 5 % of the steps and falls to zero along a half cosine. "auto" is
        0.008, and 0.0032 where entries are missing or hidden; for "sgd" ``min(40, 0.4 * n_features)`` times that.
    max_iter : int or "auto", default="auto"
        Number of epochs at most; 0 makes the estimator PCA. "auto" is 40, fewer but at least 15 beyond 128 features,
        and 0 below 50 rows, too few to tell whether a correction to PCA is one. Two and a half times as many if
        `ordered` or where entries are missing or hidden.
    n_iter_no_change : int or "auto", default="auto"
        Training stops after this many epochs that did not lower the loss (the held-out one, where there is one) by
        0.01 %. "auto" is half of `max_iter`, at least 20.
    early_stopping : bool, float or "auto", default="auto"
        Whether to hold out rows, and to keep the parameters that reconstruct those best; parameters that do not beat
        PCA's loss there by more than one standard error are never kept. A float is the share of the rows to hold out;
        True holds out a quarter of the rows, at most 100, or beyond 2,000 rows a twentieth, at most 2,000. "auto" is
        True from 50 rows, and from 20 if `max_iter` asks for training. Of rows that repeat one is held out.
    warm_start : bool, default=False
        Whether `fit` sets out from the weights of the last one, its codes rotated to go with the new principal axes, in
        place of PCA. `loss` and what shapes the network must be as they were; where `n_components` is a float or None,
        the length is kept.
    dtype : {"auto", "bfloat16", "float32", "float64"}, default="auto"
        Precision to compute in. "auto" is float64 up to 256 rows and float32 beyond. "bfloat16": products of training
        in bfloat16, worth it where the CPU (AMX, AVX-512-BF16) or GPU has it. Output has the input's dtype.
    device : str, default="auto"
        Where to compute, as torch names it; "mps" lacks float64 and is refused. "auto" is CUDA where there is one, else
        the CPU.
    verbose : bool or int, default=False
        Whether to print the losses of every epoch.
    distributed : bool, default=False
        Whether the processes of a `torch.distributed` group, such as those that `torchrun` starts, fit together. X is
        then the shard of this process, of at least two rows. All end with the same fit, that of one process given the
        shards in the order of ranks; an error of one is raised by all. Not for "swap", a callable `corruption` or
        `partial_fit`.
    random_state : int, RandomState instance or None, default=None
        Draws the hold-out, the initial hidden layers, the batches and the noise. Pass an int for results that repeat.
        No global generator is ever used or changed, but torch's, which is put back, while a callable makes a network.

    Attributes
    ----------
    n_components_ : int
        Number of columns of the code.
    mean_ : ndarray of shape (n_features_in_,)
        Mean of the training rows.
    scale_ : ndarray of shape (n_features_in_,)
        What features are divided by: their standard deviation if `scale` (1 where they are constant), else 1.
    components_ : ndarray of shape (n_components_, n_features_in_)
        Principal axes: the linear part of the encoder. Axes beyond the rank of the data are zero.
    explained_variance_ratio_ : ndarray of shape (n_components_,)
        Share of the variance each principal axis explains; if `ordered`, each component of the code. The autoencoder
        explains more than the axes do in total; see `score`.
    n_iter_ : int
        Number of epochs run; where there are none, finding the principal axes counts as one.
    loss_curve_ : list of float
        Training loss of every epoch: for squared errors the share of the training rows' variance left unexplained.
    validation_loss_curve_ : list of float or None
        The same on the held-out rows after every epoch, starting with PCA's; None without a hold-out.
    best_loss_ : float
        Loss of the parameters kept, on the held-out rows if there are any, else on the training rows.
    pca_loss_ : float
        The loss on the same rows of the linear autoencoder that training started at.
    n_samples_seen_ : int
        Number of rows seen by `fit`, and by `partial_fit` since.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if all are strings.

    Raises
    ------
    ValueError
        If a parameter is out of its range or contradicts another, the input is infinite or out of the loss' range, a
        feature was never observed, or training meets values that are not finite.
    TypeError
        If `network` is not what it should be.
    RuntimeError
        If `distributed` without an initialised process group.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` is an int and the last tenth of that many epochs still lowered the loss by more than 1 %.

    See Also
    --------
    sklearn.decomposition.PCA : The linear transformer this one starts at.
    sklearn.neural_network.MLPRegressor : Fit to ``(X, X)``, an autoencoder without anchor or code.

    Notes
    -----
    Losses are means over rows of :math:`\|\tilde x - \hat x\|^2 / d` with s such that :math:`\tilde x` has mean square
    one, so a loss of 0.2 on the training rows means that 80 % of their variance is explained. Other losses are means
    over entries likewise, residuals measured in s ("binary_cross_entropy" and "poisson": in the units of X).

    After `partial_fit` the attributes from `n_iter_` to `pca_loss_` are those of the last chunk. "auto" goes by all
    rows seen, `batch_size` by the chunk's; `learning_rate_init` is a quarter to a half of that above, the rate being
    constant. A float or None for `n_components` is decided by the first chunk. An int `sparsity` starts at atoms of
    the first chunk and keeps them, if it has any, or follows PCA's axes.

    Given a torch tensor, methods return tensors on its device. Floating-point rows without missing entries stay there,
    but for `fit`.

    Which members of the family go together: everything with missing values, every loss and custom networks, but for
    ``variational`` (squared errors and likelihoods only) and at most one of ``variational``, ``sparsity``, ``ordered``
    and ``whiten``.

    References
    ----------
    .. [1] Hinton, G. E. & Salakhutdinov, R. R. (2006). Reducing the dimensionality of data with neural networks.
       Science, 313, 504-507. :doi:`10.1126/science.1127647`
    .. [2] Vincent, P. et al. (2010). Stacked denoising autoencoders. Journal of Machine Learning Research, 11,
       3371-3408.

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

    def __init__(
        self,
        n_components=2,
        *,
        hidden_layer_sizes=(256, 128),
        activation="silu",
        network=None,
        loss="squared_error",
        whiten=False,
        scale=False,
        corruption="gaussian",
        corruption_level="auto",
        sparsity=None,
        ordered=False,
        variational=False,
        beta=1.0,
        solver="adamw",
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
        distributed=False,
        random_state=None,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.network = network
        self.loss = loss
        self.whiten = whiten
        self.scale = scale
        self.corruption = corruption
        self.corruption_level = corruption_level
        self.sparsity = sparsity
        self.ordered = ordered
        self.variational = variational
        self.beta = beta
        self.solver = solver
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
        self.distributed = distributed
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.allow_nan = True
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    @with_callbacks
    def fit(self, X, y=None, sample_weight=None):
        """Fit the principal axes, then train the corrections.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.
        y : Ignored
            Present for scikit-learn's API.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows: a weight of two counts as the row given twice.

        Returns
        -------
        AutoencoderTransformer
            The fitted estimator. If `fit` raises, it is what it was before.
        """
        # Parameters are not checked yet: what is no bool asks for nothing, and is refused below.
        warm, together = (Boolean().accepts(asked) and asked for asked in (self.warm_start, self.distributed))
        with unchanged_on_error(self), processes_of_fit(together) as processes:
            earlier = self._earlier if warm else None
            data = self._checked(X, sample_weight, reset=earlier is None, processes=processes)
            if together and processes is None:
                raise RuntimeError(
                    "distributed=True needs a process group: launch with torchrun and call "
                    "torch.distributed.init_process_group before fit."
                )
            group = processes_of(data.X)
            random_state = group.first("random_state", local_random_state(self.random_state))
            state = group.first("the earlier fit", None if earlier is None else self._state)
            earlier = None if state is None else FittedAutoencoder(**state)
            n_components = plain_number(self.n_components)
            fitted = self._fit_autoencoder(data, n_components, self.whiten, random_state, earlier=earlier)
            for name, value in fitted.items():
                setattr(self, name, value)
        return self

    def partial_fit(self, X, y=None, sample_weight=None):
        """Go on with a chunk of rows.

        Mean, scale and principal axes become those of all rows seen, as exactly as if they had come at once. Training
        goes once over the chunk from where it stood, at a constant rate; what `transform` uses is an average of the
        weights on the way, or PCA unless that average reconstructs rows that are held out better: a quarter of all
        rows seen, later a twentieth and at most 500.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A chunk of rows, one or more, without missing entries; at most 2,000 features.
        y : Ignored
            Present for scikit-learn's API.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows: a weight of two counts as the row given twice.

        Returns
        -------
        AutoencoderTransformer
            The fitted estimator. If `partial_fit` raises, it is what it was before.
        """
        with unchanged_on_error(self):
            data = self._checked(X, sample_weight, reset=self._earlier is None, min_samples=1)
            if self.distributed:
                raise ValueError("partial_fit runs in one process: set distributed=False.")
            if data.share_missing:
                raise ValueError("Input X of partial_fit contains NaN. Only fit learns from rows with missing entries.")
            for name, value in self._fit_chunk(data, plain_number(self.n_components), self.whiten).items():
                setattr(self, name, value)
        return self
