"""What "auto" means, and the hold-out: the rows a seed has always drawn, in indices of four bytes."""

import numpy as np
import pytest
import torch

from skae import AutoencoderTransformer
from skae._base import TrainingData
from skae._training import _automatic
from skae._training._automatic import hold_out

# Rows: batch size, decay, noise, whether to hold out by itself and if epochs are asked for, and the share held out.
BY_ROWS = {
    19: (32, 1.0, 0.1, False, False, 0.25),
    20: (32, 1.0, 0.1, False, True, 0.25),
    49: (32, 1.0, 0.1, False, True, 0.25),
    50: (32, 1.0, 0.1, True, True, 0.25),
    400: (32, 1.0, 0.1, True, True, 0.25),
    1000: (32, 0.5, 0.1, True, True, 0.1),
    2001: (64, 500 / 2001, 100 / 2001, True, True, 0.05),
    1_000_000: (1024, 0.0005, 0.0001, True, True, 0.002),
}


@pytest.mark.parametrize("n_rows", BY_ROWS)
def test_what_follows_the_number_of_rows(n_rows):
    batch_size, alpha, noise, judged, judged_if_asked, share = BY_ROWS[n_rows]
    assert _automatic.batch_size(n_rows, 30) == batch_size
    assert _automatic.alpha(n_rows, 30) == pytest.approx(alpha)
    assert _automatic.corruption_level(n_rows, 30) == pytest.approx(noise)
    max_iter = _automatic.max_iter(n_rows, 30)
    assert max_iter == (40 if n_rows >= 50 else 0)
    assert _automatic.early_stopping(n_rows, max_iter) is judged
    assert _automatic.early_stopping(n_rows, 40) is judged_if_asked
    assert _automatic.validation_fraction(n_rows, 30) == pytest.approx(share)


@pytest.mark.parametrize(("n_features", "max_iter", "patience"), [(128, 40, 20), (512, 20, 20), (5000, 15, 20)])
def test_epochs_follow_the_number_of_features(n_features, max_iter, patience):
    assert _automatic.max_iter(100, n_features) == max_iter
    assert _automatic.n_iter_no_change(max_iter) == patience
    assert _automatic.n_iter_no_change(100) == 50


@pytest.mark.parametrize(
    ("parameters", "share_missing", "expected"),
    [
        ({}, 0.0, (1.0, 0.008, 40)),
        ({}, 0.1, (1.0, 0.0032, 100)),
        ({"corruption": "masking"}, 0.0, (1.0, 0.0032, 100)),
        ({"ordered": True}, 0.0, (1.0, 0.008, 100)),
        ({"solver": "adam"}, 0.0, (3e-4, 0.008, 40)),
        ({"solver": "sgd"}, 0.0, (3e-4, 0.096, 40)),
        ({"solver": "sgd", "alpha": 0.1, "learning_rate_init": 0.5, "max_iter": 7}, 0.1, (0.1, 0.5, 7)),
    ],
    ids=str,
)
def test_what_follows_the_task(parameters, share_missing, expected):
    data = TrainingData(np.zeros((100, 30)), None, torch.float32, torch.device("cpu"), share_missing)
    settings = AutoencoderTransformer(**parameters)._settings(data)
    assert (settings.alpha, settings.learning_rate_init, settings.max_iter) == pytest.approx(expected)


def test_hold_out_is_a_random_part_of_the_rows():
    train, held_out = hold_out(1000, 0.2, np.random.RandomState(3))
    order = np.random.RandomState(3).permutation(1000)
    np.testing.assert_array_equal(held_out, np.sort(order[:200]))
    np.testing.assert_array_equal(train, np.sort(order[200:]))
    assert train.dtype == held_out.dtype == np.int32


def test_neither_part_is_empty():
    for fraction in (0.001, 0.999):
        assert min(len(part) for part in hold_out(5, fraction, np.random.RandomState(0))) == 1


def test_copies_are_not_on_both_sides():
    copy_of = np.array([0, 1, 0, 3, 1, 5, 6, 0, 8, 9])
    for seed in range(20):
        train, held_out = hold_out(10, 0.4, np.random.RandomState(seed), copy_of)
        assert len(held_out) == round(0.4 * 7)
        assert not set(copy_of[train]) & set(copy_of[held_out])
        np.testing.assert_array_equal(copy_of[held_out], held_out)
        assert set(copy_of[train]) | set(held_out) == set(copy_of)


def test_rows_that_are_all_alike_are_divided_all_the_same():
    assert [len(part) for part in hold_out(10, 0.2, np.random.RandomState(0), np.zeros(10, int))] == [8, 2]
