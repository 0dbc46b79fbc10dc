"""What scikit-learn's own tests ask of IsolationForest and LocalOutlierFactor on toy data, written anew.

Not asked: that rows unlike a table of equal rows are inliers, since a constant that changes is seen here; and that
``novelty=True``, for clean training rows, labels outliers among them.
"""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes, load_iris, make_classification
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from skae import AutoencoderOutlierDetector

slow, nightly = pytest.mark.slow, pytest.mark.nightly
each_kind = pytest.mark.parametrize("novelty", [False, True], ids=["contaminated", "clean"])
each_dtype = pytest.mark.parametrize("dtype", [np.float64, pytest.param(np.float32, marks=nightly)])
IRIS = load_iris().data
INLIERS = [[-2, -1], [-1, -1], [-1, -2], [1, 1], [1, 2], [2, 1]]
# The last two points of each toy table are outliers.
OUTLIERS = [[[7, 4], [-5, 9]], [[6, 3], [-4, 7]], [[5, 3], [-4, 2]]]


def detector(novelty, **parameters):
    return AutoencoderOutlierDetector(**({"novelty": novelty, "random_state": 0} | parameters))


class TestToyPoints:
    @pytest.mark.parametrize(
        ("outliers", "novelty"),
        [*((points, False) for points in OUTLIERS), *((points, True) for points in OUTLIERS[:2])],
    )
    @each_dtype
    @pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=nightly) for seed in (1, 2))])
    def test_the_last_two_are_found(self, outliers, dtype, novelty, seed):
        X = np.array(INLIERS + outliers, dtype)
        ours = detector(novelty, contamination=0.25, random_state=seed).fit(X)
        scores = ours.decision_function(X)
        assert scores[-2:].max() < scores[:-2].min()
        if not novelty:
            np.testing.assert_array_equal(ours.predict(X), [1] * 6 + [-1] * 2)
            np.testing.assert_array_equal(ours.fit_predict(X), [1] * 6 + [-1] * 2)

    @each_kind
    def test_lists_of_integers(self, novelty):
        X = INLIERS + OUTLIERS[0]
        ours = detector(novelty, contamination=0.25).fit(X)
        numbers = detector(novelty, contamination=0.25).fit(np.array(X, float))
        np.testing.assert_array_equal(ours.predict(X), numbers.predict(np.array(X, float)))
        np.testing.assert_array_equal(ours.score_samples(X), numbers.score_samples(np.array(X, float)))

    @each_kind
    @each_dtype
    def test_scores_do_not_depend_on_the_contamination(self, novelty, dtype):
        X, new = np.array([[1, 1], [1, 2], [2, 1]], dtype), np.array([[2.0, 2.0]], dtype)
        first, second = detector(novelty, contamination=0.25).fit(X), detector(novelty).fit(X)
        for ours in (first, second):
            np.testing.assert_allclose(ours.score_samples(new), ours.decision_function(new) + ours.offset_)
        np.testing.assert_array_equal(first.score_samples(new), second.score_samples(new))


class TestFinds:
    @each_kind
    @pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=nightly) for seed in (1, 2))])
    def test_uniform_rows_around_two_clusters(self, novelty, seed):
        rng = np.random.RandomState(seed)
        X = 0.3 * rng.normal(size=(600, 2))
        X = rng.permutation(np.vstack([X + 2, X - 2]))
        outliers = rng.uniform(-1, 1, size=(200, 2))
        ours = detector(novelty, max_iter=0 if novelty else "auto").fit(X[:1000])
        scores = -ours.decision_function(np.vstack([X[1000:], outliers]))
        # Small samples of the training rows blur the gap between the clusters.
        assert roc_auc_score(np.repeat([0, 1], 200), scores) > (0.98 if novelty else 0.95)

    @each_kind
    @each_dtype
    def test_uniform_rows_around_one_cluster(self, novelty, dtype):
        rng = np.random.RandomState(2)
        X = 0.3 * rng.normal(size=(120, 2)).astype(dtype)
        outliers = rng.uniform(-4, 4, size=(20, 2)).astype(dtype)
        ours = detector(novelty, max_iter=0 if novelty else "auto").fit(X[:100])
        scores = -ours.decision_function(np.vstack([X[100:], outliers]))
        assert roc_auc_score(np.repeat([0, 1], 20), scores) > 0.99


class TestLabels:
    @pytest.mark.parametrize("n_outliers", [30, 53])
    def test_as_many_as_contamination_says(self, n_outliers):
        """Unless scores tie at the threshold: then fewer."""
        ours = detector(False, contamination=n_outliers / 150, max_iter=0).fit(IRIS)
        labels, scores = ours.predict(IRIS), np.sort(ours.score_samples(IRIS))
        n_tied = (scores == scores[n_outliers]).sum()
        assert n_outliers - n_tied < (labels == -1).sum() <= n_outliers

    @each_kind
    def test_rows_that_are_all_equal_are_inliers(self, novelty):
        for X in (np.ones((100, 10)), np.repeat(np.random.RandomState(0).normal(size=(1, 10)), 100, axis=0)):
            assert (detector(novelty).fit(X).predict(X) == 1).all()

    def test_many_copies_are_inliers(self):
        """A value given ten times in three places, and one row far from them."""
        X = np.repeat([0.1, 0.2, 0.3], 10)
        X = np.append(X, 10.0)[:, np.newaxis]
        labels = detector(False, contamination=1 / 31).fit_predict(X)
        np.testing.assert_array_equal(labels, [1] * 30 + [-1])

    @slow
    def test_copies_do_not_hide_outliers(self):
        """A thousand copies within a dense interval, and a tenth of the rows far from it."""
        rng = np.random.RandomState(0)
        X = np.concatenate([[0.1] * 1000, np.linspace(0.1, 0.3, 3000), 1 + 100 * rng.uniform(size=500)])[:, np.newaxis]
        labels = detector(False, contamination=0.12, max_iter=0).fit_predict(X)
        assert (labels[:4000] == -1).mean() < 0.02
        assert (labels[4000:] == -1).mean() > 0.9


class TestInputs:
    @each_kind
    @pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_array, sparse.csr_matrix, sparse.csc_matrix])
    def test_sparse_rows_as_dense_ones(self, novelty, container):
        X, X_new = train_test_split(load_diabetes().data[:50], random_state=0)
        X[X < 0], X_new[X_new < 0] = 0.0, 0.0
        stored = detector(novelty).fit(container(X)).predict(container(X_new))
        np.testing.assert_array_equal(stored, detector(novelty).fit(X).predict(X_new))

    def test_sparse_rows_with_a_contamination(self):
        X, _ = make_classification(n_samples=50, n_features=4, random_state=0)
        ours = detector(False, contamination=0.1, max_iter=0).fit(sparse.csr_array(X))
        assert (ours.decision_function(sparse.csr_array(X)) < 0).sum() == 5

    @each_kind
    def test_names_of_columns_with_a_contamination(self, novelty):
        pd = pytest.importorskip("pandas")
        X = pd.DataFrame(np.random.RandomState(0).normal(size=(4, 1)), columns=["a"])
        detector(novelty, contamination=0.2).fit(X)  # warnings are errors

    @each_kind
    def test_another_number_of_features(self, novelty):
        with pytest.raises(ValueError, match="X has 3 features, but AutoencoderOutlierDetector is expecting 4"):
            detector(novelty, max_iter=0).fit(IRIS).predict(IRIS[:, 1:])

    @pytest.mark.parametrize(("novelty", "contamination"), [(False, "auto"), (False, 0.5), (True, 0.5)])
    def test_dtypes_agree(self, novelty, contamination):
        inliers = np.random.RandomState(0).normal(size=(100, 10))
        X = np.vstack([inliers, [[-1000.0] * 10, [1000.0] * 10]])
        ours = {
            dtype: detector(novelty, contamination=contamination, max_iter=0).fit(X.astype(dtype))
            for dtype in (np.float32, np.float64)
        }
        scores = [fitted.score_samples(X.astype(dtype)) for dtype, fitted in ours.items()]
        np.testing.assert_allclose(*scores, rtol=1e-4)
        assert all((fitted.predict(X.astype(dtype))[-2:] == -1).all() for dtype, fitted in ours.items())

    @each_kind
    def test_blocks_do_not_matter(self, novelty):
        """Rows a few at a time score as all at once."""
        X, X_new = train_test_split(load_diabetes().data, random_state=0)
        ours = detector(novelty, max_iter=0).fit(X)
        in_blocks = np.concatenate([ours.score_samples(part) for part in np.array_split(X_new, 7)])
        np.testing.assert_allclose(ours.score_samples(X_new), in_blocks, rtol=1e-6)
