"""What holds for any rows, weights and parameters: hypothesis looks for a counter-example."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.base import clone

from skae import AutoencoderOutlierDetector, AutoencoderTransformer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The loss was still falling"),
    pytest.mark.filterwarnings("ignore:No row is selected"),
    pytest.mark.filterwarnings("ignore:There are too few calibration rows"),
    # scikit-learn's own check for infinite values adds up numbers that cancel.
    pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered in (reduce|dot|cast):RuntimeWarning"),
]
# Of products added in another order, relative to the largest number among them.
ROUNDING = {"float64": 1e-9, "float32": 1e-3}

shapes = st.tuples(st.integers(2, 30), st.integers(1, 5))


@st.composite
def rows(draw, n_rows=None):
    """Smooth rows, ties and constants, in any unit and about any mean."""
    n, d = draw(shapes)
    n = n_rows or n
    seed, unit, mean = draw(st.integers(0, 99)), 10.0 ** draw(st.integers(-30, 30)), draw(st.sampled_from([0, 1, 1e3]))
    kind = draw(st.sampled_from(["smooth", "ties", "drawn"]))
    if kind == "smooth":
        X = np.random.RandomState(seed).standard_t(3, size=(n, d))
    elif kind == "ties":
        X = np.random.RandomState(seed).randint(0, 3, size=(n, d)).astype(float)
    else:
        X = draw(hnp.arrays(float, (n, d), elements=st.floats(-1e3, 1e3)))
    X = (X + mean) * unit
    return X.astype(draw(st.sampled_from([np.float64, np.float32])))


common = {
    "hidden_layer_sizes": st.sampled_from([(), (4,), (5, 3)]),
    "activation": st.sampled_from(["silu", "relu", "gelu", "tanh", "identity"]),
    "scale": st.booleans(),
    "alpha": st.sampled_from(["auto", 0.0, 0.5]),
    "batch_size": st.sampled_from(["auto", 1, 7]),
    "max_iter": st.sampled_from(["auto", 0, 1, 2]),
    "dtype": st.sampled_from(["auto", "float32", "float64"]),
    "random_state": st.integers(0, 2**32 - 1),
    "n_components": st.one_of(st.integers(1, 5), st.floats(0.01, 0.99), st.none()),
}
# None is a plain autoencoder, which has no level.
CORRUPTIONS = [
    {"corruption": None},
    {"corruption": "gaussian", "corruption_level": 0.0},
    *(
        {"corruption": name, "corruption_level": level}
        for name in ("gaussian", "masking", "salt_and_pepper", "swap")
        for level in ("auto", 0.3)
    ),
]
CODES = [{}, {"code": "sparse"}, {"code": "sparse", "n_nonzero": 1}, {"code": "ordered"}, {"code": "variational"}]
transformers = st.builds(
    lambda corruption, **parameters: AutoencoderTransformer(**parameters, **corruption),
    **common,
    corruption=st.sampled_from(CORRUPTIONS),
    whiten=st.booleans(),
    early_stopping=st.sampled_from(["auto", True, False, 0.2]),
)
members = st.fixed_dictionaries(
    {
        "loss": st.sampled_from(["squared_error", "absolute_error", "huber"]),
        "corruption": st.sampled_from(CORRUPTIONS),
        "code": st.sampled_from(CODES),
    }
)
detectors = st.builds(
    AutoencoderOutlierDetector,
    **common,
    method=st.sampled_from(["denoising", "reconstruction"]),
    contamination=st.one_of(st.just("auto"), st.floats(0.001, 0.5)),
)


def fit(estimator, X, sample_weight=None):
    """The fitted estimator, with at most as many components as features unless its code is sparse.

    A row may be too far from a fold without it for a network asked to compute in float32: an error that says so.
    """
    if isinstance(estimator.n_components, int) and getattr(estimator, "code", "dense") != "sparse":
        estimator.set_params(n_components=min(estimator.n_components, X.shape[1]))
    try:
        return estimator.fit(X, sample_weight=sample_weight)
    except ValueError as error:
        assume(not (estimator.dtype == "float32" and "too large for dtype('float32')" in str(error)))
        raise


def assert_close(actual, expected, dtype):
    """Equal up to the rounding of `dtype`, in units of the largest number of each column."""
    size = np.abs(expected).max(axis=0, initial=0.0)
    rounding = ROUNDING[dtype] * np.where(size > 0, size, 1.0)
    assert (np.abs(np.asarray(actual, float) - expected) <= rounding).all()


def precision(estimator, X):
    """That of the coarser of input and network."""
    return "float32" if "float32" in (str(X.dtype), estimator.dtype) else "float64"


@given(transformers, rows())
def test_transformer(transformer, X):
    before = X.copy()
    fitted = fit(transformer, X)
    codes, reconstructed, scores = fitted.transform(X), fitted.reconstruct(X), fitted.score_samples(X)
    n, d = X.shape

    assert codes.shape == (n, fitted.n_components_)
    assert reconstructed.shape == (n, d)
    assert scores.shape == (n,)
    assert codes.dtype == reconstructed.dtype == X.dtype
    for result in [codes, reconstructed, scores, fitted.components_, [fitted.best_loss_, fitted.initial_loss_]]:
        assert np.isfinite(result).all()
    assert (scores <= 0).all()
    assert fitted.score(X) <= 1.0
    assert fitted.best_loss_ <= fitted.initial_loss_
    assert len(fitted.get_feature_names_out()) == fitted.n_components_

    again = clone(fitted).fit(X)
    np.testing.assert_array_equal(again.transform(X), codes)
    np.testing.assert_array_equal(again.score_samples(X), scores)
    assert_close(fitted.transform(X[:1]), codes[:1], precision(fitted, X))
    assert_close(fitted.reconstruct(X[::-1])[::-1], reconstructed, precision(fitted, X))
    np.testing.assert_array_equal(X, before)


@given(transformers, members, rows(), st.integers(0, 99))
def test_members_of_the_family_with_entries_missing(transformer, member, X, seed):
    """Every member, incomplete rows: finite results that repeat, and a start that is beaten or kept."""
    code = member["code"] | ({"loss": "squared_error"} if member["code"].get("code") == "variational" else {})
    corruption = {"corruption_level": "auto"} | member["corruption"]
    transformer.set_params(loss=member["loss"], whiten=False, **corruption).set_params(**code)
    hidden = np.random.RandomState(seed).uniform(size=X.shape) < 0.2
    hidden[0] = False  # every feature is observed
    incomplete = np.where(hidden, np.nan, X).astype(X.dtype)
    fitted = fit(transformer, incomplete)
    results = [fitted.transform(incomplete), fitted.reconstruct(incomplete), fitted.score_samples(incomplete)]
    for result in [*results, [fitted.best_loss_, fitted.initial_loss_], fitted.explained_variance_ratio_]:
        assert np.isfinite(result).all()
    assert fitted.best_loss_ <= fitted.initial_loss_
    np.testing.assert_array_equal(clone(fitted).fit(incomplete).transform(incomplete), results[0])


@given(detectors, rows())
def test_detector(detector, X):
    before = X.copy()
    fitted = fit(detector, X)
    scores, p_values, errors = fitted.score_samples(X), fitted.p_values(X), fitted.feature_contributions(X)
    labels, codes = fitted.predict(X), fitted.transform(X)
    n, d = X.shape

    assert scores.shape == p_values.shape == labels.shape == (n,)
    assert errors.shape == (n, d)
    assert codes.shape == (n, fitted.n_components_)
    for result in [scores, errors, codes, [fitted.offset_, fitted.best_loss_, fitted.initial_loss_]]:
        assert np.isfinite(result).all()
    assert (scores < 0).all()
    assert (errors >= 0).all()
    np.testing.assert_allclose(errors.sum(axis=1), -scores, rtol=1e-6)
    assert ((p_values > 0) & (p_values <= 1)).all()
    assert set(labels) <= {-1, 1}
    np.testing.assert_array_equal(labels == -1, fitted.decision_function(X) < 0)
    if fitted.contamination != "auto":
        assert (labels == -1).mean() <= fitted.contamination + 1e-9
    assert (np.diff(p_values[np.argsort(scores)]) >= 0).all()

    again = clone(fitted).fit(X)
    np.testing.assert_array_equal(again.score_samples(X), scores)
    np.testing.assert_array_equal(again.p_values(X), p_values)
    np.testing.assert_allclose(fitted.score_samples(X[:1]), scores[:1], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(fitted.score_samples(X[::-1])[::-1], scores, rtol=1e-3, atol=1e-3)

    again.recalibrate(X)
    scores, p_values = again.score_samples(X), again.p_values(X)
    assert np.isfinite([*scores, again.offset_]).all()
    assert (scores < 0).all()
    assert ((p_values >= 1 / (n + 1)) & (p_values <= 1)).all()
    np.testing.assert_allclose(again.feature_contributions(X).sum(axis=1), -scores, rtol=1e-6)
    selected = again.select(X, fdr=0.5)
    assert selected.all() or (p_values[selected].max(initial=0) < p_values[~selected].min())
    np.testing.assert_array_equal(X, before)


@given(st.one_of(transformers, detectors), rows(), st.data())
def test_weights_and_sparse_rows(estimator, X, data):
    """A row without weight is as good as absent; CSR gives what dense rows give; the weights are left alone."""
    weight = data.draw(hnp.arrays(float, len(X), elements=st.sampled_from([0.0, 1e-3, 1.0, 2.5, 40.0])))
    assume((weight > 0).sum() > 1)
    before = weight.copy()
    fitted = fit(estimator, X, weight)
    scores = fitted.score_samples(X)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(weight, before)

    kept = weight > 0
    without = clone(fitted).fit(X[kept], sample_weight=weight[kept])
    np.testing.assert_array_equal(without.score_samples(X), scores)
    from_sparse = clone(fitted).fit(sparse.csr_array(X), sample_weight=weight)
    np.testing.assert_allclose(from_sparse.score_samples(X), scores, rtol=1e-6, atol=1e-12 * np.abs(scores).max())


TRAIN = np.random.RandomState(0).normal(size=(20, 3))
FITTED = [
    AutoencoderTransformer(2, max_iter=0, dtype="float32").fit(TRAIN),
    AutoencoderOutlierDetector(random_state=0, dtype="float32").fit(TRAIN),
    AutoencoderOutlierDetector(method="reconstruction", n_components=2, random_state=0, dtype="float32").fit(TRAIN),
]
anything = hnp.arrays(
    st.one_of(
        hnp.scalar_dtypes(),
        st.just(np.dtype(object)),
        hnp.floating_dtypes(endianness=">"),
        hnp.unicode_string_dtypes(),
    ),
    st.one_of(st.just((4, 3)), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
)


@pytest.mark.filterwarnings("ignore")
@given(st.sampled_from(FITTED), anything)
def test_anything_gives_finite_scores_or_an_error(fitted, X):
    """Whatever an array holds: a ValueError or TypeError, as scikit-learn raises, or finite results."""
    state = dict(vars(fitted))
    for method in ["transform", "score_samples"]:
        try:
            result = getattr(fitted, method)(X)
        except (ValueError, TypeError):
            continue
        assert np.isfinite(result).all()
        assert len(result) == len(X)
    assert vars(fitted) == state
