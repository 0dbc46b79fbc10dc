"""Codes stand where the estimator puts them, in the colours of what is known."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skae import (
    AutoencoderTransformer,
    LatentSpaceDisplay,
)

pd = pytest.importorskip("pandas")


def test_codes_are_the_estimators(transformer, frame):
    display = LatentSpaceDisplay.from_estimator(transformer, frame)
    codes = transformer.transform(frame)
    np.testing.assert_array_equal(display.codes, codes)
    np.testing.assert_array_equal(display.scatter_.get_offsets(), codes[:, :2])
    assert "first 2 of 3 columns" in display.ax_.get_title()
    assert display.colorbar_ is None


@pytest.mark.parametrize("estimator", ["transformer", "detector"])
def test_codes_coloured_by_error(estimator, request, frame):
    estimator = request.getfixturevalue(estimator)
    display = LatentSpaceDisplay.from_estimator(estimator, frame, color_by="error")
    errors = -estimator.score_samples(frame)
    np.testing.assert_array_equal(display.y, errors)
    np.testing.assert_array_equal(display.scatter_.get_array(), errors)
    assert display.scatter_.norm.vmax == np.quantile(errors, 0.98)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({}, "squared reconstruction error"),
        ({"loss": "absolute_error"}, "absolute reconstruction error"),
        ({"loss": "huber"}, "Huber loss of the reconstruction"),
        ({"loss": "binary_cross_entropy"}, "binary cross-entropy (nats)"),
        ({"loss": "poisson"}, "half the Poisson deviance (nats)"),
        ({"code": "variational"}, "negative evidence lower bound (nats)"),
        ({"code": "variational", "loss": "poisson"}, "negative evidence lower bound (nats)"),
    ],
)
def test_errors_are_called_what_they_are_in_and_out_of_a_pipeline(parameters, name, frame):
    scaler = MinMaxScaler(clip=True)
    X = scaler.fit_transform(frame)
    model = AutoencoderTransformer(2, max_iter=0, random_state=0, **parameters).fit(X)
    display = LatentSpaceDisplay.from_estimator(model, X, color_by="error")
    assert display.colorbar_.ax.get_ylabel() == name
    pipeline = make_pipeline(scaler, model).fit(frame)
    assert LatentSpaceDisplay.from_estimator(pipeline, frame, color_by="error").y_name == name


def test_scores_of_others_are_called_scores(detector, frame):
    for estimator in (detector, PCA(2).fit(frame), make_pipeline(MinMaxScaler(), PCA(2)).fit(frame)):
        assert LatentSpaceDisplay.from_estimator(estimator, frame, color_by="error").y_name == "−score_samples"


def test_codes_of_rows_with_missing_entries(frame):
    X = np.where(np.random.RandomState(0).uniform(size=frame.shape) < 0.2, np.nan, frame)
    model = AutoencoderTransformer(2, max_iter=0, random_state=0).fit(X)
    display = LatentSpaceDisplay.from_estimator(model, X, color_by="error")
    np.testing.assert_array_equal(display.scatter_.get_offsets(), model.transform(X))
    np.testing.assert_array_equal(display.scatter_.get_array(), -model.score_samples(X))


@pytest.mark.parametrize(
    "y",
    [
        [0, 1, 2] * 40,
        [0.0, 1.0, 2.0] * 40,
        ["a", "b", "c"] * 40,
        pd.Series(["a", "b", "c"] * 40, dtype="category"),
        [[0], [1], [2]] * 40,
    ],
)
def test_classes_have_a_colour_each(y, transformer, frame):
    display = LatentSpaceDisplay.from_estimator(transformer, frame, y)
    assert display.classes_.tolist() == np.unique(np.asarray(y)).tolist()
    display.figure_.draw_without_rendering()
    assert len({tuple(color[:3]) for color in display.scatter_.get_facecolors()}) == 3
    labels = [label.get_text() for label in display.colorbar_.ax.get_yticklabels()]
    assert labels == [str(name) for name in display.classes_]


def test_quantities_have_a_scale(transformer, frame):
    y = pd.Series(np.linspace(0, 1, len(frame)), name="yield")
    display = LatentSpaceDisplay.from_estimator(transformer, frame, y)
    assert display.classes_ is None
    assert display.colorbar_.ax.get_ylabel() == "yield"
    assert (display.scatter_.norm.vmin, display.scatter_.norm.vmax) == (0, 1)
    assert LatentSpaceDisplay.from_predictions(display.codes, np.arange(len(frame))).classes_ is None


def test_codes_of_one_column():
    rng = np.random.RandomState(0)
    codes = rng.normal(size=(60, 1))
    plain = LatentSpaceDisplay.from_predictions(codes)
    assert sum(bar.get_height() for bar in plain.histogram_) == 60
    strips = LatentSpaceDisplay.from_predictions(codes, ["a", "b"] * 30)
    heights = strips.scatter_.get_offsets()[:, 1]
    assert np.round(heights).astype(int).tolist() == [0, 1] * 30
    assert [label.get_text() for label in strips.ax_.get_yticklabels()] == ["a", "b"]
    values = rng.normal(size=60)
    against = LatentSpaceDisplay.from_predictions(codes, values, y_name="mass (kg)")
    np.testing.assert_array_equal(against.scatter_.get_offsets()[:, 1], values)
    assert against.ax_.get_ylabel() == "mass (kg)"


def test_many_classes_share_the_colorbar():
    names = [f"class {index:02d}" for index in range(45)]
    display = LatentSpaceDisplay.from_predictions(np.random.RandomState(0).normal(size=(45, 2)), names)
    assert len(display.colorbar_.ax.get_yticklabels()) <= 20
    assert display.scatter_.cmap.N == 45


@pytest.mark.parametrize("n_rows", [10, 10_000])
def test_marks_fit_their_number(n_rows):
    display = LatentSpaceDisplay.from_predictions(np.random.RandomState(0).normal(size=(n_rows, 2)))
    assert display.scatter_.get_rasterized() is (n_rows == 10_000)
    inked = n_rows * display.scatter_.get_sizes()[0] * display.scatter_.get_alpha()
    # Points square of the axes, at the default size.
    assert 100 < inked < 0.5 * 357 * 266


def test_latent_space_refuses_what_does_not_fit(transformer, frame):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LatentSpaceDisplay.from_estimator(transformer, frame, [0, 1])
    with pytest.raises(ValueError, match=r"y should be a 1d array, got an array of shape \(120, 2\)"):
        LatentSpaceDisplay.from_estimator(transformer, frame, np.zeros((120, 2)))
    with pytest.raises(ValueError, match=r"The 'color_by' parameter of LatentSpaceDisplay must be one of"):
        LatentSpaceDisplay.from_estimator(transformer, frame, color_by="errors")
