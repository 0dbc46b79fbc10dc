"""Rows and images are drawn beside their reconstructions and errors."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.decomposition import PCA

from skae import (
    AutoencoderTransformer,
    ReconstructionDisplay,
)

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")


@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame, pl.DataFrame, sparse.csr_array])
def test_reconstructions_are_the_estimators(container, frame):
    X = frame.to_numpy()
    rows = container(X)
    estimator = AutoencoderTransformer(max_iter=0, random_state=0).fit(rows)
    display = ReconstructionDisplay.from_estimator(estimator, rows, standardize=False)
    np.testing.assert_array_equal(display.X, X)
    np.testing.assert_array_equal(display.X_reconstructed, estimator.reconstruct(rows))
    # Both are computed in float64, as so few rows are; the estimator's in standardised units.
    np.testing.assert_allclose(np.square(display.errors) * X.shape[1], -estimator.score_samples(rows), rtol=1e-9)


def test_errors_of_tabular_rows_are_in_standard_deviations(frame):
    # scale=True: the estimator measures in the same units.
    estimator = AutoencoderTransformer(scale=True, random_state=0).fit(frame)
    display = ReconstructionDisplay.from_estimator(estimator, frame)
    np.testing.assert_allclose(display.feature_scale, estimator.scale_)
    np.testing.assert_allclose(np.square(display.errors) * frame.shape[1], -estimator.score_samples(frame), rtol=1e-9)
    assert list(display.feature_names) == list(frame.columns)
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == list(frame.columns)
    assert len(display.lines_) == 16


def test_images_stand_above_their_reconstructions(digits):
    X = digits[1][:20]
    pca = PCA(4).fit(X)
    display = ReconstructionDisplay.from_estimator(pca, X, image_shape=(8, 8), rows="first", n_rows=3)
    canvas = np.asarray(display.image_.get_array().filled(np.nan))
    np.testing.assert_array_equal(canvas[1:9, 1:9], X[0].reshape(8, 8))
    np.testing.assert_allclose(canvas[10:18, 19:27], pca.inverse_transform(pca.transform(X))[2].reshape(8, 8))
    assert np.isnan(canvas[9]).all()
    errors = [f"{error:.3g}" for error in display.errors[:3]]
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == errors
    assert display.feature_scale is None


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_with_channels(channels):
    rng = np.random.RandomState(0)
    X = rng.randint(0, 256, size=(4, 6 * 5 * channels)).astype(float)
    X[0, 0], X[1, 0] = 0, 255
    display = ReconstructionDisplay.from_predictions(X, X, image_shape=(6, 5, channels), rows="first")
    drawn = np.asarray(display.image_.get_array())
    if channels == 1:
        np.testing.assert_array_equal(drawn[1:7, 1:6], X[0].reshape(6, 5))
    else:
        np.testing.assert_allclose(drawn[1:7, 1:6, :channels], X[0].reshape(6, 5, channels) / 255)
        assert (drawn[0, :, 3] == 0).all()
    assert display.errors.tolist() == [0] * 4


@pytest.mark.parametrize("n_features", [32, 33])
def test_names_of_many_features_give_way_to_one_word(n_features):
    X = np.random.RandomState(0).normal(size=(3, n_features))
    names = [f"x{j}" for j in range(n_features)]
    display = ReconstructionDisplay.from_predictions(pd.DataFrame(X, columns=names), X / 2)
    named = [label.get_text() for label in display.ax_.get_xticklabels()] == names
    assert (named, display.ax_.get_xlabel()) == ((True, "") if n_features == 32 else (False, "feature"))


def test_which_rows_are_shown():
    X = np.zeros((11, 4))
    reconstructed = np.repeat([[3], [9], [1], [0], [10], [2], [4], [5], [6], [7], [8]], 4, axis=1).astype(float)
    display = ReconstructionDisplay.from_predictions(X, reconstructed, n_rows=3)
    assert display.errors[display.shown_].tolist() == [0, 5, 10]
    assert display.plot(rows="largest", n_rows=2).shown_.tolist() == [4, 1]
    assert display.plot(rows="first", n_rows=2).shown_.tolist() == [0, 1]
    assert display.plot(n_rows=99).shown_.size == 11


@pytest.fixture(scope="module")
def incomplete(frame):
    """Rows that lack a fifth of their entries; one of them lacks all."""
    X = frame.to_numpy().copy()
    X[np.random.RandomState(0).uniform(size=X.shape) < 0.2] = np.nan
    X[3] = np.nan
    return X


def test_missing_entries_are_gaps_and_do_not_count(incomplete):
    model = AutoencoderTransformer(3, scale=True, max_iter=0, random_state=0).fit(incomplete)
    display = ReconstructionDisplay.from_estimator(model, incomplete, rows="first", n_rows=5)
    missing = np.isnan(incomplete)
    np.testing.assert_allclose(display.feature_scale, model.scale_)
    squares = np.nan_to_num(np.square(display.errors)) * (~missing).sum(axis=1)
    np.testing.assert_allclose(squares, -model.score_samples(incomplete), rtol=1e-9)
    for row, (original, reconstructed) in enumerate(zip(display.lines_[::2], display.lines_[1::2], strict=True)):
        np.testing.assert_array_equal(np.isnan(original.get_ydata()), missing[row])
        assert np.isfinite(reconstructed.get_ydata()).all()
    assert np.isfinite(display.ax_.get_ylim()).all()
    assert display.ax_.get_yticklabels()[3].get_text() == "nan"


def test_rows_without_an_error_are_neither_best_nor_worst(incomplete):
    incomplete = incomplete[:9]
    display = ReconstructionDisplay.from_predictions(incomplete, np.nan_to_num(incomplete) + 1.0, n_rows=99)
    assert np.flatnonzero(np.isnan(display.errors)).tolist() == [3]
    assert sorted(display.shown_) == [0, 1, 2, 4, 5, 6, 7, 8]
    assert "8 of 9 rows, best to worst" in display.ax_.get_title()
    assert 3 not in display.plot(rows="largest", n_rows=99).shown_
    assert 3 in display.plot(rows="first", n_rows=4).shown_


def test_a_feature_that_was_never_observed_is_drawn_about_its_reconstructions():
    X = np.random.RandomState(0).normal(size=(6, 4))
    reconstructed = X + 100.0
    X[:, 2] = np.nan
    display = ReconstructionDisplay.from_predictions(X, reconstructed, rows="first")
    assert display.feature_scale[2] == reconstructed[:, 2].std()
    drawn = np.array([line.get_ydata()[2] for line in display.lines_[1::2]])
    np.testing.assert_allclose((drawn + np.arange(6)).mean(), 0.0, atol=1e-9)


@pytest.mark.parametrize("n_features", [30, 40])
def test_a_single_observed_entry_is_seen(n_features):
    X = np.full((2, n_features), np.nan)
    X[0], X[1, 5] = 1.0, 2.0
    display = ReconstructionDisplay.from_predictions(X, np.ones(X.shape), rows="first")
    assert display.lines_[2].get_marker() == "."


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_missing_pixels_have_a_separate_colour(channels):
    X = np.random.RandomState(0).uniform(size=(2, 3 * 3 * channels))
    complete = X.copy()
    X[0, 4 * channels] = np.nan  # the middle of the first image, in one of its channels
    display = ReconstructionDisplay.from_predictions(X, complete, image_shape=(3, 3, channels), rows="first")
    below, images = display.ax_.images
    assert images is display.image_
    marked = np.argwhere(~np.ma.getmaskarray(below.get_array()))
    assert marked.tolist() == [[2, 2]]
    # One lies on the other, pixel by pixel, from the top left.
    assert below.get_extent()[::3] == images.get_extent()[::3] == [-0.5, -0.5]
    assert below.get_extent()[1] == images.get_extent()[1] == below.get_array().shape[1] - 0.5
    drawn = images.get_array()
    transparent = np.ma.getmaskarray(drawn) if channels == 1 else drawn[:, :, 3] == 0.0
    assert transparent[2, 2]
    assert not transparent[1, 1]
    assert not transparent[6, 2]
    assert display.errors.tolist() == [0.0, 0.0]
    assert display.ax_.get_ylim() == (8.5, -0.5)


def test_reconstruction_refuses_what_does_not_fit(digits):
    X = digits[1][:5]
    with pytest.raises(ValueError, match="X has no observed entry: all of them are NaN"):
        ReconstructionDisplay.from_predictions(np.full((3, 4), np.nan), np.zeros((3, 4)))
    with pytest.raises(ValueError, match="Input contains NaN"):
        ReconstructionDisplay.from_predictions(np.zeros((3, 4)), np.full((3, 4), np.nan))
    with pytest.raises(ValueError, match="contains infinity"):
        ReconstructionDisplay.from_predictions(np.full((3, 4), np.inf), np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"'image_shape' parameter of ReconstructionDisplay must be .* 64 numbers"):
        ReconstructionDisplay.from_predictions(X, X, image_shape=(8, 9))
    with pytest.raises(ValueError, match="but its reconstruction has shape"):
        ReconstructionDisplay.from_predictions(X, X[:, :3])
    with pytest.raises(ValueError, match=r"The 'rows' parameter of ReconstructionDisplay must be one of .* Got 'last'"):
        ReconstructionDisplay.from_predictions(X, X, rows="last")
    with pytest.raises(ValueError, match="The 'n_rows' parameter of ReconstructionDisplay must be an int >= 1"):
        ReconstructionDisplay.from_predictions(X, X, n_rows=0)
