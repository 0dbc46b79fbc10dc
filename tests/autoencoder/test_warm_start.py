"""The rotation that makes new codes match those of a previous fit."""

from dataclasses import replace

import numpy as np
import pytest
from family_cases import short

from skae import AutoencoderTransformer
from skae._autoencoder import _closed_form
from skae._autoencoder._linear import LinearAutoencoder
from skae._autoencoder._warm_start import aligned
from skae._linalg._principal_axes import principal_axes
from skae._rows._row_source import RowSource

RNG = np.random.RandomState(0)
X = RNG.normal(size=(400, 6)) * [3.0, 2.9, 2.8, 1.0, 0.9, 0.8] @ np.linalg.qr(RNG.normal(size=(6, 6)))[0]


def fitted_autoencoder(rows, n_components, **parameters):
    return AutoencoderTransformer(n_components, max_iter=0, dtype="float64", **parameters).fit(rows)._fitted


def axes_of(rows, n_components=3):
    return principal_axes(RowSource(rows), n_components, random_state=RNG)


@pytest.mark.parametrize("code", ["dense", "ordered"])
def test_codes_agree_with_previous_ones(code):
    """Nearly equal variances: the axes of two halves differ by a rotation, their span hardly."""
    previous = fitted_autoencoder(X[:200], 3, code=code)
    axes = axes_of(X[200:])
    linear = LinearAutoencoder.pca(axes)

    def codes(linear):
        return (X - linear.mean) / linear.scale @ linear.encoder_axes

    def distance(linear):
        return np.square(codes(linear) - codes(previous.linear)).mean()

    rotated = aligned(linear, axes, previous)
    np.testing.assert_allclose(rotated.rotation @ rotated.rotation.T, np.eye(3), atol=1e-12)
    assert distance(rotated) <= distance(linear)
    if code == "ordered":  # components that must not be mixed: signs only
        np.testing.assert_array_equal(np.abs(rotated.rotation), np.eye(3))
    else:
        assert distance(rotated) < 0.1


def test_units_do_not_matter():
    rows = np.random.RandomState(1).normal(size=(2000, 4)) * [3.0, 2.9, 1.0, 0.9]
    previous = fitted_autoencoder(rows, 2)
    units = np.array([1e-3, 1.0, 1.0, 1e3])
    other = replace(
        previous,
        linear=replace(
            previous.linear,
            scale=previous.linear.scale * units,
            encoder_axes=previous.linear.encoder_axes * units[:, np.newaxis],
            decoder_axes=previous.linear.decoder_axes / units,
        ),
    )
    axes = axes_of(rows, 2)
    linear = LinearAutoencoder.pca(axes).rotated(np.linalg.qr(np.random.RandomState(3).normal(size=(2, 2)))[0])
    first, second = (aligned(linear, axes, before).encoder_axes for before in (previous, other))
    np.testing.assert_allclose(second, first, atol=1e-9)


def test_a_rotated_autoencoder_is_the_same_and_scores_are_pcas():
    linear = LinearAutoencoder.pca(axes_of(X))
    rotated = linear.rotated(np.linalg.qr(RNG.normal(size=(3, 3)))[0])
    np.testing.assert_allclose(
        rotated.encoder_axes @ rotated.decoder_axes, linear.encoder_axes @ linear.decoder_axes, atol=1e-12
    )
    np.testing.assert_allclose(rotated.encoder_axes @ rotated.score_map(), linear.encoder_axes @ linear.score_map())


@short
@pytest.mark.slow
def test_weights_do_not_fit_as_well_without_rotation(digits, monkeypatch):
    def gain_of_old_weights():
        """Share of PCA's loss on other rows that weights trained on the first ones remove."""
        warm = AutoencoderTransformer(8, warm_start=True, max_iter=20, random_state=0).fit(digits[0][:1000])
        warm.set_params(max_iter=1, learning_rate_init=1e-9).fit(digits[0][300:])
        return 1 - warm.best_loss_ / warm.initial_loss_

    rotated = gain_of_old_weights()
    monkeypatch.setattr(_closed_form, "aligned", lambda linear, *_: linear)
    assert gain_of_old_weights() < 0.7 * rotated
