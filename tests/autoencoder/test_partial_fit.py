"""What is kept of the rows of a stream, and of a fit, for later chunks."""

import numpy as np
import pytest
from family_cases import evenly, follow, short
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer
from skae._autoencoder import _partial_fit

pytestmark = short
RNG = np.random.RandomState(0)
X = RNG.normal(size=(300, 6))
X[:, 1], X[:, 4] = X[:, 0] ** 2, X[:, 2] * X[:, 3]
WEIGHT = RNG.randint(1, 5, size=300).astype(float)


def pca(n_components=2, **parameters):
    return AutoencoderTransformer(n_components, max_iter=0, random_state=0, **parameters)


def reservoir(model):
    return model._incremental.reservoir


def watch(monkeypatch, seen):
    """Have every chunk that is trained on be seen by a function of its rows and their split."""
    train_on_chunk = _partial_fit.train_on_chunk

    def watched(network, rows, split, *arguments):
        seen(rows, split)
        return train_on_chunk(network, rows, split, *arguments)

    monkeypatch.setattr(_partial_fit, "train_on_chunk", watched)


class TestHeldOutRows:
    def test_are_never_trained_on_and_as_likely_early_as_late(self, monkeypatch):
        trained = set()
        watch(monkeypatch, lambda rows, split: trained.update(rows.source.take(split.train)[:, 0].astype(int).tolist()))
        monkeypatch.setattr(_partial_fit, "MAX_RESERVOIR_ROWS", 200)
        n_rows = 8000
        X = np.column_stack([np.arange(n_rows), np.random.RandomState(0).normal(size=n_rows)])
        model = AutoencoderTransformer(1, hidden_layer_sizes=(), random_state=0)
        follow(model, X, evenly(X, 500))
        held_out = reservoir(model).rows[:, 0].astype(int)
        assert not trained & set(held_out.tolist())
        assert len(trained) > 0.9 * n_rows
        assert 140 < len(held_out) < 260  # 200, and four standard errors
        assert 0.3 < (held_out < n_rows / 2).mean() < 0.7

    @pytest.mark.slow
    def test_chunks_of_a_row_are_not_all_treated_alike(self, curve):
        model = follow(pca(1), curve[:100], evenly(curve[:100], 1))
        assert 10 < len(reservoir(model)) < 45


class TestAfterFit:
    def test_kept_rows_keep_their_weights(self):
        kept = reservoir(pca().fit(X, sample_weight=WEIGHT))
        index = [int(np.abs(X - row).sum(axis=1).argmin()) for row in kept.rows]
        np.testing.assert_array_equal(kept.weight, WEIGHT[index])

    def test_one_more_row_does_not_cost_the_others(self):
        model = pca().fit(X)
        n_kept = len(reservoir(model))
        model.partial_fit(X[:1])
        assert len(reservoir(model)) > 0.9 * n_kept

    def test_kept_rows_are_of_the_dtype_of_X(self):
        assert reservoir(pca(dtype="float64").fit(np.float32(X))).rows.dtype == np.float32

    def test_it_counts_as_the_steps_to_its_best_epoch(self, digits):
        X = digits[0][:1000]
        model = AutoencoderTransformer(4, max_iter=5, batch_size=100, early_stopping=0.1, random_state=0).fit(X)
        best = int(np.argmin(model.validation_loss_curve_))
        assert best > 0
        assert model._incremental.n_steps == 9 * best

    def test_an_ordered_code_may_be_shorter_than_the_axes_it_was_cut_from(self, curve):
        ordered = {"code": "ordered", "hidden_layer_sizes": (16,), "max_iter": 60, "learning_rate_init": 0.02}
        model = AutoencoderTransformer(0.9, **ordered, random_state=0).fit(curve)
        assert model.n_components_ == 1 < PCA(0.9).fit(curve).n_components_
        assert model.partial_fit(curve).n_components_ == 1

    @pytest.mark.parametrize("again", ["partial_fit", "fit"])
    def test_gaps_are_filled_from_all_axes_though_later_rows_have_none(self, again):
        gaps = np.where(np.random.RandomState(0).uniform(size=X.shape) < 0.1, np.nan, X)
        model = pca(warm_start=True).fit(gaps[:150])
        n_axes = model._fitted.imputer.factors.shape[1]
        assert getattr(model, again)(X[150:])._fitted.imputer.factors.shape[1] == n_axes > model.n_components_


def test_a_chunk_without_weights_after_one_with(monkeypatch):
    seen = []
    model = pca().partial_fit(X[:200], sample_weight=WEIGHT[:200])
    watch(monkeypatch, lambda rows, split: seen.append(split.sample_weight))
    model.partial_fit(X[200:])
    assert set(seen[0]) > {1.0}
    assert set(reservoir(model).weight) > {1.0}


def test_whitened_codes_are_white_on_the_rows_kept(digits):
    model = follow(AutoencoderTransformer(4, whiten=True, random_state=0), digits[0], evenly(digits[0], 200))
    np.testing.assert_allclose(np.cov(model.transform(reservoir(model).rows).T), np.eye(4), atol=1e-3)
