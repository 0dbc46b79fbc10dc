"""Corrections of rows beyond those of training: they fade, and PCA is left."""

import numpy as np
import pytest
import torch
from family_cases import short

from skae import AutoencoderTransformer
from skae._autoencoder._training_range import TrainingRange

POINTS = torch.tensor([[0.0, 0.0], [6.0, 8.0], [0.0, 15.0], [-20.0, 0.0], [300.0, 400.0]], dtype=torch.float64)


def curve(n_rows, seed):
    rng = np.random.RandomState(seed)
    t = rng.uniform(-2, 2, size=(n_rows, 1))
    return np.hstack([t, t**2, np.sin(3 * t), np.cos(2 * t)]) + 0.05 * rng.normal(size=(n_rows, 4))


def test_the_factor_falls_from_twice_the_largest_norm_to_four_times():
    corrections = torch.ones(5, 3, dtype=torch.float64)
    faded = TrainingRange(row_norm=5.0).fade_rows(corrections, POINTS)
    torch.testing.assert_close(faded[:, 0], torch.tensor([1.0, 1.0, 0.5, 0.0, 0.0], dtype=torch.float64))
    torch.testing.assert_close(TrainingRange(code_norm=5.0).fade_codes(corrections, POINTS), faded)
    assert torch.equal(TrainingRange().fade_rows(corrections, POINTS), corrections)


@pytest.fixture(scope="module")
def fitted():
    return AutoencoderTransformer(2, random_state=0).fit(curve(400, 0))


@pytest.fixture(scope="module")
def pca():
    return AutoencoderTransformer(2, random_state=0, max_iter=0).fit(curve(400, 0))


def test_training_rows_are_within(fitted, pca):
    X = curve(400, 0)
    assert fitted.score(X) > pca.score(X) + 0.1
    limits = fitted._fitted.training_range
    x = torch.as_tensor((X - fitted._fitted.linear.mean) / fitted._fitted.linear.scale, dtype=torch.float32)
    assert limits.row_norm == pytest.approx(float(x.norm(dim=1).max()))
    codes = fitted.transform(X) @ fitted._fitted.code_map_inverse
    assert limits.code_norm == pytest.approx(np.linalg.norm(codes, axis=1).max())


@short
def test_of_many_rows_the_farthest_are_within():
    X = np.float32(curve(6000, 0))
    X[1234] *= 30.0
    fitted = AutoencoderTransformer(2, max_iter=2, random_state=0).fit(X)
    assert not np.allclose(fitted.transform(X), AutoencoderTransformer(2, max_iter=0).fit_transform(X))
    x = torch.as_tensor((X - fitted._fitted.linear.mean) / fitted._fitted.linear.scale, dtype=torch.float32)
    assert fitted._fitted.training_range.row_norm == pytest.approx(float(x.norm(dim=1).max()))


@pytest.mark.parametrize("factor", [20.0, 1e6])
def test_far_rows_are_reconstructed_as_by_pca(fitted, pca, factor):
    # In PCA's plane: the code of a row across it may be an ordinary one.
    far = pca.inverse_transform(factor * np.random.RandomState(1).choice([-1.0, 1.0], size=(20, 2)))
    np.testing.assert_allclose(fitted.reconstruct(far), pca.reconstruct(far), rtol=1e-4)


def test_a_code_far_out_is_decoded_as_by_pca(fitted, pca):
    codes = 1e3 * np.eye(2)
    linear = codes @ np.linalg.inv(fitted._fitted.code_map) @ fitted._fitted.linear.decoder_axes
    expected = linear * fitted._fitted.linear.scale + fitted._fitted.linear.mean
    np.testing.assert_allclose(fitted.inverse_transform(codes), expected, rtol=1e-5)


def test_rows_between_change_without_a_step(fitted):
    direction = curve(1, 2) - fitted.mean_
    reach = np.linspace(0.5, 30.0, 20_000)[:, np.newaxis]
    reconstructed = fitted.reconstruct(fitted.mean_ + reach * direction)
    assert np.abs(np.diff(reconstructed, axis=0)).max() < 0.1


def test_chunks_keep_the_range_of_those_before():
    wide, narrow = curve(300, 0), curve(300, 1)[np.abs(curve(300, 1)[:, 0]) < 0.5]
    model = AutoencoderTransformer(2, random_state=0).partial_fit(wide)
    before = model._fitted.training_range
    model.partial_fit(narrow)
    after = model._fitted.training_range
    assert after.row_norm * model._fitted.linear.unit > 0.9 * before.row_norm
    assert after.code_norm >= before.code_norm


def test_modules_fade_likewise(fitted):
    X = np.concatenate([curve(20, 1), 1.05 * curve(20, 2), 100.0 * curve(20, 3)])
    codes = fitted.transform(X)
    with torch.no_grad():
        np.testing.assert_allclose(fitted.encoder_module()(torch.as_tensor(X)), codes, rtol=1e-4, atol=1e-4)
        decoded = fitted.decoder_module()(torch.as_tensor(codes))
    np.testing.assert_allclose(decoded, fitted.inverse_transform(codes), rtol=1e-4, atol=1e-4)
