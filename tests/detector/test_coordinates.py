"""The three coordinate systems by hand: units, ranks and whitening."""

import numpy as np
import pytest
from scipy import special

from skae._detector._coordinates import Coordinates
from skae._detector._feature_scale import CLIP, EXTREME, MAX_TOLERANCE, ROUNDING, FeatureScale
from skae._detector._rank_transform import MAX_KNOTS, RankTransform
from skae._detector._whitening import WHITENING_FLOOR, Whitening

RNG = np.random.RandomState(0)


def ones(rows):
    return np.ones(len(rows))


def scale_of(X, weight=None, scale_features=True, dtype="float64"):
    X = np.asarray(X, float)
    return FeatureScale.of(X, ones(X) if weight is None else weight, scale_features, dtype)


def column(values):
    return np.asarray(values, float)[:, np.newaxis]


class TestFeatureScale:
    def test_without_extreme_values_mean_and_standard_deviation(self):
        X, weight = RNG.normal(3.0, [1.0, 50.0], size=(200, 2)), RNG.uniform(0.5, 2.0, size=200)
        scale = scale_of(X, weight)
        mean = np.average(X, axis=0, weights=weight)
        np.testing.assert_allclose(scale.centre, mean)
        np.testing.assert_allclose(scale.unit, np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight)))
        np.testing.assert_allclose(scale.deviations(X), (X - mean) / scale.unit)

    def test_an_extreme_value_counts_as_the_farthest_usual_one(self):
        """99 deviations of one and a large one: it is moved to EXTREME times one."""
        values = np.where(np.arange(100) % 2, 1.0, -1.0)
        values[0] = 1e9
        winsorised = np.append(values[1:], EXTREME)
        scale = scale_of(column(values))
        # The median is at one of the two values, from which half of the others are two away.
        assert scale.unit[0] < 2.0 * np.sqrt(np.mean(winsorised**2))
        assert abs(scale.centre[0]) < 0.5

    def test_the_unit_of_a_mostly_constant_feature_is_of_what_differs(self):
        values = np.zeros(1000)
        values[:30] = np.repeat([1.0, 8.0], 15)
        expected = scale_of(column(values)).unit[0]
        np.testing.assert_allclose(expected, values.std())
        values[30] = 1e6
        winsorised = values.clip(0.0, EXTREME * 8.0)
        np.testing.assert_allclose(scale_of(column(values)).unit[0], winsorised.std())

    @pytest.mark.parametrize("constant", [1e-3, 1.0, -5.0, 1e300])
    def test_a_constant_has_a_tenth_of_its_value_as_unit(self, constant):
        scale = scale_of(np.full((50, 1), constant))
        np.testing.assert_allclose([scale.centre[0], scale.unit[0]], [constant, abs(constant) / 10])
        np.testing.assert_allclose(scale.deviations([[1.1 * constant]]), np.sign(constant))
        if abs(constant) < 1e38:
            assert scale.deviations(np.float32([[constant]]))[0, 0] == 0.0

    @pytest.mark.parametrize("constant", [1.0, -1000.0])
    def test_a_constant_may_be_rounded_to_four_digits(self, constant):
        """A thousandth of its unit, which is a tenth of its value, is no deviation."""
        scale = scale_of(np.column_stack([np.full(50, constant), np.random.RandomState(1).normal(size=50)]))
        assert scale.tolerance[0] == MAX_TOLERANCE > scale.tolerance[1]
        near, off = (scale.deviations(np.array([[constant * factor, 0.0]]))[0, 0] for factor in (1.00001, 1.0002))
        assert near == 0.0
        assert abs(off) == pytest.approx(2e-3)

    def test_without_scaling_no_feature_counts_as_constant(self):
        scale = scale_of(np.column_stack([np.ones(50), np.arange(50.0)]), scale_features=False)
        np.testing.assert_array_less(scale.tolerance, MAX_TOLERANCE)

    def test_zeros_have_unit_one(self):
        scale = scale_of(np.zeros((50, 1)))
        assert (scale.centre[0], scale.unit[0]) == (0.0, 1.0)

    def test_one_unit_for_all_features(self):
        X = RNG.normal(scale=[1.0, 2.0, 3.0], size=(100, 3))
        scale = scale_of(X, scale_features=False)
        np.testing.assert_allclose(scale.unit, np.sqrt(np.mean(X.var(axis=0))))
        np.testing.assert_array_equal(scale_of(np.ones((9, 2)), scale_features=False).unit, 1.0)

    @pytest.mark.parametrize("unit", [1e-200, 1e-3, 1e200])
    def test_units_do_not_matter(self, unit):
        X = RNG.normal(2.0, 1.0, size=(100, 3))
        np.testing.assert_allclose(scale_of(unit * X).deviations(unit * X), scale_of(X).deviations(X), rtol=1e-9)

    def test_deviations_are_clipped(self):
        scale = scale_of(column(RNG.normal(size=100)))
        np.testing.assert_array_equal(scale.deviations([[1e308], [-1e308]]), [[CLIP], [-CLIP]])

    def test_what_float32_rounds_is_no_deviation(self):
        scale = scale_of(column(1000.0 + RNG.normal(size=100)))
        np.testing.assert_allclose(scale.tolerance, ROUNDING * (abs(scale.centre) / scale.unit + CLIP))
        X = scale.centre + scale.unit * [[0.5], [-0.9], [2.0]] * scale.tolerance
        np.testing.assert_allclose(scale.deviations(X) / scale.tolerance, [[0], [0], [2]], rtol=1e-6)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_dtype(self, dtype):
        X = RNG.normal(size=(20, 2))
        scale = scale_of(X, dtype=dtype)
        assert scale.deviations(X).dtype == dtype
        assert all(
            system.dtype == dtype for system in Coordinates.of(X, ones(X), True, dtype)(scale.deviations(X)).filled
        )


def ranks_of(values, weight=None, tolerance=0.0):
    values = column(values)
    return RankTransform.of(
        values, ones(values) if weight is None else np.asarray(weight, float), np.array([tolerance])
    )


class TestRankTransform:
    def test_mid_ranks_by_hand(self):
        """Of 1, 2, 2, 4: half of its own weight and all that is below a value, of four."""
        ranks = ranks_of([2.0, 1.0, 4.0, 2.0])
        found = ranks(column([1.0, 2.0, 4.0]))[:, 0]
        np.testing.assert_allclose(found, special.ndtri([0.5 / 4, 2.0 / 4, 3.5 / 4]), rtol=1e-6)

    def test_between_and_beyond_values(self):
        """In a gap all that is below counts; beyond the ends half a row, and the excess in deviations."""
        found = ranks_of([2.0, 1.0, 4.0, 2.0])(column([1.5, 3.0, 3.9, 6.0, -1.0, 1000.0]))[:, 0]
        ends = special.ndtri(0.125)
        expected = [*special.ndtri([0.25, 0.75, 0.75]), -ends + 2.0, ends - 2.0, -ends + CLIP]
        np.testing.assert_allclose(found, expected, rtol=1e-6)

    def test_weights_are_repetitions(self):
        weight, at = RNG.randint(1, 4, size=20), column(np.linspace(-3, 3, 50))
        values = RNG.normal(size=20)
        np.testing.assert_allclose(ranks_of(values, weight)(at), ranks_of(np.repeat(values, weight))(at))

    def test_values_within_the_tolerance_are_equal(self):
        ranks = ranks_of([1.0, 2.0, 3.0], tolerance=0.01)
        found = ranks(column([1.995, 2.0, 2.005]))[:, 0]
        np.testing.assert_allclose(found, 0.0, atol=1e-6)
        assert ranks(column([2.02]))[0, 0] > 0.1

    def test_many_values_are_interpolated(self):
        values = RNG.normal(size=5000)
        ranks = ranks_of(values)
        assert len(ranks.values) <= MAX_KNOTS
        order = np.sort(values)
        # A knot for each twenty rows: within a few of them in a normal quantile.
        expected = special.ndtri((np.arange(5000) + 0.5) / 5000)
        np.testing.assert_allclose(ranks(column(order))[50:-50, 0], expected[50:-50], atol=0.03)

    def test_features_do_not_mix(self):
        X = np.column_stack([RNG.normal(size=40), RNG.randint(3, size=40), RNG.normal(size=40)])
        together = RankTransform.of(X, ones(X), np.zeros(3))(X)
        for feature in range(3):
            np.testing.assert_array_equal(together[:, [feature]], ranks_of(X[:, feature])(X[:, [feature]]))

    def test_ranks_are_monotone(self):
        found = ranks_of(RNG.randint(5, size=50))(column(np.linspace(-2, 7, 500)))[:, 0]
        assert (np.diff(found) >= 0).all()


def correlated(n_rows, seed=0):
    loadings = np.array([[1.0, 0.9, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, 1.0]])
    X = np.random.RandomState(seed).normal(size=(n_rows, 3)) @ loadings
    return X / X.std(axis=0)


class TestWhitening:
    def test_axes_and_variances_are_principal_ones_of_the_bulk(self):
        X = correlated(20_000)
        whitening = Whitening.of(X, ones(X))
        np.testing.assert_allclose(whitening.axes.T @ whitening.axes, np.eye(3), atol=1e-6)
        assert (np.diff(whitening.variances) <= 0).all()
        variances, axes = np.linalg.eigh(np.cov(X.T))
        # The bulk of a Gaussian has the shape of all of it, but along short axes the floor of the steps cuts less off.
        np.testing.assert_allclose(np.abs(axes[:, ::-1].T @ whitening.axes)[[0, 2], [0, 2]], 1.0, atol=0.01)
        shrunk = whitening.variances / whitening.variances.mean()
        np.testing.assert_allclose(shrunk, variances[::-1] / variances.mean(), atol=0.05)

    def test_factors_by_their_formula(self):
        X = correlated(300)
        whitening = Whitening.of(X, ones(X))
        factors = np.sqrt((1 + WHITENING_FLOOR) / (whitening.variances + WHITENING_FLOOR))
        np.testing.assert_allclose(whitening.factors, factors / np.sqrt(np.mean(factors**2)), rtol=1e-5)
        expected = X @ whitening.axes * whitening.factors @ whitening.axes.T
        np.testing.assert_allclose(whitening(X), expected, atol=1e-5)

    @pytest.mark.parametrize("shape", [(3, 8), (20, 8), (60, 200), (2, 1)])
    def test_lengths_do_not_depend_on_the_number_of_rows(self, shape):
        X = np.random.RandomState(0).normal(size=shape)
        whitening = Whitening.of(X, ones(X))
        assert whitening.axes.shape[1] == max(1, min(shape[1], whitening.axes.shape[1]))
        assert whitening.axes.shape[1] <= max(1, shape[0] // 5)
        squares = np.square(np.linalg.svd(whitening.product, compute_uv=False))
        np.testing.assert_allclose(squares.mean(), 1.0, rtol=1e-4)

    def test_outliers_do_not_turn_the_axes(self):
        X = correlated(500)
        with_outliers = np.vstack([X, np.tile([10.0, -10.0, 0.0], (50, 1))])
        clean, robust = Whitening.of(X, ones(X)), Whitening.of(with_outliers, ones(with_outliers))
        assert np.abs(clean.axes[:, 0] @ robust.axes[:, 0]) > 0.98

    def test_weights_are_repetitions(self):
        X, weight = correlated(100), np.random.RandomState(1).randint(1, 4, size=100)
        repeated = np.repeat(X, weight, axis=0)
        weighted, expected = Whitening.of(X, weight.astype(float)), Whitening.of(repeated, ones(repeated))
        np.testing.assert_allclose(weighted.product, expected.product, atol=1e-5)

    def test_equal_rows(self):
        assert np.isfinite(Whitening.of(np.zeros((10, 3)), np.ones(10)).product).all()


def test_the_state_makes_the_same_coordinates():
    X = correlated(60)
    coordinates = Coordinates.of(X, ones(X), True, "float32")
    deviations = coordinates.scale.deviations(X)
    for ours, other in zip(
        coordinates(deviations), Coordinates.from_state(coordinates.to_state())(deviations), strict=True
    ):
        np.testing.assert_array_equal(ours, other)
