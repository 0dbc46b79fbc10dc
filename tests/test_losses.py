"""Every loss through the estimator, where what it should reconstruct is known.

Rows are copies of a few patterns with noise of their own in every entry. Three numbers can tell the groups apart, and
hardly anything else; so what is left to choose for a group's reconstruction is one number for each feature: the one
that the loss summed over the group's rows is least at.
"""

from functools import partial
from typing import ClassVar

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.base import clone

from skae import AutoencoderTransformer

pytestmark = pytest.mark.slow
N_GROUPS, N_FEATURES, N_ROWS = 4, 40, 3000
MODEL = AutoencoderTransformer(3, hidden_layer_sizes=(64,), random_state=0)


GROUPS = np.random.RandomState(0).randint(N_GROUPS, size=N_ROWS)
PATTERNS = np.random.RandomState(1).uniform(size=(N_GROUPS, N_FEATURES))


def of_each_group(statistic, X):
    return np.array([statistic(X[g == GROUPS]) for g in range(N_GROUPS)])


def reconstructed(loss, X):
    """What is reconstructed of each group on average."""
    model = clone(MODEL).set_params(loss=loss).fit(X)
    return of_each_group(mean, model.reconstruct(X))


def distance(a, b):
    """Root mean square of the differences."""
    return float(np.sqrt(np.mean(np.square(a - b))))


def mean(rows):
    return rows.mean(axis=0)


def median(rows):
    return np.median(rows, axis=0)


def huber_location(rows, width):
    """Where Huber's loss of each column is least."""

    def loss(location, column):
        residual = np.abs(column - location)
        return np.where(residual <= width, residual**2, 2 * width * residual - width**2).sum()

    ends = rows.min(), rows.max()
    return np.array([minimize_scalar(loss, bounds=ends, args=(column,), method="bounded").x for column in rows.T])


class TestSkewedNoise:
    """Exponential noise has mean 1 and median log 2: what a loss estimates shows."""

    X = 6 * PATTERNS[GROUPS] + np.random.RandomState(2).exponential(size=(N_ROWS, N_FEATURES))
    WIDTH = np.sqrt(X.var(axis=0).mean())  # Huber's loss turns linear at a feature's root mean variance
    EXPECTED: ClassVar = {
        "squared_error": of_each_group(mean, X),
        "absolute_error": of_each_group(median, X),
        "huber": of_each_group(partial(huber_location, width=WIDTH), X),
    }

    # What is left of each row's noise in its code, and of training: a tenth of a deviation of the noise at most, a
    # third of what lies between mean and median.
    @pytest.mark.parametrize("loss", EXPECTED)
    def test_location_of_each_group(self, loss):
        found = reconstructed(loss, self.X)
        distances = {name: distance(found, location) for name, location in self.EXPECTED.items()}
        assert distances[loss] < 0.1
        assert min(distances, key=distances.get) == loss

    def test_there_is_something_to_tell_apart(self):
        m, median, huber = (self.EXPECTED[name] for name in ("squared_error", "absolute_error", "huber"))
        assert distance(m, median) > 0.3
        assert ((median < huber) & (huber < m)).all()


def test_binary_cross_entropy_reconstructs_the_share_of_ones():
    chances = 0.05 + 0.9 * PATTERNS
    X = (np.random.RandomState(3).uniform(size=(N_ROWS, N_FEATURES)) < chances[GROUPS]).astype(float)
    # Two standard errors of a share of the 750 rows of a group; the chances differ by ten times as much.
    assert distance(reconstructed("binary_cross_entropy", X), of_each_group(mean, X)) < 2 * 0.25**0.5 / 750**0.5
    assert distance(PATTERNS[0], PATTERNS[1]) > 0.3


def test_poisson_reconstructs_the_mean_count():
    rates = 8 * PATTERNS
    X = np.random.RandomState(4).poisson(rates[GROUPS]).astype(float)
    found = reconstructed("poisson", X)
    # A standard error of a mean of 750 counts of rate 4.
    assert distance(found, of_each_group(mean, X)) < (4 / 750) ** 0.5
    assert found.min() > 0


def test_outliers_hurt_robust_losses_less():
    """One entry in twenty is far off. That moves a mean by a twentieth of the way, and a median hardly."""
    random_state = np.random.RandomState(5)
    patterns = 6 * PATTERNS
    X = patterns[GROUPS] + random_state.normal(size=(N_ROWS, N_FEATURES))
    X[random_state.uniform(size=X.shape) < 0.05] = 30.0
    hurt = {loss: distance(reconstructed(loss, X), patterns) for loss in ("squared_error", "absolute_error", "huber")}
    assert hurt["squared_error"] > distance(0.05 * (30 - patterns), 0)
    assert hurt["huber"] < hurt["squared_error"] / 2
    assert hurt["absolute_error"] < hurt["squared_error"] / 3
