"""The losses drawn are those of the estimator, from PCA on."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import (
    AutoencoderTransformer,
    LossCurveDisplay,
)


def test_losses_are_the_estimators(transformer):
    display = LossCurveDisplay.from_estimator(transformer)
    assert display.loss_curve == transformer.loss_curve_
    assert display.validation_loss_curve == transformer.validation_loss_curve_
    assert display.pca_loss == transformer.pca_loss_
    np.testing.assert_array_equal(display.train_line_.get_ydata(), transformer.loss_curve_)
    assert display.train_line_.get_xdata()[0] == 1
    np.testing.assert_array_equal(display.validation_line_.get_ydata(), transformer.validation_loss_curve_)
    assert display.validation_line_.get_xdata()[0] == 0
    assert set(display.pca_line_.get_ydata()) == {transformer.pca_loss_}


def test_the_parameters_kept_are_marked(transformer):
    display = LossCurveDisplay.from_estimator(transformer)
    assert display.best_point_.get_ydata()[0] == transformer.best_loss_
    epoch = display.best_point_.get_xdata()[0]
    assert transformer.validation_loss_curve_[epoch] == transformer.best_loss_


def test_an_untrained_autoencoder_is_at_pca(frame):
    pca = AutoencoderTransformer(max_iter=0, random_state=0).fit(frame)
    display = LossCurveDisplay.from_estimator(pca)
    assert display.best_point_.get_xydata().tolist() == [[0, pca.pca_loss_]]
    assert "training rows" not in [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_a_curve_alone():
    display = LossCurveDisplay(loss_curve=[3.0, 2.0]).plot()
    assert [line.get_label() for line in display.ax_.lines] == ["training rows"]
    assert display.best_point_ is None


def test_without_a_hold_out_the_last_parameters_are_the_kept_ones(detector):
    display = LossCurveDisplay.from_estimator(detector)
    assert display.validation_line_ is None
    assert display.best_point_.get_xydata().tolist() == [[detector.n_iter_, detector.best_loss_]]
    assert display.pca_line_.get_label() == "Wiener filter, before training"


def test_losses_of_a_pipeline_and_of_scikit_learns_network(frame):
    with pytest.warns(ConvergenceWarning):
        network = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0).fit(frame, frame)
    display = LossCurveDisplay.from_estimator(network)
    assert display.loss_curve == network.loss_curve_
    assert display.pca_line_ is None
    pipeline = make_pipeline(StandardScaler(), AutoencoderTransformer(random_state=0)).fit(frame)
    assert LossCurveDisplay.from_estimator(pipeline).loss_curve == pipeline[-1].loss_curve_
