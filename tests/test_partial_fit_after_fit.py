"""Chunks after a `fit`, or with weights in some of them: nothing that `fit` knew of its rows is lost."""

import numpy as np
import pytest
from family_cases import short

from skae import AutoencoderTransformer, _base_incremental

pytestmark = short
RNG = np.random.RandomState(0)
X = RNG.normal(size=(300, 6))
X[:, 1], X[:, 4] = X[:, 0] ** 2, X[:, 2] * X[:, 3]
WEIGHT = RNG.randint(1, 5, size=300).astype(float)


def pca(n_components=2, **parameters):
    return AutoencoderTransformer(n_components, max_iter=0, random_state=0, **parameters)


def test_weights_of_both_make_the_mean():
    """With all axes known the moments are exact."""
    model = pca(6).fit(X[:200], sample_weight=WEIGHT[:200])
    model.partial_fit(X[200:], sample_weight=WEIGHT[200:])
    np.testing.assert_allclose(model.mean_, np.average(X, axis=0, weights=WEIGHT))


def test_kept_rows_keep_their_weights():
    kept = pca().fit(X, sample_weight=WEIGHT)._kept
    index = [int(np.abs(X - row).sum(axis=1).argmin()) for row in kept["rows"]]
    np.testing.assert_array_equal(kept["row_weight"], WEIGHT[index])


def test_one_more_row_does_not_cost_the_others():
    model = pca().fit(X)
    n_kept = len(model._kept["rows"])
    model.partial_fit(X[:1])
    assert len(model._kept["rows"]) > 0.9 * n_kept


def test_kept_rows_are_of_the_dtype_of_X():
    assert pca(dtype="float64").fit(np.float32(X))._kept["rows"].dtype == np.float32


def test_an_ordered_code_that_is_shorter_than_its_axes(curve):
    model = AutoencoderTransformer(
        0.9, ordered=True, hidden_layer_sizes=(16,), max_iter=60, learning_rate_init=0.02, random_state=0
    ).fit(curve)
    assert model.n_components_ == 1 < len(model._kept["variances"])
    assert model.partial_fit(curve).n_components_ == 1


def test_a_chunk_without_weights_after_one_with(monkeypatch):
    seen, train_on_chunk = [], _base_incremental.train_on_chunk

    def watched(network, rows, split, *arguments):
        seen.append(split.sample_weight)
        return train_on_chunk(network, rows, split, *arguments)

    model = pca().partial_fit(X[:200], sample_weight=WEIGHT[:200])
    monkeypatch.setattr(_base_incremental, "train_on_chunk", watched)
    model.partial_fit(X[200:])
    assert set(seen[0]) > {1.0}
    assert set(model._kept["row_weight"]) > {1.0}


@pytest.mark.parametrize("again", ["partial_fit", "fit"])
def test_gaps_are_filled_from_all_axes_though_later_rows_have_none(again):
    gaps = np.where(np.random.RandomState(0).uniform(size=X.shape) < 0.1, np.nan, X)
    model = pca(warm_start=True).fit(gaps[:150])
    n_axes = model._state["fill_factors"].shape[1]
    assert getattr(model, again)(X[150:])._state["fill_factors"].shape[1] == n_axes > model.n_components_
