"""The common scale of component scores by hand."""

import numpy as np

from skae._detector._score_scale import ScoreScale


def test_the_median_is_zero_and_the_95th_percentile_one():
    components = np.column_stack([np.linspace(0, 1, 101), np.zeros(101)])
    scale = ScoreScale.from_training(components)
    np.testing.assert_allclose(scale.centre, [0.5, 0.0])
    np.testing.assert_allclose(scale.spread, [0.45, 0.03])
    np.testing.assert_array_equal(scale.argmax_component(np.array([[0.95, 0.0], [0.5, 1.0]])), [0, 1])
    np.testing.assert_allclose(scale.scores(np.array([[0.95, 0.0]])), [-np.log1p(np.e)])
