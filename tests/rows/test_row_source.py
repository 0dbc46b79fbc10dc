"""Rows of a large file are read many at a time, in the order in which they lie."""

import numpy as np
import pytest
import torch

from skae import AutoencoderTransformer
from skae._rows import _row_source, _standardised_rows
from skae._rows._row_source import RowSource

N_ROWS, N_FEATURES, RUN_ROWS, RUNS_AT_ONCE = 3000, 4, 10, 20


@pytest.fixture
def small_windows(monkeypatch):
    """Files of any size are large, runs and windows small."""
    monkeypatch.setattr(_row_source, "LARGE_FILE_BYTES", 0)
    monkeypatch.setattr(_row_source, "RUN_ELEMENTS", RUN_ROWS * N_FEATURES)
    monkeypatch.setattr(_row_source, "WINDOW_ELEMENTS", RUNS_AT_ONCE * RUN_ROWS * N_FEATURES)
    monkeypatch.setattr(_standardised_rows, "WINDOW_ELEMENTS", RUNS_AT_ONCE * RUN_ROWS * N_FEATURES)


@pytest.fixture
def array():
    """Two kinds of rows, one after the other."""
    rng = np.random.RandomState(0)
    angle = rng.uniform(0, np.pi, N_ROWS) + np.pi * (np.arange(N_ROWS) >= N_ROWS // 2)
    rows = np.column_stack([np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)])
    return np.float32(rows + 0.05 * rng.normal(size=rows.shape))


@pytest.fixture
def memmap(array, tmp_path):
    file = np.memmap(tmp_path / "rows", dtype=np.float32, mode="w+", shape=array.shape)
    file[:] = array
    file.flush()
    return np.memmap(tmp_path / "rows", dtype=np.float32, mode="r", shape=array.shape)


def test_what_a_large_file_is(array, memmap, monkeypatch):
    assert not RowSource(memmap).is_large_file
    monkeypatch.setattr(_row_source, "LARGE_FILE_BYTES", memmap.nbytes)
    assert RowSource(memmap).is_large_file
    assert RowSource(np.asarray(memmap)).is_large_file  # as validation leaves it
    assert not RowSource(memmap[1:]).is_large_file
    assert not RowSource(array).is_large_file


@pytest.mark.usefixtures("small_windows")
class TestShuffled:
    def test_rows_are_those_given(self, memmap):
        rows = np.flatnonzero(np.arange(N_ROWS) % 7)
        order = RowSource(memmap).shuffled(rows, np.random.RandomState(0))
        np.testing.assert_array_equal(np.sort(order), rows)
        other = RowSource(memmap).shuffled(rows, np.random.RandomState(1))
        assert np.mean(order == other) < 0.01

    def test_a_window_has_runs_from_all_over_the_file_in_random_order(self, memmap):
        order = RowSource(memmap).shuffled(np.arange(N_ROWS), np.random.RandomState(0))
        for first in range(0, N_ROWS, RUNS_AT_ONCE * RUN_ROWS):
            window = order[first : first + RUNS_AT_ONCE * RUN_ROWS]
            runs = np.unique(window // RUN_ROWS)
            assert len(runs) == RUNS_AT_ONCE
            assert runs.min() < 90 < 210 < runs.max()
            assert np.mean(np.diff(window) == 1) < 0.05
            assert abs(np.corrcoef(window, np.arange(len(window)))[0, 1]) < 0.4

    def test_rows_in_memory_are_in_any_order(self, array):
        order = RowSource(array).shuffled(np.arange(N_ROWS), np.random.RandomState(0))
        np.testing.assert_array_equal(order, np.random.RandomState(0).permutation(N_ROWS))


@pytest.mark.usefixtures("small_windows")
def test_batches_are_read_in_order(array, memmap, monkeypatch):
    source = RowSource(memmap)
    model = AutoencoderTransformer(2, max_iter=0).fit(array)
    read, take = [], RowSource.take
    monkeypatch.setattr(RowSource, "take", lambda self, rows: read.append(rows) or take(self, rows))
    linear = model._fitted.linear
    rows = source.standardised(linear.mean, linear.scale, *_dtype_and_device(model))
    order = source.shuffled(np.arange(N_ROWS), np.random.RandomState(0))
    batches = list(rows.batches(order, 32))
    assert all(np.all(np.diff(indices) > 0) for indices in read)
    assert len(read) == pytest.approx(N_ROWS / (RUNS_AT_ONCE * RUN_ROWS), abs=1)
    np.testing.assert_array_equal(np.concatenate([indices for indices, _ in batches]), order)
    expected = (array[order] - linear.mean) / linear.scale
    np.testing.assert_allclose(np.concatenate([x.numpy() for _, x in batches]), expected, rtol=1e-4, atol=1e-6)


def _dtype_and_device(model):
    parameters = model._fitted.network(torch.device("cpu")).parameters
    return parameters.dtype, parameters.device


@pytest.mark.usefixtures("small_windows")
def test_a_fit_to_a_file_is_as_good_as_one_to_an_array(array, memmap):
    pca, ours, of_file = (
        AutoencoderTransformer(1, random_state=0, **parameters).fit(X).score(array)
        for X, parameters in ((array, {"max_iter": 0}), (array, {}), (memmap, {}))
    )
    assert ours > pca + 0.1
    assert of_file > pca + 0.8 * (ours - pca)
