"""Conformal p-values by hand."""

import numpy as np

from skae._detector._conformal import conformal_p_values


def test_conformal_p_values_by_hand():
    calibration = np.array([1.0, 2.0, 2.0, 4.0])
    p_values = conformal_p_values(np.array([0.0, 2.0, 3.0, 9.0]), calibration, np.ones(4))
    np.testing.assert_allclose(p_values, [1.0, 4 / 5, 2 / 5, 1 / 5])
    weighted = conformal_p_values(np.array([3.0]), calibration, np.array([1.0, 1.0, 1.0, 3.0]))
    np.testing.assert_allclose(weighted, [4 / 7])
