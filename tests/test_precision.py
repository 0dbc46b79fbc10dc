"""dtype="bfloat16": training in lower precision changes next to nothing, and nothing else is in it."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.base import clone

from skae import AutoencoderOutlierDetector, AutoencoderTransformer

ESTIMATORS = {
    "transformer": AutoencoderTransformer(8, hidden_layer_sizes=(64, 32), max_iter=8, random_state=0),
    "denoising": AutoencoderOutlierDetector(random_state=0),
    "reconstruction": AutoencoderOutlierDetector(
        method="reconstruction", n_components=3, hidden_layer_sizes=(32,), max_iter=3, random_state=0
    ),
}
each_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)


@pytest.fixture(scope="module")
def few(digits):
    """Training and test rows, as many as a detector of 64 features needs to do without folds."""
    return digits[0][:640], digits[1]


def fit(estimator, X, dtype, **parameters):
    return clone(estimator).set_params(dtype=dtype, **parameters).fit(X)


def network_weights(state):
    """The arrays called "weights" in nested state."""
    for name, value in state.items():
        if isinstance(value, dict):
            yield from network_weights(value)
        elif name == "weights":
            yield value


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_reconstructs_as_float32_does(digits):
    X, X_test = digits
    anchor, full, low = (
        fit(ESTIMATORS["transformer"], X, dtype, **parameters).score(X_test)
        for dtype, parameters in [("float32", {"max_iter": 0}), ("float32", {}), ("bfloat16", {})]
    )
    assert full > anchor + 0.05  # there is something to lose
    assert low == pytest.approx(full, abs=0.01)
    assert low != full


@pytest.mark.slow
def test_ranks_outliers_as_float32_does(digits):
    X, X_test = digits
    full, low = (
        fit(ESTIMATORS["denoising"], X[:700], dtype).score_samples(X_test) for dtype in ("float32", "bfloat16")
    )
    # Another seed of the noise alone changes as much.
    assert spearmanr(full, low).statistic > 0.98


@each_estimator
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
class TestBfloat16:
    def test_the_start_is_exact(self, estimator, few):
        X, X_test = few
        full, low = (fit(estimator, X, dtype, max_iter=0) for dtype in ("float32", "bfloat16"))
        np.testing.assert_array_equal(low.score_samples(X_test), full.score_samples(X_test))
        np.testing.assert_array_equal(low.transform(X_test), full.transform(X_test))
        losses = (fit(estimator, X, dtype, max_iter=1).initial_loss_ for dtype in ("float32", "bfloat16"))
        assert next(losses) == next(losses)

    def test_weights_kept_are_float32(self, estimator, few):
        model = fit(estimator, few[0], "bfloat16", max_iter=1)
        [weights] = network_weights(model.__getstate__())
        assert weights.dtype == np.float32
        kept = torch.from_numpy(weights)
        assert not torch.equal(kept, kept.bfloat16().float())

    def test_corruption_may_be_a_function(self, estimator, few):
        if "corruption" not in estimator.get_params():
            pytest.skip("detectors have no corruption")
        model = clone(estimator).set_params(corruption=lambda rows, rng: rows * (rng.uniform(size=rows.shape) > 0.1))
        fitted = model.set_params(dtype="bfloat16", max_iter=1).fit(few[0])
        assert np.isfinite(fitted.transform(few[1])).all()

    def test_same_seed_same_result(self, estimator, few):
        X, X_test = few
        first, second = (fit(estimator, X, "bfloat16", max_iter=1) for _ in range(2))
        np.testing.assert_array_equal(first.score_samples(X_test), second.score_samples(X_test))

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "activation",
        ["silu", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("relu", "gelu", "tanh", "identity"))],
    )
    def test_every_activation_trains_alike(self, estimator, activation, few):
        X, settings = few[0], {"activation": activation, "batch_size": 32, "max_iter": 6}
        full, low = (fit(estimator, X, dtype, **settings) for dtype in ("float32", "bfloat16"))
        # bfloat16 rounds by up to 1/256; over the rows of a batch most of that is averaged out.
        np.testing.assert_allclose(low.loss_curve_, full.loss_curve_, rtol=0.01)
        assert low.loss_curve_ != full.loss_curve_

    @pytest.mark.slow
    def test_weights_of_rows_count_alike(self, estimator, few):
        X, weight = few[0], np.random.RandomState(0).uniform(0.0, 2.0, size=len(few[0]))
        full, low = (
            clone(estimator).set_params(dtype=dtype, batch_size=32, max_iter=6).fit(X, sample_weight=weight)
            for dtype in ("float32", "bfloat16")
        )
        # Which rows of a batch denoisers leave out, and with them the loss, can turn on a rounding.
        np.testing.assert_allclose(low.loss_curve_, full.loss_curve_, rtol=0.03)
