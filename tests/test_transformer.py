"""AutoencoderTransformer: closed-form oracles first, then what users rely on."""

import pickle
import warnings

import numpy as np
import pytest
from family_cases import untrained
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from skae import AutoencoderOutlierDetector, AutoencoderTransformer


class TestIsPCABeforeTraining:
    @pytest.mark.parametrize("n_components", [1, 5, 0.8, None])
    def test_codes_reconstruction_and_attributes(self, digits, n_components):
        X, X_test = digits
        ours, pca = untrained(n_components).fit(X), PCA(n_components, svd_solver="full").fit(X)
        codes = pca.transform(X_test)
        varied = pca.explained_variance_ratio_ > 1e-12  # pixels that never change leave axes that are arbitrary
        assert ours.n_components_ == pca.n_components_
        np.testing.assert_allclose(ours.transform(X_test)[:, varied], codes[:, varied], atol=1e-9)
        np.testing.assert_allclose(ours.reconstruct(X_test), pca.inverse_transform(codes), atol=1e-9)
        np.testing.assert_allclose(ours.components_[varied], pca.components_[varied], atol=1e-9)
        np.testing.assert_allclose(ours.explained_variance_ratio_, pca.explained_variance_ratio_, atol=1e-12)
        np.testing.assert_allclose(ours.mean_, pca.mean_)

    def test_weights_make_it_the_weighted_pca(self, curve):
        weight = np.random.RandomState(0).randint(0, 4, size=len(curve))
        ours, pca = untrained(2).fit(curve, sample_weight=weight), PCA(2).fit(np.repeat(curve, weight, axis=0))
        np.testing.assert_allclose(ours.transform(curve), pca.transform(curve), atol=1e-9)

    def test_whitened_codes(self, digits):
        X, X_test = digits
        ours, pca = untrained(5, whiten=True).fit(X), PCA(5, whiten=True, svd_solver="full").fit(X)
        np.testing.assert_allclose(ours.transform(X_test), pca.transform(X_test), atol=1e-8)
        np.testing.assert_allclose(ours.inverse_transform(ours.transform(X_test)), ours.reconstruct(X_test), atol=1e-9)

    def test_scaled_features(self, curve):
        X = curve * [1.0, 100.0, 0.01]
        scaled = (X - X.mean(axis=0)) / X.std(axis=0)
        np.testing.assert_allclose(untrained(2, scale=True).fit_transform(X), PCA(2).fit_transform(scaled), atol=1e-9)

    def test_more_components_than_rows(self, curve):
        ours = untrained(3).fit(curve[:2])
        codes = ours.transform(curve[:2])
        np.testing.assert_allclose(codes[:, :1], PCA(1).fit_transform(curve[:2]), atol=1e-9)
        np.testing.assert_allclose(codes[:, 1:], 0.0, atol=1e-12)
        np.testing.assert_allclose(ours.reconstruct(curve[:2]), curve[:2], atol=1e-9)

    def test_in_float32_to_its_rounding(self, digits):
        X, X_test = digits
        ours = AutoencoderTransformer(5, max_iter=0).fit(X)
        # 64 products of numbers of order one, each rounded to 1e-7.
        np.testing.assert_allclose(ours.transform(X_test), PCA(5).fit(X).transform(X_test), atol=1e-5)


class TestLinearAutoencoder:
    def test_spans_the_principal_subspace(self, curve):
        """Baldi & Hornik (1989): the optimum of a linear autoencoder is the principal subspace."""
        linear = AutoencoderTransformer(2, hidden_layer_sizes=(), alpha=0.0, max_iter=50, random_state=0).fit(curve)
        pca = PCA(2).fit(curve)
        np.testing.assert_allclose(linear.reconstruct(curve), pca.inverse_transform(pca.transform(curve)), atol=0.02)

    @pytest.mark.slow
    def test_without_activation_nothing_beats_pca_on_training_rows(self, digits):
        X, _ = digits
        linear = AutoencoderTransformer(4, activation="identity", random_state=0).fit(X)
        assert linear.score(X) <= untrained(4).fit(X).score(X) + 1e-6


class TestNeverWorseThanPCA:
    def test_better_where_there_is_curvature(self, curve):
        X, X_test = curve[:200], curve[200:]
        ours = AutoencoderTransformer(1, random_state=0).fit(X)
        # The noise alone leaves about 0.002 of the variance to a perfect curve; a line leaves a tenth.
        assert 1 - ours.score(X_test) < 0.2 * (1 - untrained(1).fit(X).score(X_test))
        assert ours.best_loss_ < ours.initial_loss_

    @pytest.mark.slow
    def test_better_on_digits(self, digits):
        X, X_test = digits
        ours, pca = AutoencoderTransformer(8, random_state=0).fit(X), untrained(8).fit(X)
        assert 1 - ours.score(X_test) < 0.6 * (1 - pca.score(X_test))

    @pytest.mark.parametrize("n_rows", [60, 200, 1000])
    @pytest.mark.slow
    def test_pca_stands_where_there_is_nothing_to_learn(self, n_rows):
        noise = np.random.RandomState(0).normal(size=(n_rows + 500, 10))
        X, X_test = noise[:n_rows], noise[n_rows:]
        ours, pca = AutoencoderTransformer(3, random_state=0).fit(X), untrained(3).fit(X)
        assert ours.score(X_test) >= pca.score(X_test) - 0.002

    def test_training_that_only_harms_is_undone(self, digits):
        X, X_test = digits
        ours = AutoencoderTransformer(4, learning_rate_init=1.0, max_iter=3, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            ours.fit(X)
        assert ours.best_loss_ == ours.initial_loss_
        np.testing.assert_allclose(ours.reconstruct(X_test), untrained(4).fit(X).reconstruct(X_test), atol=1e-4)

    def test_without_hold_out_the_training_loss_decides(self, curve):
        ours = AutoencoderTransformer(1, early_stopping=False, max_iter=20, random_state=0)
        with pytest.warns(ConvergenceWarning, match=r"maximum number of iterations \(20\)"):
            ours.fit(curve)
        assert ours.validation_loss_curve_ is None
        assert ours.best_loss_ < ours.initial_loss_
        np.testing.assert_allclose(1 - ours.score(curve), ours.best_loss_, rtol=1e-4)

    @pytest.mark.parametrize("copies", ["repeated", "drawn again", "a few many times"])
    @pytest.mark.slow
    def test_copies_do_not_make_it_worse_than_pca(self, copies):
        """A network that knows rows by heart must not be judged by their copies."""
        rng = np.random.RandomState(0)
        weights = rng.normal(size=(4, 10))
        X, X_test = (np.sin(rng.normal(size=(n, 4)) @ weights) + 0.1 * rng.normal(size=(n, 10)) for n in (150, 2000))
        drawn = {
            "repeated": np.repeat(np.arange(150), 5),
            "drawn again": rng.randint(150, size=300),
            "a few many times": np.repeat(np.arange(60), 20),
        }
        X = X[drawn[copies]]
        pca = AutoencoderTransformer(3, max_iter=0).fit(X)
        assert AutoencoderTransformer(3, random_state=0).fit(X).score(X_test) >= pca.score(X_test) - 0.01

    def test_a_single_row_with_weight_is_not_held_out(self):
        weight = [1.0] + [0.0] * 9
        ours = AutoencoderTransformer(1, early_stopping=True, max_iter=1)
        ours.fit(np.arange(30.0).reshape(10, 3), sample_weight=weight)
        np.testing.assert_allclose(ours.mean_, [0.0, 1.0, 2.0])
        assert ours.validation_loss_curve_ is None


class TestScores:
    def test_score_of_scaled_features_is_in_their_units(self):
        X = load_wine().data
        ours = AutoencoderTransformer(2, scale=True, max_iter=0).fit(X)
        scaled, reconstructed = ((rows - ours.mean_) / ours.scale_ for rows in (X, ours.reconstruct(X)))
        assert ours.score(X) == pytest.approx(r2_score(scaled, reconstructed, multioutput="variance_weighted"))

    def test_score_of_nothing_observed_is_an_error(self, digits):
        ours = AutoencoderTransformer(2, max_iter=0).fit(digits[0])
        with pytest.raises(ValueError, match="X has no observed entry"):
            ours.score(np.full((3, 64), np.nan))

    def test_score_is_r2_about_the_training_mean(self, digits):
        X, X_test = digits
        ours = AutoencoderTransformer(4, max_iter=0).fit(X)
        rows = np.vstack([X_test, X_test[:1]])
        weight = np.r_[np.ones(len(X_test)), 3.0]
        total = np.average(np.square(rows - X.mean(axis=0)).sum(axis=1), weights=weight)
        expected = 1 + np.average(ours.score_samples(rows), weights=weight) / total
        assert ours.score(rows, sample_weight=weight) == pytest.approx(expected)
        assert ours.score(X) == pytest.approx(
            r2_score(X, ours.reconstruct(X), multioutput="variance_weighted"), abs=1e-6
        )

    def test_score_samples_are_negative_squared_errors(self, digits):
        X, X_test = digits
        ours = AutoencoderTransformer(4, max_iter=2, random_state=0)
        with pytest.warns(ConvergenceWarning):
            ours.fit(X)
        errors = np.square(X_test - ours.predict(X_test)).sum(axis=1)
        np.testing.assert_allclose(-ours.score_samples(X_test), errors, rtol=1e-4)

    def test_constant_rows(self):
        ours = AutoencoderTransformer(1, random_state=0).fit(np.ones((60, 3)))
        assert ours.score(np.ones((5, 3))) == 1.0
        assert ours.score(np.eye(3)) < 1.0
        np.testing.assert_allclose(ours.reconstruct(np.ones((2, 3))), 1.0)


class TestInPlaceOfPCA:
    def test_grid_search_unsupervised_and_in_a_pipeline(self, digits):
        X, _ = digits
        search = GridSearchCV(AutoencoderTransformer(max_iter=0), {"n_components": [1, 4]}, cv=2).fit(X)
        assert search.best_params_ == {"n_components": 4}
        labels = (X[:, 20] > 0.5).astype(int)
        pipeline = make_pipeline(AutoencoderTransformer(4, max_iter=0), LogisticRegression())
        assert cross_val_score(pipeline, X, labels, cv=2).mean() > 0.7

    def test_round_trip(self, digits):
        X, X_test = digits
        ours = AutoencoderTransformer(4, random_state=0).fit(X[:300])
        codes = ours.transform(X_test)
        assert codes.shape == (len(X_test), 4)
        np.testing.assert_allclose(ours.inverse_transform(codes), ours.reconstruct(X_test), atol=1e-5)

    def test_code_distances_mimic_reconstruction_distances(self):
        """Codes are fixed by training only up to an invertible map; the one chosen keeps the metric of the data."""
        long, short = np.random.RandomState(0).uniform(-1, 1, size=(2, 500)) * [[5.0], [1.0]]
        surface = np.column_stack([long, short, 0.1 * long**2])
        ours = AutoencoderTransformer(2, random_state=0).fit(surface)
        assert ours.best_loss_ < ours.initial_loss_
        codes, rows = ours.transform(surface), ours.reconstruct(surface)
        between_codes, between_rows = (np.linalg.norm(np.diff(points, axis=0), axis=1) for points in (codes, rows))
        assert np.corrcoef(between_codes, between_rows)[0, 1] > 0.9
        assert 0.8 < np.median(between_codes / between_rows) < 1.25

    @pytest.mark.slow
    def test_whitened_codes_after_training(self, digits):
        X, _ = digits
        codes = AutoencoderTransformer(4, whiten=True, random_state=0).fit_transform(X)
        np.testing.assert_allclose(np.cov(codes.T), np.eye(4), atol=1e-3)

    def test_names_and_set_output(self, curve):
        frame = pytest.importorskip("pandas").DataFrame(curve, columns=["a", "b", "c"])
        ours = AutoencoderTransformer(2, max_iter=0).set_output(transform="pandas").fit(frame)
        codes = ours.transform(frame)
        assert list(codes.columns) == ["autoencodertransformer0", "autoencodertransformer1"]
        assert list(ours.feature_names_in_) == ["a", "b", "c"]

    def test_polars_output(self, curve):
        pl = pytest.importorskip("polars")
        codes = AutoencoderTransformer(2, max_iter=0).set_output(transform="polars").fit_transform(curve)
        assert isinstance(codes, pl.DataFrame)
        assert codes.columns == ["autoencodertransformer0", "autoencodertransformer1"]

    def test_pickle_and_clone(self, curve):
        ours = AutoencoderTransformer(1, random_state=0).fit(curve)
        copy = pickle.loads(pickle.dumps(ours))
        np.testing.assert_array_equal(copy.transform(curve), ours.transform(curve))
        with pytest.raises(NotFittedError):
            clone(ours).transform(curve)


@pytest.fixture(scope="module")
def fitted(digits):
    return AutoencoderTransformer(3, random_state=0).fit(digits[0][:300])


class TestInputs:
    @pytest.mark.parametrize(
        "convert",
        [
            np.asfortranarray,
            np.ndarray.tolist,
            sparse.csr_array,
            sparse.csc_matrix,
            lambda X: X.astype(">f8"),
            lambda X: X[::-1][::-1],
            lambda X: np.pad(X, ((0, 0), (0, 3)))[:, :-3],
        ],
        ids=["fortran", "list", "csr", "csc", "big-endian", "negative strides", "not contiguous"],
    )
    @pytest.mark.slow
    def test_the_container_does_not_matter(self, fitted, digits, convert):
        X, X_test = digits[0][:300], digits[1]
        ours = AutoencoderTransformer(3, random_state=0).fit(convert(X))
        np.testing.assert_allclose(ours.transform(convert(X_test)), fitted.transform(X_test), atol=1e-4)
        np.testing.assert_allclose(ours.reconstruct(convert(X_test)), fitted.reconstruct(X_test), atol=1e-4)

    @pytest.mark.parametrize("library", ["pandas", "polars"])
    def test_data_frames(self, digits, library):
        columns = {f"pixel {j}": column for j, column in enumerate(digits[0][:100].T)}
        X = pytest.importorskip(library).DataFrame(columns)
        ours = AutoencoderTransformer(3, random_state=0).fit(X)
        if library == "pandas":  # names of polars columns are read from scikit-learn 1.7 on
            assert ours.feature_names_in_[1] == "pixel 1"
        assert ours.transform(X).shape == (100, 3)

    def test_read_only_memmap(self, fitted, digits, tmp_path):
        np.save(tmp_path / "rows.npy", digits[0][:300])
        rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
        ours = AutoencoderTransformer(3, random_state=0).fit(rows)
        np.testing.assert_array_equal(ours.transform(rows), fitted.transform(rows))

    def test_dtypes(self, fitted, digits):
        X = digits[1]
        assert fitted.transform(X).dtype == fitted.reconstruct(X).dtype == np.float64
        assert fitted.transform(np.float32(X)).dtype == fitted.reconstruct(np.float32(X)).dtype == np.float32
        assert fitted.inverse_transform(np.float32(fitted.transform(X))).dtype == np.float32
        integers = (X * 16).astype(np.uint8)
        assert AutoencoderTransformer(2, max_iter=0).fit(integers).transform(integers).dtype == np.float64

    def test_rows_do_not_depend_on_their_neighbours(self, fitted, digits):
        X = digits[1]
        # Matrix products of other shapes add in another order: float32 rounding.
        np.testing.assert_allclose(fitted.transform(X[:1]), fitted.transform(X)[:1], atol=1e-5)
        np.testing.assert_allclose(fitted.transform(X[::-1])[::-1], fitted.transform(X), atol=1e-5)

    def test_sparse_rows_are_not_predicted(self, fitted, digits):
        with pytest.raises(TypeError, match="Call reconstruct"):
            fitted.predict(sparse.csr_array(digits[1]))

    def test_wrong_width(self, fitted, digits):
        with pytest.raises(ValueError, match="X has 63 features, but AutoencoderTransformer is expecting 64"):
            fitted.transform(digits[1][:, 1:])
        with pytest.raises(ValueError, match="X has 2 features, but AutoencoderTransformer is expecting 3 components"):
            fitted.inverse_transform(np.zeros((4, 2)))

    def test_input_is_left_alone(self, digits):
        X = digits[0][:100].copy()
        weight = np.ones(100)
        AutoencoderTransformer(2, scale=True, random_state=0).fit(X, sample_weight=weight).score(X)
        np.testing.assert_array_equal(X, digits[0][:100])
        np.testing.assert_array_equal(weight, 1.0)

    @pytest.mark.parametrize(
        ("weight", "message"),
        [
            ([-1.0] * 60, "Negative values in data passed to `sample_weight`"),
            ([0.0] * 60, "Sample weights must not all be zero"),
            ([1.0] * 59, "inconsistent numbers of samples"),
            (np.ones((60, 1)), "Sample weights must be 1D array or scalar"),
            ([np.nan] * 60, "sample_weight contains NaN"),
        ],
    )
    def test_bad_weights(self, curve, weight, message):
        with pytest.raises(ValueError, match=message):
            AutoencoderTransformer().fit(curve[:60], sample_weight=weight)


class TestWeightsInTraining:
    @pytest.mark.filterwarnings("ignore:The loss was still falling")
    def test_weights_are_repetitions(self, curve):
        """Without noise, hold-out and batches, up to rounding.

        Squared errors have no slope at PCA's codes except for rounding, which AdamW would scale up; Huber's loss has.
        """
        settings = {"max_iter": 30, "batch_size": 10_000, "early_stopping": False, "loss": "huber"}
        noiseless = {"corruption": "gaussian", "corruption_level": 0.0}
        weight = np.random.RandomState(0).randint(0, 3, size=100)
        repeated = np.repeat(curve[:100], weight, axis=0)
        ours = AutoencoderTransformer(1, random_state=0, **settings, **noiseless)
        codes = ours.fit(curve[:100], sample_weight=weight).transform(curve)
        assert ours.best_loss_ < ours.initial_loss_
        np.testing.assert_allclose(ours.fit(repeated).transform(curve), codes, atol=1e-8)

    @pytest.mark.parametrize("scale", [1e-300, 1 / 300, 1.0, 7.0, 1e300])
    def test_whitened_codes_do_not_depend_on_the_unit_of_weights(self, curve, scale):
        codes = untrained(2, whiten=True).fit(curve, sample_weight=np.full(300, scale)).transform(curve)
        np.testing.assert_allclose(codes.var(axis=0), 1.0, rtol=5e-3)

    def test_few_heavy_rows_held_out_tell_little(self):
        """That a correction gains on a handful of rows that weigh all is no proof of it."""
        rng = np.random.RandomState(0)
        X, weight = rng.normal(size=(200, 8)), np.r_[np.full(6, 1e4), np.ones(194)]
        ours = AutoencoderTransformer(2, random_state=0).fit(X, sample_weight=weight)
        assert ours.best_loss_ == ours.initial_loss_

    @pytest.mark.slow
    def test_heavy_rows_are_reconstructed_better(self, digits):
        X = digits[0]
        heavy = X[:, 20] > 0.5
        weight = np.where(heavy, 1.0, 0.01)
        weighted = AutoencoderTransformer(6, random_state=0).fit(X, sample_weight=weight)
        plain = AutoencoderTransformer(6, random_state=0).fit(X)
        assert weighted.score(X[heavy]) > plain.score(X[heavy])


class TestFailureChangesNothing:
    @pytest.mark.parametrize(
        "parameter",
        [
            {"n_components": 0},
            {"n_components": 1.5},
            {"n_components": True},
            {"hidden_layer_sizes": (0,)},
            {"hidden_layer_sizes": 0},
            {"hidden_layer_sizes": 10.0},
            {"activation": "sine"},
            {"alpha": -1},
            {"code": "sharp"},
            {"n_nonzero": 0},
            {"corruption_level": float("nan")},
            {"batch_size": 0},
            {"learning_rate_init": 0.0},
            {"max_iter": -1},
            {"early_stopping": 1.0},
            {"early_stopping": "yes"},
            {"dtype": "float16"},
            {"device": "abacus"},
            {"device": 3},
            {"whiten": "no"},
        ],
        ids=str,
    )
    def test_parameters_out_of_range(self, curve, parameter):
        ours = AutoencoderTransformer(2, max_iter=0).fit(curve)
        before = dict(vars(ours))
        name = next(iter(parameter))
        with pytest.raises(ValueError, match=f"The '{name}' parameter"):
            ours.set_params(**parameter).fit(curve[:, :2])
        assert vars(ours) == before | parameter

    @pytest.mark.parametrize("scale", [1e200, 1e160])
    def test_rows_too_large_to_square(self, curve, scale):
        ours = AutoencoderTransformer(2)
        with np.errstate(over="ignore", invalid="ignore"), pytest.raises(ValueError, match="divide X"):
            ours.fit(curve * scale)
        assert not hasattr(ours, "mean_")

    def test_divergence_is_an_error_that_says_what_to_do(self, digits):
        ours = AutoencoderTransformer(2, learning_rate_init=1e300, max_iter=20, random_state=0)
        with pytest.raises(ValueError, match="scale X or lower learning_rate_init"):
            ours.fit(digits[0])
        assert not hasattr(ours, "n_features_in_")

    @pytest.mark.parametrize("scale", [1e-30, 1e-5, 1e5, 1e30])
    @pytest.mark.slow
    def test_units_do_not_matter(self, digits, scale):
        X, X_test = digits[0][:300], digits[1]
        plain = AutoencoderTransformer(3, random_state=0).fit(X)
        scaled = AutoencoderTransformer(3, random_state=0).fit(X * scale)
        assert scaled.score(X_test * scale) == pytest.approx(plain.score(X_test), abs=0.01)


@pytest.mark.parametrize("n_rows", [20, 40])
def test_few_rows_without_structure_stay_pca_however_long_training_is(n_rows):
    X = np.random.RandomState(0).normal(size=(n_rows, 10))
    ours = AutoencoderTransformer(2, max_iter=100, random_state=0).fit(X)
    np.testing.assert_allclose(ours.reconstruct(X), untrained(2).fit(X).reconstruct(X), atol=1e-8)


@pytest.mark.parametrize("share", [0.8, np.float64(0.8), np.float32(0.8)])
def test_a_share_of_the_variance_may_be_a_number_of_numpy(digits, share):
    assert untrained(share).fit(digits[0]).n_components_ == PCA(0.8).fit(digits[0]).n_components_
    settings = {"code": "ordered", "max_iter": 0, "random_state": 0}
    ours, expected = (AutoencoderTransformer(kind(0.8), **settings) for kind in (type(share), float))
    assert ours.fit(digits[0]).n_components_ == expected.fit(digits[0]).n_components_ < 20


@pytest.mark.parametrize("estimator", [AutoencoderTransformer(2, max_iter=3), AutoencoderOutlierDetector(max_iter=3)])
def test_warnings_point_to_the_call(estimator, curve):
    estimator.set_params(learning_rate_init=0.01, random_state=0)
    with pytest.warns(ConvergenceWarning) as caught:
        make_pipeline(estimator).fit(curve)
    assert caught[0].filename == __file__
