"""The rows of a stream that a detector is fitted to."""

import numpy as np
import pytest
from family_cases import evenly, follow, short
from scipy import sparse

from skae import AutoencoderOutlierDetector, _outlier_detector

pytestmark = [short, pytest.mark.parametrize("method", ["denoising", "reconstruction"])]
# The first feature says when a row came.
X = np.column_stack([np.arange(1000.0), np.random.RandomState(0).normal(size=1000)])


def detector(method):
    return AutoencoderOutlierDetector(method=method, max_iter=2, random_state=0)


@pytest.mark.slow
def test_keeps_a_uniform_sample(method, monkeypatch):
    monkeypatch.setattr(_outlier_detector, "MAX_STREAM_ROWS", 200)
    model = follow(detector(method), X, evenly(X, 100))
    kept = model._reservoir.rows
    assert len(np.unique(kept[:, 0])) == 200
    assert 0.35 < (kept[:, 0] < 500).mean() < 0.65  # four standard errors
    np.testing.assert_array_equal(model.score_samples(X), detector(method).fit(kept).score_samples(X))


def test_keeps_fewer_wide_rows(digits, method, monkeypatch):
    monkeypatch.setattr(_outlier_detector, "MAX_FIT_NUMBERS", 100 * 64)
    model = detector(method).fit(sparse.csr_array(digits[0][:300]))
    assert model._reservoir.rows.shape == (100, 64)


def test_keeps_a_uniform_sample_after_fit(method, monkeypatch):
    monkeypatch.setattr(_outlier_detector, "MAX_FIT_ROWS", 200)
    kept = detector(method).fit(X[:500]).partial_fit(X[500:])._reservoir.rows[:, 0]
    assert len(kept) == 200
    assert 0.35 < (kept < 500).mean() < 0.65


@pytest.mark.slow
def test_heavy_rows_stay(method, monkeypatch):
    monkeypatch.setattr(_outlier_detector, "MAX_STREAM_ROWS", 100)
    rows = np.random.RandomState(0).normal(size=(300, 3))
    weight = np.where(np.arange(300) < 50, 1e6, 1.0)
    model = follow(detector(method), rows, [150], weight)
    np.testing.assert_array_equal(model._reservoir.rows[:50], rows[:50])
