"""Rows in chunks: moments exact, results never worse than PCA's, and nothing learned from rows held out."""

import pickle

import numpy as np
import pytest
import torch
from family_cases import Dense, evenly, follow, short
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA

from skae import SKOPS_TRUSTED, AutoencoderOutlierDetector, AutoencoderTransformer

pytestmark = short
CUTS = {
    "one chunk": [],
    "chunks": [200, 350],
    "first fewer rows than components": [2, 300],
    "row by row at first": list(range(1, 30)),
}
each_cut = pytest.mark.parametrize(
    "cuts",
    [pytest.param(cuts, marks=[pytest.mark.slow] * (len(cuts) > 2)) for cuts in CUTS.values()],
    ids=CUTS,
)


def test_a_number_is_the_weight_of_every_row_of_a_chunk(digits):
    X = digits[0]
    ours, expected = AutoencoderTransformer(2, max_iter=0), AutoencoderTransformer(2, max_iter=0)
    ours.partial_fit(X[:200], sample_weight=3.0).partial_fit(X[200:400], sample_weight=1)
    expected.partial_fit(X[:200], sample_weight=np.full(200, 3.0)).partial_fit(X[200:400])
    np.testing.assert_array_equal(ours.mean_, expected.mean_)
    np.testing.assert_allclose(ours.mean_, (3 * X[:200].mean(0) + X[200:400].mean(0)) / 4)


@pytest.mark.parametrize("model", [AutoencoderTransformer(2, max_iter=0), AutoencoderOutlierDetector(max_iter=0)])
def test_streams_have_no_end(digits, model):
    model = clone(model).set_params(random_state=0).fit(digits[0][:100])
    model.__setstate__(model.__getstate__() | {"n_samples_seen_": 2**32})  # as if it had been saved then
    assert model.partial_fit(digits[0][100:200]).n_samples_seen_ == 2**32 + 100


@pytest.fixture(scope="module")
def rows(digits):
    return digits[0][:500]


@each_cut
class TestMoments:
    def test_equal_those_of_pca(self, rows, cuts):
        model, pca = follow(AutoencoderTransformer(4, random_state=0), rows, cuts), PCA(4, svd_solver="full").fit(rows)
        np.testing.assert_allclose(model.mean_, pca.mean_, atol=1e-12)
        np.testing.assert_allclose(model.components_, pca.components_, atol=1e-9)
        np.testing.assert_allclose(model.explained_variance_ratio_, pca.explained_variance_ratio_, atol=1e-12)
        assert model.n_samples_seen_ == 500

    @pytest.mark.parametrize("parameters", [{}, {"whiten": True}, {"scale": True}, {"code": "variational"}], ids=str)
    def test_codes_before_training_equal_those_of_fit(self, rows, cuts, parameters):
        model = AutoencoderTransformer(4, max_iter=0, dtype="float64", **parameters)
        codes, at_once = follow(model, rows, cuts).transform(rows), clone(model).fit(rows).transform(rows)
        np.testing.assert_allclose(codes, at_once, atol=1e-8)

    def test_weights_are_repetitions(self, rows, cuts):
        weight = np.random.RandomState(0).randint(1, 4, size=500)
        model = follow(AutoencoderTransformer(4, random_state=0), rows, cuts, weight.astype(float))
        pca = PCA(4, svd_solver="full").fit(np.repeat(rows, weight, axis=0))
        np.testing.assert_allclose(model.mean_, pca.mean_, atol=1e-12)
        np.testing.assert_allclose(model.components_, pca.components_, atol=1e-9)


class TestTraining:
    def test_whitened_codes_are_white(self, digits):
        model = follow(AutoencoderTransformer(4, whiten=True, random_state=0), digits[0], evenly(digits[0], 200))
        # By the rows held out, which are about a hundred.
        np.testing.assert_allclose(np.cov(model.transform(digits[0]).T), np.eye(4), atol=0.4)

    @pytest.mark.slow
    def test_improves_on_pca(self, digits):
        X, X_test = digits
        model, scores = AutoencoderTransformer(8, random_state=0), []
        for _ in range(3):
            scores.append(follow(model, X, evenly(X, 100)).score(X_test))
        pca = AutoencoderTransformer(8, max_iter=0).fit(X).score(X_test)
        assert pca < scores[0] < scores[1] < scores[2]
        assert 1 - scores[2] < 0.75 * (1 - pca)
        assert model.best_loss_ < model.initial_loss_

    @pytest.mark.slow
    def test_one_row_at_a_time(self, curve):
        model = AutoencoderTransformer(1, hidden_layer_sizes=(16,), learning_rate_init=0.01, random_state=0)
        follow(model, curve, evenly(curve, 1))
        np.testing.assert_allclose(model.mean_, curve.mean(axis=0))
        assert model.n_samples_seen_ == len(curve)
        assert 1 - model.score(curve) < 0.7 * (1 - AutoencoderTransformer(1, max_iter=0).fit(curve).score(curve))

    @pytest.mark.parametrize("size", [10, 100])
    @pytest.mark.slow
    def test_pca_stands_where_there_is_nothing_to_learn(self, size):
        noise = np.random.RandomState(0).normal(size=(1500, 10))
        model = follow(AutoencoderTransformer(3, random_state=0), noise[:1000], evenly(noise[:1000], size))
        pca = AutoencoderTransformer(3, max_iter=0).fit(noise[:1000])
        assert model.score(noise[1000:]) >= pca.score(noise[1000:]) - 0.002

    def test_weights_that_only_harm_are_not_shown(self, rows):
        model = AutoencoderTransformer(4, learning_rate_init=1.0, random_state=0)
        follow(model, rows, [250])
        assert model.best_loss_ == model.initial_loss_
        pca = PCA(4).fit(rows)
        np.testing.assert_allclose(model.transform(rows), pca.transform(rows), atol=1e-4)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"code": "ordered"},
            {"code": "sparse", "n_nonzero": 2},
            {"code": "variational"},
            {"loss": "huber"},
            {"corruption": "gaussian"},
            {"corruption": "masking"},
            {"corruption": "salt_and_pepper"},
            {"network": Dense, "learning_rate_init": 0.02},
            {"early_stopping": False},
            {"dtype": "bfloat16"},
            {"whiten": True, "scale": True},
        ],
        ids=str,
    )
    @pytest.mark.slow
    def test_the_family(self, digits, parameters):
        X = digits[0]
        model = AutoencoderTransformer(6, random_state=0, **parameters)
        for _ in range(2):
            follow(model, X, evenly(X, 200))
        assert model.best_loss_ < model.initial_loss_
        np.testing.assert_allclose(model.inverse_transform(model.transform(X)), model.reconstruct(X), atol=1e-4)
        assert model.sample(3, random_state=0).shape == (3, 64)

    @pytest.mark.parametrize("parameters", [{}, {"code": "sparse"}, {"code": "variational"}], ids=str)
    def test_a_single_row_is_what_is_drawn(self, digits, parameters):
        row = digits[0][:1]
        model = AutoencoderTransformer(3, random_state=0, **parameters).partial_fit(row)
        np.testing.assert_allclose(model.sample(4, random_state=0), row.repeat(4, axis=0), atol=1e-12)

    @pytest.mark.parametrize("n_components", [None, 0.7])
    def test_the_first_chunk_decides_the_length_of_the_code(self, rows, n_components):
        model = AutoencoderTransformer(n_components, random_state=0).partial_fit(rows[:20])
        expected = PCA(n_components, svd_solver="full").fit(rows[:20]).n_components_
        assert model.partial_fit(rows[20:]).transform(rows).shape[1] == model.n_components_ == expected

    def test_random_state(self, rows):
        first, second, other = (
            follow(AutoencoderTransformer(3, random_state=seed), rows, [250]).transform(rows) for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(first, second)
        assert (first != other).any()


class TestHeldOutRows:
    def test_codes_are_scaled_also_where_none_is_held_out(self):
        s = np.linspace(0, 6, 2000)
        X = np.column_stack([np.cos(s), np.sin(s), s / 3]) + 0.05 * np.random.RandomState(0).normal(size=(2000, 3))
        model = AutoencoderTransformer(2, whiten=True, early_stopping=False, random_state=0)
        follow(model, X, evenly(X, 200))
        np.testing.assert_allclose(model.transform(X).var(axis=0), 1.0, atol=0.2)
        drawn = model.sample(500, random_state=0)[:, 2]
        assert drawn.min() < 0.5
        assert drawn.max() > 1.5


class TestAfterFit:
    @pytest.mark.slow
    def test_goes_on_from_it(self, digits):
        X, X_test = digits
        model = AutoencoderTransformer(8, random_state=0).fit(X[:700])
        fitted = model.score(X_test)
        follow(model, X[700:], evenly(X[700:], 50))
        assert model.n_samples_seen_ == len(X)
        np.testing.assert_allclose(model.mean_, X.mean(axis=0))
        assert model.score(X_test) > fitted - 0.03
        # Of the first 700 rows eight axes are known: as IncrementalPCA, the leading ones come out almost as PCA's.
        assert (np.abs(model.components_ * PCA(8).fit(X).components_).sum(axis=1)[:4] > 0.99).all()

    def test_weights_of_both_make_the_mean(self, curve):
        """With all axes known the moments are exact."""
        weight = np.random.RandomState(0).randint(1, 5, size=len(curve)).astype(float)
        model = AutoencoderTransformer(3, max_iter=0).fit(curve[:200], sample_weight=weight[:200])
        model.partial_fit(curve[200:], sample_weight=weight[200:])
        np.testing.assert_allclose(model.mean_, np.average(curve, axis=0, weights=weight))

    def test_all_axes_make_it_exact(self, curve):
        model = AutoencoderTransformer(3, random_state=0).fit(curve[:150]).partial_fit(curve[150:])
        np.testing.assert_allclose(model.explained_variance_ratio_, PCA().fit(curve).explained_variance_ratio_)

    @pytest.mark.slow
    def test_one_row_does_not_bring_pca_back(self, digits):
        model = AutoencoderTransformer(8, random_state=0).fit(digits[0][:700])
        before = model.score(digits[1])
        assert model.partial_fit(digits[0][700:701]).score(digits[1]) == pytest.approx(before, abs=0.01)

    @pytest.mark.slow
    def test_of_rows_with_missing_entries(self, rows):
        """Complete rows go on training the network that sees which entries are missing, and filling stays possible."""
        gaps = np.where(np.random.RandomState(0).uniform(size=rows.shape) < 0.1, np.nan, rows)
        model = AutoencoderTransformer(3, random_state=0).fit(gaps[:300])
        before = model.score(gaps[300:])
        model.partial_fit(rows[300:400])
        assert model.score(gaps[300:]) > before - 0.05
        assert np.isfinite(model.reconstruct(gaps)).all()

    @pytest.mark.slow
    def test_fit_starts_anew(self, rows):
        model = follow(AutoencoderTransformer(3, random_state=0), rows, [250])
        np.testing.assert_array_equal(model.fit(rows).transform(rows), clone(model).fit(rows).transform(rows))
        assert model.n_samples_seen_ == 500


class TestInputs:
    @pytest.mark.parametrize("convert", [sparse.csr_array, np.float32])
    def test_the_container_does_not_matter(self, rows, convert):
        plain = follow(AutoencoderTransformer(3, random_state=0), rows, [250]).transform(rows)
        model = AutoencoderTransformer(3, random_state=0)
        for part in (rows[:250], rows[250:]):
            model.partial_fit(convert(part))
        np.testing.assert_allclose(model.transform(rows), plain, atol=1e-3)

    @pytest.mark.parametrize("saver", ["pickle", "skops.io"])
    @pytest.mark.slow
    def test_saved_in_between(self, digits, saver):
        save = pytest.importorskip(saver)
        X = digits[0]
        model = follow(AutoencoderTransformer(3, random_state=0), X, [500])
        trust = {"trusted": SKOPS_TRUSTED} if saver == "skops.io" else {}
        opened = save.loads(save.dumps(model), **trust)
        np.testing.assert_array_equal(opened.partial_fit(X).transform(X), model.partial_fit(X).transform(X))

    def test_rotated_codes_as_modules(self, digits):
        X = np.float32(digits[0])
        model = follow(AutoencoderTransformer(3, random_state=0), X, evenly(X, 200))
        assert model.best_loss_ < model.initial_loss_
        with torch.no_grad():
            codes = model.encoder_module()(torch.from_numpy(X))
        np.testing.assert_allclose(codes, model.transform(X), atol=1e-4)


class TestFailureChangesNothing:
    @pytest.mark.parametrize(
        ("change", "X", "message"),
        [
            ({}, np.full((3, 64), np.nan), "Call fit, which learns from rows with missing entries"),
            ({}, np.zeros((3, 63)), "X has 63 features, but AutoencoderTransformer is expecting 64"),
            ({}, np.zeros((0, 64)), "minimum of 1 is required"),
            ({}, np.full((3, 64), 1e200), "divide X"),
            ({"n_components": 4}, np.zeros((3, 64)), "n_components was 3 and is now 4"),
            (
                {"hidden_layer_sizes": (4,)},
                np.zeros((3, 64)),
                r"hidden_layer_sizes was \(128, 128, 128\) and is now \(4,\)",
            ),
            ({"learning_rate_init": 1e300}, np.eye(64), "lower learning_rate_init"),
            ({"alpha": -1}, np.zeros((3, 64)), "The 'alpha' parameter"),
        ],
    )
    def test_a_later_chunk(self, rows, change, X, message):
        model = follow(AutoencoderTransformer(3, random_state=0), rows, [250])
        before, arrays = dict(vars(model)), pickle.dumps(model)
        model.set_params(**change)
        with pytest.raises(ValueError, match=message):
            model.partial_fit(X)
        assert vars(model) == before | change
        assert pickle.dumps(model.set_params(**{name: before[name] for name in change})) == arrays

    def test_the_first_chunk(self):
        model = AutoencoderTransformer(3)
        with pytest.raises(ValueError, match=r"at most 2000 of them\. Got 2001: call fit"):
            model.partial_fit(np.zeros((3, 2001)))
        assert vars(model) == vars(AutoencoderTransformer(3))


KINDS = {"contaminated": {}, "clean": {"novelty": True}, "reconstruction": {"method": "reconstruction"}}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
class TestDetector:
    def model(self, kind):
        return AutoencoderOutlierDetector(**kind, hidden_layer_sizes=(16,), max_iter=2, random_state=0)

    @pytest.mark.parametrize("weighted", [False, True])
    def test_equals_fit_while_all_rows_are_kept(self, digits, kind, weighted):
        X, X_test = digits[0][:300], digits[1]
        weight = np.arange(1, 301) % 3 if weighted else None
        expected = self.model(kind).fit(X, sample_weight=weight)
        model = follow(self.model(kind), X, [1, 200], weight)
        np.testing.assert_array_equal(model.score_samples(X_test), expected.score_samples(X_test))
        assert model.offset_ == expected.offset_
        assert model.n_samples_seen_ == expected.n_samples_seen_

    @pytest.mark.slow
    def test_goes_on_after_fit_which_forgets(self, digits, kind):
        X, X_test = digits[0][:300], digits[1]
        expected = self.model(kind).fit(X)
        model = self.model(kind).partial_fit(X_test).fit(X[:200]).partial_fit(X[200:])
        assert model.n_samples_seen_ == 300
        np.testing.assert_array_equal(model.score_samples(X_test), expected.score_samples(X_test))
