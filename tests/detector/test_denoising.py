"""The rows that the denoising scorer measures distances to, where there are more than it keeps."""

import numpy as np
import pytest
import torch
from family_cases import banana, short

from skae import AutoencoderOutlierDetector
from skae._detector import _denoising


def test_more_rows_than_references(monkeypatch):
    monkeypatch.setattr(_denoising, "MAX_REFERENCES", 200)
    detector = AutoencoderOutlierDetector(random_state=0).fit(banana(300, 0), sample_weight=np.arange(300) + 1.0)
    assert len(detector._scorer.references) == 200
    assert (detector.predict(banana(20, 1) + [0, 0, 5, 0]) == -1).all()


@short
def test_weights_count_once_beyond_the_references(monkeypatch):
    """They decide which rows are drawn; those then stand for as many each."""
    monkeypatch.setattr(_denoising, "MAX_REFERENCES", 150)
    X, heavy = np.random.RandomState(0).normal(size=(3000, 2)), np.arange(3000) < 300
    X[heavy] += [9.0, 0.0]
    detector = AutoencoderOutlierDetector(max_iter=1, random_state=0)
    scorer = detector.fit(X, sample_weight=np.where(heavy, 9, 1))._scorer
    drawn = scorer.robust_axes.coordinates(X[heavy])
    of_heavy = (scorer.references[:, None] == drawn).all(2).any(1)
    assert of_heavy.mean() == pytest.approx(0.5, abs=0.12)
    np.testing.assert_array_equal(detector._calibration.weight, np.ones(150))
    whitened = torch.from_numpy(scorer.references * scorer.whitening)
    medians = np.median(scorer.on(whitened.device).squared_residuals(whitened).numpy(), axis=2)
    np.testing.assert_allclose(scorer.residual_medians, medians, rtol=0.1)


def test_codes_are_coordinates_on_the_robust_axes():
    X_new = banana(20, 1)
    detector = AutoencoderOutlierDetector(n_components=3, max_iter=0, random_state=0).fit(banana(100, 0))
    every = detector._scorer.robust_axes.coordinates(X_new)
    np.testing.assert_allclose(detector.transform(X_new), every[:, :3])
