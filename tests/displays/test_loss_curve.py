"""The losses drawn are those of the estimator, starting with that of PCA."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    LossCurveDisplay,
)


def test_losses_are_the_estimators(transformer):
    display = LossCurveDisplay.from_estimator(transformer)
    assert display.loss_curve == transformer.loss_curve_
    assert display.validation_loss_curve == transformer.validation_loss_curve_
    assert display.initial_loss == transformer.initial_loss_
    np.testing.assert_array_equal(display.train_line_.get_ydata(), transformer.loss_curve_)
    assert display.train_line_.get_xdata()[0] == 1
    np.testing.assert_array_equal(display.validation_line_.get_ydata(), transformer.validation_loss_curve_)
    assert display.validation_line_.get_xdata()[0] == 0
    assert set(display.initial_line_.get_ydata()) == {transformer.initial_loss_}


def test_the_parameters_kept_are_marked(transformer):
    display = LossCurveDisplay.from_estimator(transformer)
    assert display.best_point_.get_ydata()[0] == transformer.best_loss_
    epoch = display.best_point_.get_xdata()[0]
    assert transformer.validation_loss_curve_[epoch] == transformer.best_loss_


def test_an_untrained_autoencoder_is_at_pca(frame):
    pca = AutoencoderTransformer(max_iter=0, random_state=0).fit(frame)
    display = LossCurveDisplay.from_estimator(pca)
    assert display.best_point_.get_xydata().tolist() == [[0, pca.initial_loss_]]
    assert "training rows" not in [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_a_curve_alone():
    display = LossCurveDisplay(loss_curve=[3.0, 2.0]).plot()
    assert [line.get_label() for line in display.ax_.lines] == ["training rows"]
    assert display.best_point_ is None


def test_without_a_hold_out_the_last_parameters_are_the_kept_ones(detector):
    display = LossCurveDisplay.from_estimator(detector)
    assert display.validation_line_ is None
    assert display.best_point_.get_xydata().tolist() == [[detector.n_iter_, detector.best_loss_]]
    assert display.initial_line_.get_label() == "Wiener filter, before training"
    assert display.train_line_.get_label() == "training rows, worst tenth left out"


@pytest.mark.parametrize(
    ("n_features", "start", "rows"),
    [
        (30, "marginal frequencies", "training rows"),
        (65, "Wiener filter", "training rows, worst tenth left out"),  # too many features for bins
    ],
)
def test_curves_of_a_novelty_detector_are_called_what_they_are(n_features, start, rows):
    X = np.random.RandomState(0).normal(size=(60, n_features))
    display = LossCurveDisplay.from_estimator(AutoencoderOutlierDetector(novelty=True, random_state=0).fit(X))
    assert (display.start_name, display.train_name) == (start, rows)


def test_no_epoch_is_marked_where_earlier_weights_were_kept(curve):
    model = AutoencoderTransformer(1, early_stopping=True, random_state=0).fit(curve)
    model.set_params(warm_start=True, max_iter=0).fit(curve)
    assert model.best_loss_ < min(model.validation_loss_curve_)
    assert LossCurveDisplay.from_estimator(model).best_point_ is None


def test_an_epoch_is_marked_up_to_rounding():
    losses = {"loss_curve": [3.0, 2.0], "validation_loss_curve": [4.0, 0.1 + 0.2, 2.0]}
    marked = LossCurveDisplay(**losses, best_loss=0.3).plot()
    assert marked.best_point_.get_xdata()[0] == 1
    assert LossCurveDisplay(**losses, best_loss=0.2999).plot().best_point_ is None


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({}, "share of variance unexplained"),
        ({"code": "ordered"}, "share of variance unexplained"),
        ({"code": "sparse", "n_nonzero": 1}, "share of variance unexplained"),
        ({"loss": "absolute_error"}, "absolute error, in root mean variances"),
        ({"loss": "huber"}, "Huber loss of residuals in root mean variances"),
        ({"loss": "binary_cross_entropy"}, "binary cross-entropy, nats per entry"),
        ({"loss": "poisson"}, "half the Poisson deviance, nats per entry"),
        ({"code": "variational"}, "negative evidence lower bound,\nnats per entry, up to a constant"),
        (
            {"code": "variational", "loss": "poisson", "beta": 0.5},
            "negative evidence lower bound with beta = 0.5,\nnats per entry, up to a constant",
        ),
        (
            {"code": "variational", "loss": "binary_cross_entropy"},
            "negative evidence lower bound,\nnats per entry",
        ),
    ],
)
def test_losses_are_called_what_they_are(parameters, name, digits):
    model = AutoencoderTransformer(2, max_iter=0, random_state=0, **parameters).fit(digits[0][:60])
    display = LossCurveDisplay.from_estimator(model)
    assert display.ax_.get_ylabel() == display.loss_name == f"loss ({name})"
    display.figure_.draw_without_rendering()
    box = display.ax_.yaxis.label.get_window_extent()
    assert box.y0 >= 0
    assert box.y1 <= display.figure_.bbox.height


def test_a_variational_loss_is_the_bound_per_entry(digits):
    X = digits[0][:60]
    model = AutoencoderTransformer(
        2, max_iter=0, early_stopping=False, code="variational", loss="binary_cross_entropy", random_state=0
    ).fit(X)
    # The expectation over the posterior is one draw per row in training and a mean over points in `score_samples`.
    assert model.best_loss_ * X.shape[1] == pytest.approx(-model.score_samples(X).mean(), rel=0.05)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({}, "PCA"),
        ({"loss": "huber", "code": "ordered"}, "PCA"),
        ({"corruption": "gaussian"}, "best linear denoiser"),
        ({"corruption": "gaussian", "corruption_level": 0.3}, "best linear denoiser"),
        ({"corruption": "gaussian", "corruption_level": 0.0}, "PCA"),
        ({"corruption": "swap"}, "best linear denoiser"),
        ({"corruption": "swap", "corruption_level": 0.0}, "PCA"),
        ({"corruption": "salt_and_pepper", "corruption_level": 0.1}, "best linear denoiser"),
        ({"corruption": "masking"}, "best linear denoiser"),
        ({"corruption": lambda X, random_state: X}, "PCA"),
        ({"code": "variational"}, "probabilistic PCA"),
        ({"code": "sparse"}, "linear sparse code"),
    ],
)
def test_the_start_is_called_what_it_is(parameters, name, digits):
    X = digits[0][:60]
    model = AutoencoderTransformer(2, max_iter=0, random_state=0, **parameters).fit(X)
    display = LossCurveDisplay.from_estimator(model)
    assert display.initial_line_.get_label() == f"{name}, before training"
    if name == "PCA":
        pca = AutoencoderTransformer(2, max_iter=0, random_state=0).fit(X)
        np.testing.assert_allclose(model.reconstruct(X), pca.reconstruct(X), atol=1e-9)


def test_a_detector_that_reconstructs_is_called_what_it_is(frame):
    detector = AutoencoderOutlierDetector(method="reconstruction", max_iter=0, random_state=0).fit(frame)
    display = LossCurveDisplay.from_estimator(detector)
    assert (display.start_name, display.loss_name) == ("PCA", "loss (share of variance unexplained)")


def test_losses_of_a_pipeline_and_of_scikit_learns_network(frame):
    with pytest.warns(ConvergenceWarning):
        network = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0).fit(frame, frame)
    display = LossCurveDisplay.from_estimator(network)
    assert display.loss_curve == network.loss_curve_
    assert display.loss_name == "loss"
    # `best_loss_` of MLPRegressor is the lowest of the curve, but the last weights are kept.
    assert display.initial_line_ is display.best_point_ is None
    pipeline = make_pipeline(StandardScaler(), AutoencoderTransformer(random_state=0)).fit(frame)
    assert LossCurveDisplay.from_estimator(pipeline).loss_curve == pipeline[-1].loss_curve_
