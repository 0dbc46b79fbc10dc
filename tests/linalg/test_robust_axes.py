"""Principal axes that a minority of outliers cannot bend."""

import numpy as np

from skae._linalg._robust_axes import robust_axes
from skae._rows._row_source import RowSource

RNG = np.random.RandomState(0)


def test_robust_axes_are_those_of_the_bulk():
    bulk = RNG.normal(size=(450, 3)) * [3.0, 1.0, 0.3]
    X = np.vstack([bulk, RNG.normal(loc=[0, 0, 30.0], size=(50, 3))])
    axes = robust_axes(RowSource(X), scale_features=False)
    # Ten per cent of far rows would turn the first axis of a plain covariance to the third feature.
    assert abs(axes.axes[0, 0]) > 0.99
    np.testing.assert_allclose(axes.axes.T @ axes.axes, np.eye(3), atol=1e-12)
    plain = np.linalg.eigh(np.cov(X.T))[1][:, -1]
    assert abs(plain[2]) > 0.99


def test_coordinates_keep_distances_also_where_axes_span_less_than_the_space():
    X = RNG.normal(size=(6, 20))
    axes = robust_axes(RowSource(X), scale_features=True)
    assert not axes.complete
    new = RNG.normal(size=(5, 20))
    lengths = np.linalg.norm(axes.standardised(new), axis=1)
    np.testing.assert_allclose(np.linalg.norm(axes.coordinates(new), axis=1), lengths)
    np.testing.assert_array_equal(axes.coordinates(X)[:, -1], 0.0)


def test_weights_are_repetitions():
    X = RNG.normal(size=(30, 3))
    weight = RNG.randint(1, 4, size=30)
    weighted = robust_axes(RowSource(X), True, weight.astype(float))
    repeated = robust_axes(RowSource(np.repeat(X, weight, axis=0)), True)
    np.testing.assert_allclose(weighted.coordinates(X), repeated.coordinates(X), atol=1e-9)
