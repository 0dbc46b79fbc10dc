"""Rows that calibrate scores: their weights, and what their folds say."""

import numpy as np
import pytest
from family_cases import banana, short

from skae import AutoencoderOutlierDetector
from skae._detector import _calibration


def test_folds_say_nothing_of_their_own(monkeypatch):
    """Four fifths of the rows may be too few where all are not."""
    monkeypatch.setattr(_calibration, "MAX_SHARE_FLAGGED", -1.0)
    X = np.random.RandomState(0).normal(size=(110, 50))
    AutoencoderOutlierDetector(max_iter=0, random_state=0).fit(X)
    with pytest.warns(UserWarning, match="labels are for new rows only"):
        AutoencoderOutlierDetector(max_iter=0, random_state=0).fit(X[:90])


@short
@pytest.mark.parametrize("method", ["denoising", "reconstruction"])
@pytest.mark.parametrize("n_rows", [120, 400])
def test_weights_count_as_rows(method, n_rows):
    X, weight = banana(n_rows, 0), np.arange(n_rows) % 3 + 1.0
    detector = AutoencoderOutlierDetector(method=method, max_iter=2, random_state=0).fit(X, sample_weight=weight)
    scores, weights = detector._calibration.scores, detector._calibration.weight
    assert len(weights) == n_rows if method == "denoising" or n_rows == 120 else len(weights) < n_rows
    assert set(weights) == {1, 2, 3}
    for p, score in zip(detector.p_values(X), detector.score_samples(X), strict=True):
        as_low = weights[scores <= score + 1e-12].sum()
        assert p == pytest.approx((as_low + 1) / (weights.sum() + 1), abs=2 / weights.sum())
