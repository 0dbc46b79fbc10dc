"""Fits that start from the weights of the last one."""

import numpy as np
import pytest
from family_cases import Dense, short
from sklearn.base import clone
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer

pytestmark = short


def model(**parameters):
    return AutoencoderTransformer(**{"n_components": 8, "random_state": 0} | parameters)


@pytest.mark.slow
def test_goes_on_where_the_last_fit_ended(digits):
    X, X_test = digits
    warm = model(warm_start=True).fit(X)
    before = warm.score(X_test)
    warm.set_params(max_iter=2).fit(X)
    assert warm.score(X_test) >= before - 1e-6
    assert clone(warm).fit(X).score(X_test) < before - 0.05


@pytest.mark.parametrize("parameters", [{"n_components": 0.8}, {"n_components": 0.8, "code": "ordered"}], ids=str)
def test_the_length_of_a_code_stays_where_a_share_decided_it(digits, parameters):
    warm = model(**parameters, max_iter=5, warm_start=True).fit(digits[0])
    length = warm.n_components_
    assert warm.fit(digits[0][:300]).n_components_ == length
    assert warm.transform(digits[1]).shape[1] == length


@pytest.mark.slow
def test_the_first_fit_is_a_cold_one(digits):
    X = digits[0][:300]
    np.testing.assert_array_equal(model(warm_start=True).fit(X).transform(X), model().fit(X).transform(X))


@pytest.mark.slow
def test_without_it_nothing_is_left_of_the_last_fit(digits):
    X, other = digits[0][:300], digits[0][300:600]
    np.testing.assert_array_equal(model().fit(other).fit(X).transform(X), model().fit(X).transform(X))


@pytest.mark.parametrize(
    "parameters", [{}, {"whiten": True}, {"scale": True}, {"loss": "huber"}, {"network": Dense}], ids=str
)
@pytest.mark.slow
def test_weights_still_fit_when_axes_change(digits, parameters):
    assert gain_of_old_weights(digits[0][:1000], digits[0][300:], parameters) > 0.1


@pytest.mark.parametrize("parameters", [{"code": "ordered"}, {"code": "variational"}], ids=str)
@pytest.mark.slow
def test_weights_of_codes_that_must_not_be_rotated_fit_similar_rows(digits, parameters):
    assert gain_of_old_weights(digits[0], digits[0][100:], parameters) > 0.05


@pytest.mark.parametrize("scale", [False, True])
def test_a_sparse_code_keeps_its_atoms(digits, scale):
    """In the units of X the decoder's directions stay what they were, though PCA's axes change."""
    X, other = digits[0][:600], digits[0][600:] * np.linspace(0.5, 2.0, 64)
    warm = model(n_components=32, code="sparse", n_nonzero=2, scale=scale, max_iter=0, warm_start=True).fit(X)
    atoms, score = directions(warm), warm.score(other)
    products = atoms @ atoms.T
    assert np.abs(products - np.eye(32)).max() > 0.1  # axes would be orthogonal
    warm.fit(other)
    np.testing.assert_allclose(directions(warm), atoms, atol=1e-6)
    assert warm.score(other) > score - 0.05


def directions(untrained):
    """What a step along each component does to a reconstruction, at length one; the decoder must be linear."""
    atoms = untrained.inverse_transform(np.eye(32)) - untrained.inverse_transform(np.zeros((1, 32)))
    return atoms / np.linalg.norm(atoms, axis=1, keepdims=True)


def gain_of_old_weights(X, other, parameters):
    """Share of PCA's loss on rows of `other` that weights trained on X remove."""
    warm = model(warm_start=True, max_iter=20, **parameters).fit(X)
    warm.set_params(max_iter=1, learning_rate_init=1e-9).fit(other)
    assert len(warm.validation_loss_curve_) == 2
    return 1 - warm.best_loss_ / warm.initial_loss_


@pytest.mark.parametrize("parameters", [{}, {"whiten": True}, {"code": "ordered"}], ids=str)
def test_without_training_codes_are_pcas_whatever_came_before(digits, parameters):
    X, other = digits[0][:700], digits[0][700:]
    warm = model(warm_start=True, max_iter=0, dtype="float64", **parameters).fit(other)
    untrained = AutoencoderTransformer(8, max_iter=0, dtype="float64", **parameters).fit(X)
    # Steps far too small to be seen: the path from the last fit to this one is taken all the same.
    warm.set_params(max_iter=3, learning_rate_init=1e-12, early_stopping=0.1).fit(X)
    np.testing.assert_allclose(warm.transform(X), untrained.transform(X), atol=1e-6)
    np.testing.assert_allclose(warm.components_, PCA(8, svd_solver="full").fit(X).components_, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_components": 3}, "n_components was 8 and is now 3"),
        ({"hidden_layer_sizes": (10,)}, "hidden_layer_sizes was"),
        ({"activation": "relu"}, "activation was 'silu' and is now 'relu'"),
        ({"code": "ordered"}, "code was 'dense' and is now 'ordered'"),
        ({"network": Dense}, "network was None and is now"),
        ({"loss": "huber"}, "loss was 'squared_error' and is now 'huber'"),
        ({"code": "sparse", "n_nonzero": 2}, "code was 'dense' and is now 'sparse'"),
        ({"corruption": "masking"}, "whether entries are missing or masked was False"),
    ],
)
def test_another_architecture_is_an_error_that_changes_nothing(digits, change, message):
    warm = model(warm_start=True, max_iter=1).fit(digits[0][:300])
    before = dict(vars(warm))
    with pytest.raises(ValueError, match=message):
        warm.set_params(**change).fit(digits[0])
    assert vars(warm) == before | change


def test_the_same_layers_may_be_given_in_another_way(digits):
    warm = model(warm_start=True, max_iter=1, hidden_layer_sizes=16).fit(digits[0][:300])
    for sizes in ([16], np.array([16]), (16,)):
        warm.set_params(hidden_layer_sizes=sizes).fit(digits[0][:300])
        warm.partial_fit(digits[0][:300])
    with pytest.raises(ValueError, match=r"hidden_layer_sizes was \(16,\) and is now \(16, 8\)"):
        warm.set_params(hidden_layer_sizes=np.array([16, 8])).fit(digits[0][:300])


def test_another_number_of_nonzero_components_is_an_error(digits):
    warm = model(code="sparse", n_nonzero=2, warm_start=True, max_iter=1).fit(digits[0][:300])
    with pytest.raises(ValueError, match="n_nonzero was 2 and is now 3"):
        warm.set_params(n_nonzero=3).fit(digits[0])


def test_beta_may_change_between_fits(digits):
    X = digits[0][:300]
    warm = model(code="variational", warm_start=True, max_iter=5).fit(X)
    before, cold = warm.transform(X), model(code="variational", max_iter=0).fit(X).transform(X)
    warm.set_params(beta=0.9, learning_rate_init=1e-12).fit(X)
    np.testing.assert_allclose(warm.transform(X), before, atol=1e-4)
    assert np.abs(before - cold).max() > 0.1


def test_another_number_of_features(digits):
    warm = model(warm_start=True, max_iter=1).fit(digits[0][:300])
    with pytest.raises(ValueError, match="X has 63 features, but AutoencoderTransformer is expecting 64"):
        warm.fit(digits[0][:, 1:])
