"""The denoising scorer: its limits, its codes, and the rows that calibrate it."""

import numpy as np
import pytest
from family_cases import banana, short
from scipy import sparse

from skae import AutoencoderOutlierDetector
from skae._detector import _denoising, _entries
from skae._detector._network_scores import DenoiserScores, MaskedScores

each_kind = pytest.mark.parametrize("novelty", [False, True])


@each_kind
def test_too_many_features_are_refused(novelty):
    X = sparse.random(40, 2001, density=1e-2, format="csr", random_state=0)
    words = r"supports at most 2000 features with method='denoising'\. Got 2001\. Reduce them first"
    with pytest.raises(ValueError, match=words):
        AutoencoderOutlierDetector(novelty=novelty).fit(X)


@each_kind
def test_of_more_rows_than_it_takes_a_sample(novelty, monkeypatch):
    monkeypatch.setattr(_entries, "MAX_FITTED_ROWS", 200)
    detector = AutoencoderOutlierDetector(novelty=novelty, random_state=0)
    detector.fit(banana(300, 0), sample_weight=np.arange(300) + 1.0)
    np.testing.assert_array_equal(detector._calibration.weight, np.ones(200))
    assert (detector.predict(banana(20, 1) + [0, 0, 5, 0]) == -1).all()


@short
def test_weights_count_once_in_a_sample(monkeypatch):
    """They decide which rows are drawn; those then stand for as many each."""
    monkeypatch.setattr(_entries, "MAX_FITTED_ROWS", 150)
    X, heavy = np.random.RandomState(0).normal(size=(3000, 2)), np.arange(3000) < 300
    X[heavy] += [9.0, 0.0]
    detector = AutoencoderOutlierDetector(novelty=True, max_iter=1, random_state=0)
    scorer = detector.fit(X, sample_weight=np.where(heavy, 9, 1))._scorer
    # Half of the weight; references are most of the sample.
    drawn = scorer.distances.coordinates.scale.deviations(X[heavy])
    of_heavy = (scorer.distances.references[:, None] == drawn).all(2).any(1)
    assert of_heavy.mean() == pytest.approx(0.5, abs=0.15)


@each_kind
def test_at_most_so_many_rows_calibrate(novelty, monkeypatch):
    monkeypatch.setattr(_denoising, "MAX_CALIBRATION_ROWS", 100)
    detector = AutoencoderOutlierDetector(novelty=novelty, max_iter=0, random_state=0)
    weight = np.where(np.arange(300) < 150, 1e-9, 1.0)
    detector.fit(banana(300, 0), sample_weight=weight)
    np.testing.assert_array_equal(detector._calibration.weight, np.ones(100))
    assert (detector.p_values(banana(500, 1)) <= 0.05).mean() <= 0.1


def test_codes_are_coordinates_on_the_principal_axes():
    X_new = banana(20, 1)
    detector = AutoencoderOutlierDetector(n_components=3, max_iter=0, random_state=0).fit(banana(100, 0))
    coordinates = detector._scorer.distances.coordinates
    expected = coordinates.scale.deviations(X_new) @ coordinates.whitening.axes
    np.testing.assert_allclose(detector.transform(X_new), expected[:, :3], rtol=1e-6)


@pytest.mark.parametrize(
    ("n_features", "novelty", "kind"), [(4, True, MaskedScores), (4, False, DenoiserScores), (65, True, DenoiserScores)]
)
def test_which_networks(n_features, novelty, kind):
    X = np.random.RandomState(0).normal(size=(60, n_features))
    detector = AutoencoderOutlierDetector(novelty=novelty, max_iter=0, random_state=0)
    assert isinstance(detector.fit(X)._scorer.network, kind)
