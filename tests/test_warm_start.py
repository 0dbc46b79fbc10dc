"""Fits that set out from the weights of the last one."""

from dataclasses import replace

import numpy as np
import pytest
from family_cases import Dense, short
from sklearn.base import clone
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer, _base_anchored
from skae._earlier import aligned
from skae._fitted import FittedAutoencoder
from skae._model._linear_anchor import LinearAnchor
from skae._numerics._principal_axes import principal_axes

pytestmark = short


def model(**parameters):
    return AutoencoderTransformer(**{"n_components": 8, "random_state": 0} | parameters)


def test_goes_on_where_the_last_fit_ended(digits):
    X, X_test = digits
    warm = model(warm_start=True).fit(X)
    before = warm.score(X_test)
    warm.set_params(max_iter=2).fit(X)
    assert warm.score(X_test) >= before - 1e-6
    assert clone(warm).fit(X).score(X_test) < before - 0.05


@pytest.mark.parametrize("parameters", [{"n_components": 0.8}, {"n_components": 0.8, "ordered": True}], ids=str)
def test_the_length_of_a_code_stays_where_a_share_decided_it(digits, parameters):
    warm = model(**parameters, max_iter=5, warm_start=True).fit(digits[0])
    length = warm.n_components_
    assert warm.fit(digits[0][:300]).n_components_ == length
    assert warm.transform(digits[1]).shape[1] == length


def test_the_first_fit_is_a_cold_one(digits):
    X = digits[0][:300]
    np.testing.assert_array_equal(model(warm_start=True).fit(X).transform(X), model().fit(X).transform(X))


def test_without_it_nothing_is_left_of_the_last_fit(digits):
    X, other = digits[0][:300], digits[0][300:600]
    np.testing.assert_array_equal(model().fit(other).fit(X).transform(X), model().fit(X).transform(X))


@pytest.mark.parametrize(
    "parameters", [{}, {"whiten": True}, {"scale": True}, {"sparsity": 0.05}, {"network": Dense}], ids=str
)
def test_weights_still_fit_when_axes_change(digits, parameters):
    assert gain_of_old_weights(digits[0][:1000], digits[0][300:], parameters) > 0.1


def test_weights_do_not_fit_as_well_without_rotation(digits, monkeypatch):
    rows = digits[0][:1000], digits[0][300:]
    rotated = gain_of_old_weights(*rows, {})
    monkeypatch.setattr(_base_anchored, "aligned", lambda anchor, *_, **__: anchor)
    assert gain_of_old_weights(*rows, {}) < 0.7 * rotated


@pytest.mark.parametrize("parameters", [{"ordered": True}, {"variational": True}], ids=str)
def test_weights_of_codes_that_must_not_be_rotated_fit_similar_rows(digits, parameters):
    assert gain_of_old_weights(digits[0], digits[0][100:], parameters) > 0.05


def test_a_sparse_code_keeps_its_atoms(digits):
    X, other = digits[0][:600], digits[0][600:]
    warm = model(n_components=32, sparsity=2, warm_start=True).fit(X)
    atoms, score = warm._state["encoder_axes"], warm.score(other)
    products = warm._state["decoder_axes"] @ warm._state["decoder_axes"].T
    assert np.abs(products - np.diag(np.diag(products))).max() > 0.1  # axes would be orthogonal
    warm.set_params(max_iter=0).fit(other)
    directions = [axes / np.linalg.norm(axes, axis=0) for axes in (warm._state["encoder_axes"], atoms)]
    np.testing.assert_allclose(*directions, atol=1e-10)
    assert warm.score(other) > score - 0.05


def gain_of_old_weights(X, other, parameters):
    """Share of PCA's loss on rows of `other` that weights trained on X remove."""
    warm = model(warm_start=True, max_iter=20, **parameters).fit(X)
    warm.set_params(max_iter=1, learning_rate_init=1e-9).fit(other)
    assert len(warm.validation_loss_curve_) == 2
    return 1 - warm.best_loss_ / warm.pca_loss_


@pytest.mark.parametrize("parameters", [{}, {"whiten": True}, {"ordered": True}], ids=str)
def test_without_training_codes_are_pcas_whatever_came_before(digits, parameters):
    X, other = digits[0][:700], digits[0][700:]
    warm = model(warm_start=True, max_iter=20, dtype="float64", **parameters).fit(other)
    untrained = AutoencoderTransformer(8, max_iter=0, dtype="float64", **parameters).fit(X)
    warm.set_params(max_iter=3, solver="sgd", learning_rate_init=1e-12, early_stopping=0.1)
    warm._state = warm._state | {"weights": np.zeros_like(warm._state["weights"])}
    warm.fit(X)
    assert not np.allclose(warm._state["encoder_axes"], untrained._state["encoder_axes"], atol=0.01)
    np.testing.assert_allclose(warm.transform(X), untrained.transform(X), atol=1e-6)
    np.testing.assert_allclose(warm.components_, PCA(8, svd_solver="full").fit(X).components_, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_components": 3}, "n_components was 8 and is now 3"),
        ({"hidden_layer_sizes": (10,)}, "hidden_layer_sizes was"),
        ({"activation": "relu"}, "activation was 'silu' and is now 'relu'"),
        ({"ordered": True}, "ordered was False and is now True"),
        ({"network": Dense}, "network was None and is now"),
        ({"loss": "huber"}, "loss was 'squared_error' and is now 'huber'"),
        ({"sparsity": 0.1}, "sparsity was None and is now 0.1"),
        ({"corruption": "masking"}, "whether entries are missing or hidden was False"),
    ],
)
def test_another_architecture_is_an_error_that_changes_nothing(digits, change, message):
    warm = model(warm_start=True, max_iter=1).fit(digits[0][:300])
    before = dict(vars(warm))
    with pytest.raises(ValueError, match=message):
        warm.set_params(**change).fit(digits[0])
    assert vars(warm) == before | change


@pytest.mark.parametrize(
    ("parameters", "change"),
    [({"variational": True}, {"beta": 0.9}), ({"sparsity": 0.1}, {"sparsity": 0.3})],
    ids=str,
)
def test_a_penalty_may_change_between_fits(digits, parameters, change):
    X = digits[0][:300]
    warm = model(**parameters, warm_start=True, max_iter=5).fit(X)
    weights = warm._state["weights"]
    warm.set_params(**change, learning_rate_init=1e-12).fit(X)
    np.testing.assert_allclose(warm._state["weights"], weights, atol=1e-6)
    assert np.abs(weights).max() > 0.01
    assert all(warm._fitted.architecture[name] == value for name, value in change.items())


def test_another_number_of_features(digits):
    warm = model(warm_start=True, max_iter=1).fit(digits[0][:300])
    with pytest.raises(ValueError, match="X has 63 features, but AutoencoderTransformer is expecting 64"):
        warm.fit(digits[0][:, 1:])


class TestAligned:
    RNG = np.random.RandomState(0)
    X = RNG.normal(size=(400, 6)) * [3.0, 2.9, 2.8, 1.0, 0.9, 0.8] @ np.linalg.qr(RNG.normal(size=(6, 6)))[0]

    def axes(self, rows):
        return principal_axes(rows, 3, random_state=self.RNG)

    @pytest.mark.parametrize("signs_only", [False, True])
    def test_codes_agree_with_earlier_ones(self, signs_only):
        """Nearly equal variances: the axes of two halves differ by a rotation, their span hardly."""
        model = AutoencoderTransformer(3, max_iter=0, dtype="float64").fit(self.X[:200])
        earlier = FittedAutoencoder(**model._state)
        axes = self.axes(self.X[200:])
        anchor = LinearAnchor.from_axes(axes)

        def distance(anchor):
            before = (self.X - earlier.mean) / (earlier.scale * earlier.unit) @ earlier.encoder_axes
            return np.square((self.X - axes.mean) / anchor.unit @ anchor.encoder_axes - before).mean()

        rotated = aligned(anchor, axes, earlier, signs_only=signs_only)
        np.testing.assert_allclose(rotated.rotation @ rotated.rotation.T, np.eye(3), atol=1e-12)
        assert distance(rotated) <= distance(anchor)
        if signs_only:
            np.testing.assert_array_equal(np.abs(rotated.rotation), np.eye(3))
        else:
            assert distance(rotated) < 0.1

    def test_units_do_not_matter(self):
        X = np.random.RandomState(1).normal(size=(2000, 4)) * [3.0, 2.9, 1.0, 0.9]
        earlier = FittedAutoencoder(**AutoencoderTransformer(2, max_iter=0, dtype="float64").fit(X)._state)
        units = np.array([1e-3, 1.0, 1.0, 1e3])
        other = replace(
            earlier,
            scale=earlier.scale * units,
            encoder_axes=earlier.encoder_axes * units[:, np.newaxis],
            decoder_axes=earlier.decoder_axes / units,
        )
        axes = principal_axes(X, 2, random_state=self.RNG)
        anchor = LinearAnchor.from_axes(axes).rotated(np.linalg.qr(np.random.RandomState(3).normal(size=(2, 2)))[0])
        first, second = (aligned(anchor, axes, before, signs_only=False).encoder_axes for before in (earlier, other))
        np.testing.assert_allclose(second, first, atol=1e-9)

    def test_the_autoencoder_is_the_same_and_scores_are_pcas(self):
        axes = self.axes(self.X)
        anchor = LinearAnchor.from_axes(axes)
        rotated = anchor.rotated(np.linalg.qr(self.RNG.normal(size=(3, 3)))[0])
        np.testing.assert_allclose(
            rotated.encoder_axes @ rotated.decoder_axes, anchor.encoder_axes @ anchor.decoder_axes, atol=1e-12
        )
        np.testing.assert_allclose(
            rotated.encoder_axes @ rotated.score_map(3), anchor.encoder_axes @ anchor.score_map(3)
        )


def test_atoms_keep_their_directions_in_the_units_of_X(digits):
    X, other = digits[0][:600], digits[0][600:] * np.linspace(0.5, 2.0, 64)
    warm = model(n_components=32, sparsity=2, scale=True, max_iter=1, warm_start=True).fit(X)
    atoms = warm._state["decoder_axes"] * warm.scale_
    warm.set_params(max_iter=0).fit(other)
    both = (warm._state["decoder_axes"] * warm.scale_, atoms)
    np.testing.assert_allclose(*(rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in both), atol=1e-9)
