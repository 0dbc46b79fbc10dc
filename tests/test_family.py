"""The members of the family: closed-form oracles first, then what each promises, then what goes together."""

import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from family_cases import Dense, hide_some, root_mean_square, short, untrained
from scipy import sparse
from scipy.special import xlogy
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skae import AutoencoderTransformer
from skae.networks import ConvolutionalNetwork


class TestStartsAtAClosedForm:
    def test_variational_is_probabilistic_pca(self, digits):
        X, X_test = digits
        X, X_test = X[:, :48], X_test[:, :48]
        ours, pca = untrained(5, code="variational").fit(X), PCA(5, svd_solver="full").fit(X)
        # PCA divides variances by n - 1, the maximum likelihood estimate by n.
        shrink = np.sqrt((len(X) - 1) / len(X))
        exact = PCA(5, svd_solver="full").fit((X - X.mean(axis=0)) * shrink + X.mean(axis=0))
        np.testing.assert_allclose(ours.score_samples(X_test), exact.score_samples(X_test), rtol=1e-6)
        np.testing.assert_allclose(ours.score_samples(X_test).mean(), pca.score(X_test), rtol=0.01)

    def test_variational_bound_does_not_depend_on_units(self, digits):
        X, X_test = digits
        ours = untrained(5, code="variational").fit(X)
        doubled = untrained(5, code="variational").fit(2 * X)
        difference = ours.score_samples(X_test) - doubled.score_samples(2 * X_test)
        np.testing.assert_allclose(difference, 64 * np.log(2))

    def test_denoising_is_the_wiener_filter(self, digits):
        X, _ = digits
        level = 0.7
        covariance = np.cov(X.T, bias=True)
        noise = level**2 * np.trace(covariance) / 64 * np.eye(64)
        wiener = covariance @ np.linalg.pinv(covariance + noise)
        noisy = X + level * np.random.RandomState(0).normal(size=X.shape)
        ours = untrained(None, corruption="gaussian", corruption_level=level).fit(X)
        expected = (noisy - X.mean(axis=0)) @ wiener.T + X.mean(axis=0)
        np.testing.assert_allclose(ours.reconstruct(noisy), expected, atol=1e-8)

    def test_sparse_keeps_the_largest_of_pcas_codes(self, digits):
        X, X_test = digits
        dense, keeps_three = (untrained(10, **code).fit(X) for code in ({}, {"code": "sparse", "n_nonzero": 3}))
        codes, sparse_codes = dense.transform(X_test), keeps_three.transform(X_test)
        kept = np.abs(codes) >= np.sort(np.abs(codes), axis=1)[:, [-3]]
        np.testing.assert_allclose(sparse_codes, codes * kept, atol=1e-10)

    @pytest.mark.parametrize("loss", ["absolute_error", "huber", "binary_cross_entropy", "poisson"])
    def test_every_loss_starts_at_pca_within_its_range(self, digits, loss):
        X, X_test = digits
        ours, pca = untrained(8, loss=loss).fit(X), untrained(8).fit(X)
        inside = (pca.reconstruct(X_test) > 0.1) & (pca.reconstruct(X_test) < 0.9)
        np.testing.assert_allclose(ours.reconstruct(X_test)[inside], pca.reconstruct(X_test)[inside], atol=1e-9)
        np.testing.assert_allclose(ours.transform(X_test), pca.transform(X_test), atol=1e-9)

    @pytest.mark.parametrize("make", [Dense, ConvolutionalNetwork((1, 8, 8), (4,))], ids=["module", "convolutional"])
    def test_a_network_starts_at_pca(self, digits, make):
        X, X_test = digits
        ours, pca = untrained(4, network=make).fit(X), untrained(4).fit(X)
        np.testing.assert_allclose(ours.transform(X_test), pca.transform(X_test), atol=1e-9)
        np.testing.assert_allclose(ours.reconstruct(X_test), pca.reconstruct(X_test), atol=1e-9)

    def test_missing_entries_are_filled_by_their_conditional_mean(self):
        rng = np.random.RandomState(0)
        X = rng.normal(size=(4000, 3)) @ rng.normal(size=(3, 3)) + 5.0
        incomplete, hidden = hide_some(X, 0.2)
        ours = untrained(None).fit(incomplete)
        covariance, mean = np.cov(X.T), X.mean(axis=0)
        row = np.array([[np.nan, 6.0, 5.0]])
        expected = mean[0] + covariance[0, 1:] @ np.linalg.solve(covariance[1:, 1:], row[0, 1:] - mean[1:])
        # 4,000 rows settle the regression to about 2 % of a deviation; the noise floor shrinks it a little.
        assert ours.reconstruct(row)[0, 0] == pytest.approx(expected, abs=0.1 * np.sqrt(covariance[0, 0]))
        np.testing.assert_allclose(ours.reconstruct(row)[0, 1:], row[0, 1:])
        assert hidden.any()


class TestMissingValues:
    @pytest.mark.slow
    def test_fills_better_than_the_gaussian_fill_and_that_better_than_the_mean(self, digits):
        X, _ = digits
        incomplete, hidden = hide_some(X, 0.3)
        error = {
            name: root_mean_square((model.fit(incomplete).reconstruct(incomplete) - X)[hidden])
            for name, model in {
                "trained": AutoencoderTransformer(None, random_state=0),
                "untrained": untrained(None, random_state=0),
            }.items()
        }
        assert (
            error["trained"] < error["untrained"] < 0.8 * root_mean_square((X - np.nanmean(incomplete, axis=0))[hidden])
        )

    @short
    @pytest.mark.slow
    def test_complete_rows_after_incomplete_ones_and_the_other_way_round(self, digits):
        X, X_test = digits
        incomplete, _ = hide_some(X, 0.2)
        for train, test in [(incomplete, X_test), (X, hide_some(X_test, 0.2)[0])]:
            ours = AutoencoderTransformer(8, max_iter=10, random_state=0).fit(train)
            assert np.isfinite(ours.transform(test)).all()
            assert ours.score(test) > 0.5

    @pytest.mark.slow
    def test_masking_is_for_rows_that_will_lack_entries(self, digits):
        X, X_test = digits[0][:700], digits[1]
        incomplete, hidden = hide_some(X_test, 0.4)
        plain = AutoencoderTransformer(16, random_state=0).fit(X)
        masked = AutoencoderTransformer(16, corruption="masking", corruption_level=0.4, random_state=0).fit(X)
        errors = [root_mean_square((model.reconstruct(incomplete) - X_test)[hidden]) for model in (masked, plain)]
        assert errors[0] < 0.9 * errors[1]

    def test_rows_without_any_entry_become_the_mean(self, digits):
        X, _ = digits
        incomplete, _ = hide_some(X, 0.1)
        incomplete[0] = np.nan
        ours = untrained(4, random_state=0).fit(incomplete)
        np.testing.assert_allclose(ours.reconstruct(incomplete[:1])[0], ours.mean_)
        assert ours.score_samples(incomplete[:1])[0] == 0.0

    @short
    def test_scores_count_observed_entries_only(self, digits):
        X, _ = digits
        incomplete, hidden = hide_some(X, 0.2)
        ours = AutoencoderTransformer(4, max_iter=5, random_state=0).fit(incomplete)
        residual = np.where(hidden, 0.0, ours.reconstruct(incomplete) - np.nan_to_num(incomplete))
        # Squares of float32 residuals, added in another order.
        np.testing.assert_allclose(ours.score_samples(incomplete), -np.square(residual).sum(axis=1), rtol=1e-4)

    def test_a_feature_never_observed_is_an_error(self, curve):
        X = curve.copy()
        X[:, 1] = np.nan
        with pytest.raises(ValueError, match=r"without any observed value: \[1\]"):
            AutoencoderTransformer(1).fit(X)

    def test_infinite_entries_are_still_refused(self, curve):
        X = curve.copy()
        X[0, 0] = np.inf
        with pytest.raises(ValueError, match="infinity"):
            AutoencoderTransformer(1).fit(X)


class TestSparseCodes:
    @pytest.mark.parametrize(("n_components", "expected"), [(4, 1), (32, 3), (60, 6)])
    def test_a_tenth_is_nonzero_by_default(self, digits, n_components, expected):
        """As many as scikit-learn's orthogonal matching pursuit."""
        codes = untrained(n_components, code="sparse").fit_transform(digits[0])
        assert set((codes != 0).sum(axis=1)) == {expected}

    @pytest.mark.slow
    def test_no_more_active_than_asked_for_and_better_than_pca_so_cut(self, digits):
        X, X_test = digits
        ours = AutoencoderTransformer(32, code="sparse", n_nonzero=4, random_state=0).fit(X)
        assert (ours.transform(X_test) != 0).sum(axis=1).max() == 4
        assert ours.score(X_test) > untrained(32, code="sparse", n_nonzero=4).fit(X).score(X_test) + 0.05
        np.testing.assert_allclose(ours.inverse_transform(ours.transform(X_test)), ours.reconstruct(X_test), atol=1e-5)

    @pytest.mark.slow
    def test_four_active_of_many_say_as_much_as_forty_of_pca(self):
        X, y = load_digits(return_X_y=True)
        X, X_test, y, y_test = train_test_split(X / 16, y, test_size=0.25, stratify=y, random_state=0)

        def accuracy(reducer):
            probe = make_pipeline(reducer.fit(X), StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
            return probe.fit(X, y).score(X_test, y_test)

        assert accuracy(AutoencoderTransformer(64, code="sparse", n_nonzero=4, random_state=0)) > accuracy(PCA(40))


@pytest.fixture(scope="module")
def ordered(digits):
    return AutoencoderTransformer(6, code="ordered", random_state=0).fit(digits[0])


@pytest.mark.slow
class TestOrderedCodes:
    def test_every_prefix_beats_pcas(self, ordered, digits):
        X, X_test = digits
        codes, total = ordered.transform(X_test), np.square(X_test - ordered.mean_).sum()
        for count in range(1, 7):
            explained = 1 - np.square(ordered.inverse_transform(codes[:, :count]) - X_test).sum() / total
            assert explained > untrained(count).fit(X).score(X_test)

    def test_shares_sum_to_what_the_code_explains(self, ordered, digits):
        assert ordered.explained_variance_ratio_.sum() == pytest.approx(ordered.score(digits[0]), abs=1e-4)
        assert (ordered.explained_variance_ratio_ > 0).all()

    def test_shares_are_of_weighted_rows(self):
        rng = np.random.RandomState(0)
        line = np.column_stack([8 * rng.normal(size=400), np.zeros((400, 3))]) + 0.01 * rng.normal(size=(400, 4))
        X, weight = np.concatenate([rng.normal(size=(200, 4)), line]), np.r_[np.full(200, 200), np.ones(400, int)]
        ours = AutoencoderTransformer(0.9, code="ordered", max_iter=0).fit(X, sample_weight=weight)
        assert ours.n_components_ == 4
        assert ours.explained_variance_ratio_.sum() == pytest.approx(ours.score(X, sample_weight=weight))

    def test_what_was_fitted_says_whether_prefixes_will_do(self, ordered, digits):
        codes = ordered.transform(digits[1])[:, :2]
        changed = clone(ordered).set_params(max_iter=0).fit(digits[0]).set_params(code="dense")
        assert changed.inverse_transform(codes).shape == digits[1].shape
        with pytest.raises(ValueError, match="X has 2 features, but AutoencoderTransformer is expecting 6 components"):
            untrained(6).fit(digits[0]).set_params(code="ordered").inverse_transform(codes)

    def test_the_decoder_module_takes_prefixes(self, ordered, digits):
        codes = ordered.transform(digits[1])[:, :2]
        decoded = ordered.decoder_module()(torch.from_numpy(codes).float()).detach().numpy()
        np.testing.assert_allclose(decoded, ordered.inverse_transform(codes), atol=1e-4)

    def test_length_by_the_share_to_explain(self, digits):
        X, X_test = digits
        ours = AutoencoderTransformer(0.8, code="ordered", random_state=0).fit(X)
        assert ours.n_components_ < PCA(0.8).fit(X).n_components_
        assert ours.score(X_test) == pytest.approx(0.8, abs=0.03)
        assert ours.transform(X_test).shape[1] == len(ours.components_) == len(ours.explained_variance_ratio_)


class TestVariational:
    @pytest.mark.slow
    def test_training_raises_the_bound(self, digits):
        X, X_test = digits
        ours = AutoencoderTransformer(6, code="variational", random_state=0).fit(X)
        assert (
            ours.score_samples(X_test).mean() > untrained(6, code="variational").fit(X).score_samples(X_test).mean() + 5
        )

    @pytest.mark.slow
    def test_beta_pulls_codes_to_the_prior(self, digits):
        X, _ = digits
        spread = [
            AutoencoderTransformer(6, code="variational", beta=beta, random_state=0).fit_transform(X).std()
            for beta in (0.1, 1.0, 20.0)
        ]
        assert spread[0] > spread[1] > spread[2]

    @short
    def test_scores_repeat_and_do_not_depend_on_neighbours(self, digits):
        X, X_test = digits
        ours = AutoencoderTransformer(4, code="variational", max_iter=5, random_state=0).fit(X)
        np.testing.assert_array_equal(ours.score_samples(X_test), ours.score_samples(X_test))
        np.testing.assert_allclose(ours.score_samples(X_test[:3]), ours.score_samples(X_test)[:3], rtol=1e-4)


class TestSample:
    @pytest.mark.parametrize("code", ["dense", "variational"])
    @pytest.mark.slow
    def test_samples_are_recognised_and_varied(self, digits, code):
        X, _ = digits
        ours = AutoencoderTransformer(10, code=code, random_state=0).fit(X)
        drawn = ours.sample(300, random_state=0)
        assert drawn.shape == (300, 64)
        # New rows lie about as near to their nearest training row as those lie to each other, not far from all.
        between = np.linalg.norm(X[:, None, :] - X[None, :200, :], axis=2)
        np.fill_diagonal(between, np.inf)
        nearest = np.linalg.norm(drawn[:, None, :] - X[None], axis=2).min(axis=1)
        assert np.median(nearest) < 1.4 * np.median(between.min(axis=0))
        # Less than rows vary: what a code leaves out is left out of samples.
        assert drawn.std(axis=0).mean() > 0.68 * X.std(axis=0).mean()

    def test_repeats_for_a_seed_only(self, digits):
        ours = untrained(4).fit(digits[0])
        np.testing.assert_array_equal(ours.sample(5, random_state=1), ours.sample(5, random_state=1))
        assert np.any(ours.sample(5, random_state=1) != ours.sample(5, random_state=2))
        assert np.any(ours.sample(5) != ours.sample(5))

    def test_few_rows_make_one_gaussian_many_as_many_as_they_show(self):
        side = np.repeat([-1.0, 1.0], 30)
        X = np.column_stack([side, -side]) + np.random.RandomState(0).normal(scale=0.05, size=(60, 2))

        def share_between_the_groups(X):
            return np.mean(np.abs(untrained(1).fit(X).sample(1000, random_state=0)[:, 0]) < 0.5)

        assert share_between_the_groups(X) == 0.0
        assert share_between_the_groups(X[::10]) > 0.3  # .38 of a standard normal distribution

    @pytest.mark.parametrize("n_nonzero", [3, np.int64(3)])
    def test_sparse_samples_are_of_codes_as_sparse(self, digits, n_nonzero):
        ours = untrained(16, code="sparse", n_nonzero=n_nonzero).fit(digits[0])
        # The decoder is linear: rows tell the codes.
        origin = ours.inverse_transform(np.zeros((1, 16)))
        atoms = ours.inverse_transform(np.eye(16)) - origin
        drawn = (ours.sample(1000, random_state=0) - origin) @ np.linalg.pinv(atoms)
        codes = ours.transform(digits[0])
        n_drawn, n_active = ((np.abs(z) > 1e-6).sum(axis=1) for z in (drawn, codes))
        assert set(n_drawn) == set(n_active) == {3}
        assert root_mean_square(drawn) == pytest.approx(root_mean_square(codes), rel=0.1)

    def test_a_density_is_fitted_once_for_each_fit(self, digits, monkeypatch):
        fitted_to, fit = [], GaussianMixture.fit
        monkeypatch.setattr(GaussianMixture, "fit", lambda self, X: fitted_to.append(X) or fit(self, X))
        ours, X = untrained(4).fit(digits[0][:300]), digits[0]
        before = pickle.dumps(ours)
        first = ours.sample(5, random_state=0)
        n_fits = len(fitted_to)
        np.testing.assert_array_equal(ours.sample(5, random_state=0), first)
        assert len(fitted_to) == n_fits > 0
        assert pickle.dumps(ours) == before
        np.testing.assert_array_equal(pickle.loads(before).sample(5, random_state=0), first)
        for renewed in (ours.partial_fit(X[300:500]), ours.fit(X[:200])):
            again = renewed.sample(5, random_state=0)
            np.testing.assert_array_equal(pickle.loads(pickle.dumps(renewed)).sample(5, random_state=0), again)
            assert np.any(again != first)

    def test_rows_count_by_their_weight(self):
        rng = np.random.RandomState(0)
        X = np.concatenate([rng.normal(0, 1, (300, 3)), rng.normal(20, 1, (300, 3))])
        ours = untrained(2).fit(X, sample_weight=np.repeat([19.0, 1.0], 300))
        assert (ours.sample(2000, random_state=0).mean(axis=1) > 10).mean() == pytest.approx(0.05, abs=0.02)

    def test_threads_draw_as_one_does(self, digits):
        ours = untrained(4).fit(digits[0][:300])
        alone = [ours.sample(50, random_state=seed) for seed in range(20)]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda seed: ours.sample(50, random_state=seed), range(20)))
        np.testing.assert_array_equal(together, alone)

    @pytest.mark.parametrize("n_samples", [0, -1, 2.5, "many"])
    def test_bad_number(self, digits, n_samples):
        with pytest.raises(ValueError, match="Invalid value for 'n_samples'"):
            untrained(2).fit(digits[0]).sample(n_samples)


class TestRanges:
    @pytest.mark.parametrize("corruption", ["masking", "salt_and_pepper", "swap"])
    def test_no_more_than_all_entries_are_corrupted(self, digits, corruption):
        ours = AutoencoderTransformer(2, corruption=corruption, corruption_level=20)
        with pytest.raises(ValueError, match=rf"corruption='{corruption}', and at most 1\. Got 20 instead"):
            ours.fit(digits[0])

    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_output_of_min_max_scaler_is_in_the_range(self, dtype):
        """Years within a decade, whose largest are scaled to 1 + 64 units of rounding."""
        years = (2000 + 10 * np.random.RandomState(0).uniform(size=(60, 4))).astype(dtype)
        X = MinMaxScaler().fit_transform(years)
        X[0] = 1 + 64 * np.finfo(dtype).eps
        X[1] = -64 * np.finfo(dtype).eps
        clipped = X.clip(0, 1)
        for container in (np.asarray, sparse.csr_array, torch.from_numpy):
            ours = untrained(2, loss="binary_cross_entropy").fit(container(X))
            np.testing.assert_allclose(ours.transform(X), ours.transform(clipped), atol=1e3 * np.finfo(dtype).eps)
        untrained(2, loss="binary_cross_entropy").partial_fit(X[:30]).partial_fit(X[30:])
        untrained(2, loss="binary_cross_entropy", code="variational").fit(X)
        make_pipeline(MinMaxScaler(), untrained(2, loss="binary_cross_entropy")).fit(years)

    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_zeros_of_counts_may_be_off_by_roundings_of_the_largest_count(self, digits, dtype):
        X = (1e3 * digits[0][:60, 20:30]).astype(dtype)
        off = np.finfo(dtype).eps * X.max()
        X[X == 0] = -off
        untrained(2, loss="poisson").fit(X)
        untrained(2, loss="poisson").partial_fit(X)
        X[0, 0] = -1e4 * off
        with pytest.raises(ValueError, match=r"requires values of X in the range \[0, inf\)"):
            untrained(2, loss="poisson").fit(X)

    @pytest.mark.parametrize(
        ("loss", "dtype", "value", "got"),
        [
            ("binary_cross_entropy", np.float64, 1.0001, "1.0001"),
            ("binary_cross_entropy", np.float64, 1.000000001, "1.000000001"),
            ("binary_cross_entropy", np.float32, 1.0001, "1.0001"),
            ("binary_cross_entropy", np.float64, -1e-10, "-1e-10"),
            ("binary_cross_entropy", np.float64, 256, "256.0"),
            ("poisson", np.float64, -0.001, "-0.001"),
            ("poisson", np.float32, -1, "-1.0"),
        ],
    )
    def test_training_rows_outside_of_the_range(self, digits, loss, dtype, value, got):
        X = digits[0][:60].astype(dtype)
        fitted = untrained(2, loss=loss).fit(X)
        X[3, 5] = value
        message = rf"^loss='{loss}' requires values of X in the range \[0, .*\. Got {re.escape(got)} instead\. Scale X"
        for call in (clone(fitted).fit, fitted.partial_fit, fitted.set_params(warm_start=True).fit):
            for container in (np.asarray, sparse.csr_array, torch.from_numpy):
                with pytest.raises(ValueError, match=message):
                    call(container(X))

    @pytest.mark.parametrize("missing", [False, True])
    def test_new_rows_outside_of_the_range_are_compared_as_its_bounds(self, digits, missing):
        common = digits[0].mean(axis=0) > 0.1 * digits[0].max()  # counts of which no rate is zero
        X, new = (rows[:, common] / digits[0].max() for rows in digits)
        new = 3 * new - 1
        if missing:
            X, new = hide_some(X, 0.1)[0], hide_some(new, 0.1)[0]
        ours = untrained(4, loss="binary_cross_entropy").fit(X)
        p, x = ours.reconstruct(new), new.clip(0, 1)
        expected = np.nansum(x * np.log(p) + (1 - x) * np.log1p(-p), axis=1)
        for rows in (new, torch.from_numpy(new)):
            np.testing.assert_allclose(ours.score_samples(rows), expected)
        ours = untrained(4, loss="poisson").fit(X)
        rate, x = ours.reconstruct(new), new.clip(0)
        expected = -np.nansum(rate - x + xlogy(x, x / rate), axis=1)
        np.testing.assert_allclose(ours.score_samples(new), expected)

    @pytest.mark.parametrize("loss", ["binary_cross_entropy", "poisson"])
    def test_bounds_of_rows_outside_of_the_range(self, digits, loss):
        """What a code explains of a row is encoded as it is: only the row that is compared is clipped."""
        X = digits[0] / digits[0].max()
        ours = untrained(4, loss=loss, code="variational").fit(X)
        inside, outside = X[:20].copy(), X[:20].copy()
        # Without variance the first pixel does not enter the code.
        assert X[:, 0].std() == 0
        outside[:, 0] = -2.0
        np.testing.assert_allclose(ours.score_samples(outside), ours.score_samples(inside))

    def test_rows_of_a_pipeline_outside_of_the_range_have_scores(self, digits):
        X, new = digits[0][:100], 1.2 * digits[1]
        model = make_pipeline(MinMaxScaler(), untrained(4, loss="binary_cross_entropy")).fit(X)
        assert model[:-1].transform(new).max() > 1
        assert np.isfinite(model.score_samples(new)).all()
        assert np.isfinite(model.score(new))


class TestCombinations:
    @pytest.mark.slow
    def test_everything_that_makes_sense_together(self, digits):
        X, X_test = digits[0][:700], digits[1]
        incomplete, hidden = hide_some(X_test, 0.2)
        ours = AutoencoderTransformer(
            8,
            network=Dense,
            code="variational",
            loss="binary_cross_entropy",
            corruption="salt_and_pepper",
            corruption_level=0.1,
            random_state=0,
        ).fit(hide_some(X, 0.2)[0])
        assert ours.best_loss_ < ours.initial_loss_
        filled = ours.reconstruct(incomplete)
        assert root_mean_square((filled - X_test)[hidden]) < 0.9 * root_mean_square((X_test - X.mean(axis=0))[hidden])
        assert ((filled > 0) & (filled < 1)).all()
        assert np.isfinite(ours.score_samples(incomplete)).all()

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"n_nonzero": 2}, "n_nonzero=2 needs code='sparse'. Got code='dense'"),
            ({"n_nonzero": 2, "code": "ordered"}, "n_nonzero=2 needs code='sparse'. Got code='ordered'"),
            ({"n_nonzero": 2, "code": "variational"}, "n_nonzero=2 needs code='sparse'. Got code='variational'"),
            ({"corruption_level": 0.3}, r"corruption_level=0\.3 needs a corruption. Got corruption=None"),
            ({"corruption_level": 0.0}, r"corruption_level=0\.0 needs a corruption. Got corruption=None"),
            ({"whiten": True, "code": "ordered"}, "whiten=True and code='ordered' cannot be .* an order"),
            ({"whiten": True, "code": "sparse"}, "whiten=True and code='sparse' cannot be .* most of them to zero"),
            ({"whiten": True, "code": "variational"}, "whiten=True and code='variational' cannot be .* a prior"),
            ({"code": "variational", "loss": "huber"}, "a loss that is a likelihood"),
            ({"code": "ordered", "n_components": 0.9, "network": Dense}, "give n_components as an int"),
            ({"code": "neighbors", "corruption": "gaussian"}, "code='neighbors' and corruption='gaussian' cannot be"),
            ({"code": "neighbors", "dtype": "bfloat16"}, "code='neighbors' cannot be used with dtype='bfloat16'"),
            ({"loss": "binary_cross_entropy"}, r"requires values of X in the range \[0, 1\]"),
            ({"loss": "poisson"}, r"requires values of X in the range \[0, inf\)"),
        ],
    )
    def test_contradictions_say_why(self, curve, parameters, message):
        ours = AutoencoderTransformer(2).set_params(**parameters)
        before = dict(vars(ours))
        with pytest.raises(ValueError, match=message):
            ours.fit(curve)
        assert vars(ours) == before

    @pytest.mark.parametrize(
        "parameters",
        [
            {"loss": "l2"},
            {"corruption": "dust"},
            {"n_nonzero": 0},
            {"beta": 0.0},
            {"code": "short"},
            {"network": "cnn"},
        ],
        ids=str,
    )
    def test_parameters_out_of_range(self, curve, parameters):
        with pytest.raises(ValueError, match=f"The '{next(iter(parameters))}' parameter"):
            AutoencoderTransformer(2, **parameters).fit(curve)

    def test_weights_of_incomplete_rows(self):
        """Two groups of rows in which features go together or against each other: fills follow the one that weighs."""
        rng = np.random.RandomState(0)
        first = rng.normal(size=(400, 1))
        X = np.hstack([first, np.where(np.arange(400)[:, None] < 200, first, -first) + 0.1 * rng.normal(size=(400, 1))])
        X[::5, 1] = np.nan
        weight = np.where(np.arange(400) < 200, 100.0, 1.0)
        for heavy, sign in [(weight, 1.0), (weight[::-1], -1.0)]:
            filled = untrained(2).fit(X, sample_weight=heavy).reconstruct([[2.0, np.nan]])
            np.testing.assert_allclose(filled[0, 1], sign * 2.0, atol=0.3)

    @pytest.mark.slow
    def test_custom_corruption(self, digits):
        X, X_test = digits[0][:700], digits[1]
        shapes = set()

        def hide_a_half(rows, rng):
            shapes.add(rows.shape[1])
            left = rng.uniform(size=(len(rows), 1)) < 0.5
            return np.where(left == (np.arange(64) % 8 < 4), np.nan, rows)

        ours = AutoencoderTransformer(16, corruption=hide_a_half, random_state=0).fit(X)
        right_missing = np.where(np.arange(64) % 8 < 4, X_test, np.nan)
        error = root_mean_square((ours.reconstruct(right_missing) - X_test)[:, np.arange(64) % 8 >= 4])
        start = untrained(16, corruption=hide_a_half).fit(X).reconstruct(right_missing)
        assert error < 0.95 * root_mean_square((start - X_test)[:, np.arange(64) % 8 >= 4])
        assert shapes == {64}

        with pytest.raises(ValueError, match="corruption returned rows of shape"):
            AutoencoderTransformer(2, corruption=lambda rows, rng: rows[:1]).fit(X)


@short
@pytest.mark.slow
def test_codes_serve_a_classifier():
    X, y = load_digits(return_X_y=True)
    for member in ({"code": "variational"}, {"code": "ordered"}, {"code": "sparse", "n_nonzero": 8}):
        codes = AutoencoderTransformer(16, max_iter=20, random_state=0, **member).fit_transform(X[:600])
        assert LogisticRegression(max_iter=2000).fit(codes[:400], y[:400]).score(codes[400:], y[400:600]) > 0.75
