"""Corruption: what is known of it in closed form against what it does, and the best linear denoiser against others."""

import numpy as np
import pytest
import torch

from skae._autoencoder._corruption import MAX_MASKED, Corruption, Custom, Gaussian, SaltAndPepper, Swap, mask
from skae._autoencoder._linear import LinearAutoencoder
from skae._linalg._principal_axes import principal_axes
from skae._rows._row_source import RowSource

N_ROWS, N_FEATURES = 40_000, 3
# Moments of so many rows of bounded kurtosis are within this of their expectations: five standard errors and more.
TOLERANCE = 0.04
LOWEST, HIGHEST = (torch.tensor(ends, dtype=torch.float64) for ends in ([-3.0, -2.0, -1.5], [2.0, 4.0, 1.5]))
KINDS = {
    "gaussian": Gaussian(0.5),
    "swap": Swap(0.3),
    "salt and pepper": SaltAndPepper(0.2, LOWEST, HIGHEST),
}


def identity(rows, random_state):
    return rows


@pytest.fixture(scope="module")
def x():
    """Rows of mean zero whose features have mean variance one, as the networks see them."""
    mixing = np.array([[1.2, 0.4, 0.0], [0.0, 0.9, 0.3], [0.0, 0.0, 0.7]])
    rows = np.random.RandomState(0).normal(size=(N_ROWS, N_FEATURES)) @ mixing
    rows -= rows.mean(axis=0)
    return torch.from_numpy(rows / np.sqrt(rows.var(axis=0).mean()))


def corrupted(kind, x):
    return kind(x, torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
class TestMoments:
    def test_kept_share_is_the_slope_on_the_clean_row(self, kind, x):
        slope = (corrupted(kind, x) * x).sum() / x.square().sum()
        assert float(slope) == pytest.approx(kind.kept_share, abs=TOLERANCE)

    def test_shift_is_the_mean_of_what_is_added(self, kind, x):
        shift = torch.zeros(N_FEATURES, dtype=torch.float64) if kind.shift is None else kind.shift
        added = corrupted(kind, x) - kind.kept_share * x
        torch.testing.assert_close(added.mean(0), shift, atol=TOLERANCE, rtol=0)

    def test_noise_variance_is_that_of_what_is_added(self, kind, x):
        added = corrupted(kind, x) - kind.kept_share * x
        assert float(added.var(0).mean()) == pytest.approx(kind.noise_variance, abs=TOLERANCE)

    def test_what_is_added_does_not_go_with_the_clean_row(self, kind, x):
        added = corrupted(kind, x) - kind.kept_share * x
        covariance = (added - added.mean(0)).t() @ x / len(x)
        torch.testing.assert_close(covariance, torch.zeros_like(covariance), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", ["swap", "salt and pepper"])
def test_level_is_the_share_of_entries_changed(name, x):
    changed = (corrupted(KINDS[name], x) != x).double().mean()
    assert float(changed) == pytest.approx(KINDS[name].level, abs=0.01)


def test_swaps_keep_each_features_distribution(x):
    swapped = corrupted(KINDS["swap"], x)
    values = [set(column.tolist()) for column in x.t()]
    assert all(set(column.tolist()) <= known for column, known in zip(swapped.t(), values, strict=True))


def test_no_noise_is_no_change(x):
    assert corrupted(Gaussian(0.0), x) is x
    assert torch.equal(corrupted(Swap(0.0), x), x)


class TestMask:
    @pytest.mark.parametrize("level", [0.1, 0.3])
    def test_share_of_entries(self, x, level):
        masked = torch.isnan(mask(x, level, torch.Generator().manual_seed(0)))
        assert float(masked.double().mean()) == pytest.approx(level, abs=0.01)

    def test_share_of_a_row_is_even_between_none_and_twice_the_level(self):
        x = torch.zeros(4000, 400, dtype=torch.float64)
        share = torch.isnan(mask(x, 0.3, torch.Generator().manual_seed(0))).double().mean(1)
        quantiles = torch.quantile(share, torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64))
        np.testing.assert_allclose(quantiles, [0.06, 0.3, 0.54], atol=0.03)

    def test_something_is_left(self):
        x = torch.zeros(1000, 400, dtype=torch.float64)
        share = torch.isnan(mask(x, 0.9, torch.Generator().manual_seed(0))).double().mean(1)
        # Five standard errors of a share of 400 entries above the largest that is drawn.
        assert share.max() < MAX_MASKED + 5 * (MAX_MASKED * (1 - MAX_MASKED) / 400) ** 0.5

    def test_what_is_left_is_unchanged(self, x):
        masked = mask(x, 0.5, torch.Generator().manual_seed(0))
        assert torch.equal(masked[~torch.isnan(masked)], x[~torch.isnan(masked)])


class TestCustom:
    mean, scale = torch.tensor([10.0, 20.0, 30.0]).double(), torch.tensor([1.0, 2.0, 5.0]).double()

    def test_sees_rows_in_the_units_of_x(self, x):
        seen = []
        kind = Custom(lambda rows, random_state: seen.append(rows) or rows, self.mean, self.scale)
        torch.testing.assert_close(corrupted(kind, x), x)
        np.testing.assert_allclose(seen[0], x * self.scale + self.mean)

    def test_draws_repeat_with_the_generator(self, x):
        kind = Custom(lambda rows, random_state: rows + random_state.normal(size=rows.shape), self.mean, self.scale)
        assert torch.equal(corrupted(kind, x), corrupted(kind, x))
        assert not torch.equal(corrupted(kind, x), kind(x, torch.Generator().manual_seed(2)))

    def test_what_the_function_returns_is_left_alone(self):
        kept = np.arange(6.0).reshape(2, 3)
        corrupted(Custom(lambda rows, random_state: kept, self.mean, self.scale), torch.zeros(2, 3).double())
        np.testing.assert_array_equal(kept, np.arange(6.0).reshape(2, 3))

    def test_another_shape_is_an_error(self, x):
        kind = Custom(lambda rows, random_state: rows[:, :2], self.mean, self.scale)
        with pytest.raises(ValueError, match=r"corruption returned rows of shape \(40000, 2\), expected \(40000, 3\)"):
            corrupted(kind, x)


class TestCorruption:
    def test_the_judge_sees_the_same_every_time_and_nothing_where_noise_only_regularises(self, x):
        task = Corruption(Gaussian(0.5), noise_is_task=True)
        assert torch.equal(task(x, None), task(x, None))
        assert not torch.equal(task(x, None), x)
        assert Corruption(Gaussian(0.5))(x, None) is x
        masked = Corruption(Gaussian(0.5), masked_share=0.3)(x, None)
        assert 0.2 < masked.isnan().double().mean() < 0.4
        assert torch.equal(torch.where(masked.isnan(), x, masked), x)

    @pytest.mark.parametrize(
        ("corruption", "masks"),
        [
            (Corruption(Gaussian(0.5)), False),
            (Corruption(Gaussian(0.5), masked_share=0.1), True),
            (Corruption(Custom(identity, *2 * (torch.ones(3),))), True),
        ],
    )
    def test_masks(self, corruption, masks):
        assert corruption.masks is masks


class TestBestLinearDenoiser:
    @pytest.mark.parametrize("name", KINDS)
    @pytest.mark.parametrize("n_components", [1, 2, 3])
    def test_any_other_gain_or_bias_is_worse(self, x, name, n_components):
        kind = KINDS[name]
        if name != "gaussian":
            # Other noise is isotropic only if features are independent, with one variance and one range.
            x = torch.from_numpy(np.random.RandomState(0).normal(size=x.shape))
            x = (x - x.mean(0)) / x.std(0, correction=0)
            kind = (
                Swap(0.3)
                if name == "swap"
                else SaltAndPepper(0.2, *torch.tensor([[-2.0], [3.0]]).double().expand(2, 3))
            )
        y, linear = self.denoiser(kind, x, n_components)
        own_bias = 0.0 if linear.code_bias is None else torch.from_numpy(linear.code_bias)

        def error(gain=1.0, bias=0.0):
            z = (y @ torch.from_numpy(linear.encoder_axes) + own_bias) * gain + bias
            return float((x - z @ torch.from_numpy(linear.decoder_axes)).square().sum(1).mean())

        for i in range(n_components):
            change = torch.zeros(n_components, dtype=torch.float64)
            # Smaller ones are lost in the sampling error of the rows' covariance with the noise.
            change[i] = 0.1
            for other in ({"gain": 1 + change}, {"gain": 1 - change}, {"bias": change}, {"bias": -change}):
                assert error(**other) > error()

    def test_with_all_axes_it_is_the_regression_of_clean_rows_on_noisy_ones(self, x):
        y, linear = self.denoiser(KINDS["gaussian"], x, N_FEATURES)
        expected = torch.linalg.lstsq(y, x).solution.numpy()
        np.testing.assert_allclose(linear.encoder_axes @ linear.decoder_axes, expected, atol=TOLERANCE)

    def test_of_low_rank_no_perturbed_axes_are_better(self, x):
        y, linear = self.denoiser(KINDS["gaussian"], x, 2)
        encoder, decoder = torch.from_numpy(linear.encoder_axes), torch.from_numpy(linear.decoder_axes)

        def error(encoder, decoder):
            return float((x - y @ encoder @ decoder).square().sum(1).mean())

        generator = torch.Generator().manual_seed(0)
        for _ in range(20):
            one, other = (0.1 * torch.randn(a.shape, generator=generator, dtype=a.dtype) for a in (encoder, decoder))
            assert error(encoder + one, decoder + other) > error(encoder, decoder)

    @staticmethod
    def denoiser(kind, x, n_components):
        axes = principal_axes(RowSource(x.numpy()), n_components, random_state=np.random.RandomState(0))
        shift = None if kind.shift is None else kind.shift.numpy()
        linear = LinearAutoencoder.pca(axes).denoising(axes, kind.kept_share, kind.noise_variance, shift)
        # It works in its own unit, which is one for these rows.
        assert linear.unit == pytest.approx(1.0)
        return corrupted(kind, x), linear
