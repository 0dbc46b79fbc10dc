"""A loss, a kind of code and a scorer that the package does not know, with no change to any of its files.

What `CONTRIBUTING.md` says a part takes is then true: its own file, and one line in the list of its kind.
"""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from family_cases import banana, short, untrained
from sklearn.base import clone
from sklearn.covariance import EmpiricalCovariance

from skae import AutoencoderOutlierDetector, AutoencoderTransformer
from skae._autoencoder._codes import CODES, DenseCode
from skae._autoencoder._losses import LOSSES, EntrywiseLoss
from skae._detector._scorer import ScorerFit
from skae._outlier_detector import SCORERS
from skae._training._interfaces import TrainingResult


class LogCosh(EntrywiseLoss):
    r""":math:`2 \log \cosh(x - \hat x)`: squares of small residuals, distances of large ones."""

    def losses(self, outputs, x):
        return 2.0 * torch.log(torch.cosh(outputs - x))

    def slope(self, outputs, x):
        return 2.0 * torch.tanh(outputs - x)


class TestLoss:
    @pytest.fixture(autouse=True)
    def listed(self, monkeypatch):
        monkeypatch.setitem(LOSSES, "log_cosh", LogCosh)

    def test_is_fitted(self, curve):
        X, X_test = curve[:200], curve[200:]
        ours = AutoencoderTransformer(1, loss="log_cosh", random_state=0).fit(X)
        assert ours.best_loss_ < ours.initial_loss_
        assert 1 - ours.score(X_test) < 0.2 * (1 - untrained(1).fit(X).score(X_test))
        unit = np.sqrt(X.var(axis=0).mean())
        losses = 2 * np.log(np.cosh((X_test - ours.reconstruct(X_test)) / unit)).sum(axis=1) * unit**2
        # In float64: at most 256 rows.
        np.testing.assert_allclose(ours.score_samples(X_test), -losses, rtol=1e-6)

    @short
    @pytest.mark.parametrize("parameters", [{"code": "ordered"}, {"corruption": "masking"}, {"whiten": True}], ids=str)
    def test_goes_with_the_rest_of_the_family(self, digits, parameters):
        ours = AutoencoderTransformer(4, loss="log_cosh", max_iter=3, random_state=0, **parameters).fit(digits[0])
        assert ours.best_loss_ < ours.initial_loss_
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(ours)).transform(digits[1]), ours.transform(digits[1]))

    def test_is_no_likelihood_unless_it_says_so(self, curve):
        with pytest.raises(ValueError, match=r"needs a loss that is a likelihood.*Got 'log_cosh' instead"):
            AutoencoderTransformer(1, loss="log_cosh", code="variational").fit(curve)

    def test_is_gone_with_its_entry(self, curve, monkeypatch):
        monkeypatch.delitem(LOSSES, "log_cosh")
        with pytest.raises(ValueError, match=r"The 'loss' parameter .* Got 'log_cosh' instead"):
            AutoencoderTransformer(1, loss="log_cosh").fit(curve)


class RectifiedCode(DenseCode):
    """Negative entries become zero."""

    metric = None
    is_rotatable = False
    whiten_conflict = "sets negative ones to zero"

    def code(self, a):
        return a.clamp_min(0.0)

    def forward(self, a, generator):
        return self.code(a), a > 0

    def backward(self, gradient, tape, row_share):
        return gradient * tape


class TestCode:
    @pytest.fixture(autouse=True)
    def listed(self, monkeypatch):
        monkeypatch.setitem(CODES, "rectified", RectifiedCode)

    @short
    def test_is_fitted(self, digits):
        X, X_test = digits
        ours = AutoencoderTransformer(8, code="rectified", max_iter=10, random_state=0).fit(X)
        start = untrained(8, code="rectified").fit(X)
        for fitted in (ours, start):
            assert fitted.transform(X_test).min() == 0.0
        assert ours.best_loss_ < ours.initial_loss_
        assert ours.score(X_test) > start.score(X_test) + 0.05
        assert ours.sample(20, random_state=0).shape == (20, 64)

    def test_says_what_it_does_not_go_with(self, digits):
        with pytest.raises(ValueError, match=r"whiten=True and code='rectified' cannot be .* negative ones to zero"):
            AutoencoderTransformer(2, code="rectified", whiten=True).fit(digits[0])


@dataclass(frozen=True, eq=False)
class MahalanobisScorer:
    """The logarithm of the distance to the mean, by the covariance of the training rows."""

    mean: np.ndarray
    precision: np.ndarray

    @classmethod
    def fit(cls, rows, parameters, random_state, report):
        covariance = EmpiricalCovariance().fit(rows.source.local)
        scorer, result = cls(covariance.location_, covariance.precision_), TrainingResult(1.0, 1.0)
        components = scorer.component_scores(rows.source.local, rows.device)
        return ScorerFit(scorer, rows.n_features, result, components, rows.effective_counts, np.ones(1))

    def component_scores(self, X, device):
        return 0.5 * np.log(self._products(X).sum(axis=1, keepdims=True))

    def feature_shares(self, X, component_weights, device):
        products = np.abs(self._products(X))
        return products / products.sum(axis=1, keepdims=True)

    def _products(self, X):
        return (X - self.mean) * ((X - self.mean) @ self.precision)

    def codes(self, X, device):
        return X - self.mean

    def to_state(self):
        return {"mean": self.mean, "precision": self.precision}

    @classmethod
    def from_state(cls, state):
        return cls(**state)


class TestScorer:
    @pytest.fixture(autouse=True)
    def listed(self, monkeypatch):
        monkeypatch.setitem(SCORERS, "mahalanobis", MahalanobisScorer)

    def test_is_fitted_and_calibrated(self):
        X, X_new = banana(300, 0), banana(100, 1)
        detector = AutoencoderOutlierDetector(method="mahalanobis", contamination=0.1).fit(X)
        distances = EmpiricalCovariance().fit(X).mahalanobis(X_new)
        np.testing.assert_array_equal(np.argsort(-detector.score_samples(X_new)), np.argsort(distances))
        assert (detector.predict(X) == -1).sum() == 30
        assert detector.p_values(X_new + [0, 0, 9, 0]).max() == pytest.approx(1 / 301)
        contributions = detector.feature_contributions(X_new)
        np.testing.assert_allclose(contributions.sum(axis=1), -detector.score_samples(X_new))
        np.testing.assert_allclose(detector.transform(X_new), X_new - X.mean(axis=0))
        assert len(detector.get_feature_names_out()) == 4

    def test_is_saved_and_continued(self):
        X = banana(300, 0)
        whole = AutoencoderOutlierDetector(method="mahalanobis").fit(X)
        opened = pickle.loads(pickle.dumps(whole))
        np.testing.assert_array_equal(opened.score_samples(X), whole.score_samples(X))
        parts = clone(whole).partial_fit(X[:100]).partial_fit(X[100:])
        np.testing.assert_allclose(parts.score_samples(X), whole.score_samples(X), rtol=1e-9)

    def test_is_gone_with_its_entry(self, monkeypatch):
        monkeypatch.delitem(SCORERS, "mahalanobis")
        with pytest.raises(ValueError, match=r"The 'method' parameter .* Got 'mahalanobis' instead"):
            AutoencoderOutlierDetector(method="mahalanobis").fit(banana(300, 0))
