"""Rows of several kinds that come in turns give what the same rows give in random order."""

import numpy as np
import pytest
from family_cases import hide_some, root_mean_square, untrained

from skae import AutoencoderTransformer

N_FEATURES = 4


def in_turns(n_rows, n_kinds, deviation=1.0):
    """Rows about one centre for each kind, which are far apart, and the kinds."""
    rng = np.random.RandomState(1)
    kind = np.arange(n_rows) % n_kinds
    centres = 20.0 * rng.normal(size=(n_kinds, N_FEATURES))
    deviation = np.broadcast_to(deviation, n_kinds)[kind, np.newaxis]
    return centres[kind] + deviation * rng.normal(size=(n_rows, N_FEATURES)), kind


def shuffled(*arrays):
    order = np.random.RandomState(2).permutation(len(arrays[0]))
    return tuple(array[order] for array in arrays)


def shares_of_kinds(drawn, X, kind):
    """Shares of the kinds among rows drawn, by the nearest centre."""
    centres = np.stack([X[kind == number].mean(axis=0) for number in np.unique(kind)])
    nearest = np.linalg.norm(drawn[:, np.newaxis] - centres, axis=2).argmin(axis=1)
    return np.bincount(nearest, minlength=len(centres)) / len(drawn)


@pytest.mark.parametrize("n_rows", [12_000, 20_000])
def test_missing_values(n_rows):
    X, _ = in_turns(n_rows, 2)
    incomplete, hidden = hide_some(X, 0.1)
    errors = []
    for rows, complete, are_hidden in [(incomplete, X, hidden), shuffled(incomplete, X, hidden)]:
        ours = untrained(2, random_state=0).fit(rows)
        # Four standard errors of the mean of 10,000 rows.
        np.testing.assert_allclose(ours.mean_, X.mean(axis=0), atol=0.04 * X.std(axis=0).max())
        errors.append(root_mean_square((ours.reconstruct(rows) - complete)[are_hidden]))
    assert errors[0] == pytest.approx(errors[1], rel=0.03)


def test_samples_are_of_every_kind():
    X, kind = in_turns(16_384, 4)
    drawn = untrained(3).fit(X).sample(2000, random_state=0)
    # Four standard errors of a share of a quarter: of 4,096 rows, and of 2,000 draws.
    np.testing.assert_allclose(shares_of_kinds(drawn, X, kind), 0.25, atol=0.047)


def test_samples_are_of_kinds_by_their_weight():
    X, kind = in_turns(2000, 2)
    drawn = untrained(2).fit(X, sample_weight=np.where(kind == 0, 1.0, 9.0)).sample(2000, random_state=0)
    # Four standard errors of a share of .1: of 2,000 rows, and of as many draws.
    np.testing.assert_allclose(shares_of_kinds(drawn, X, kind), [0.1, 0.9], atol=0.038)


def test_shares_of_variance_of_an_ordered_code():
    X, _ = in_turns(16_384, 4)
    first, second = (untrained(3, code="ordered").fit(rows) for rows in (X, *shuffled(X)))
    np.testing.assert_allclose(first.explained_variance_ratio_, second.explained_variance_ratio_, atol=0.03)


def losses_at_the_start(X, n_components, **code):
    """Without a hold-out: of the rows as they come, and in random order."""
    model = untrained(n_components, early_stopping=False, **code)
    return [model.fit(rows).initial_loss_ for rows in (X, *shuffled(X))]


def test_losses_without_a_hold_out():
    # Rows that are judged are 2,048 of these.
    X, _ = in_turns(16_384, 4, deviation=[1.0, 1.0, 1.0, 8.0])
    first, second = losses_at_the_start(X, 2)
    assert first == pytest.approx(second, rel=0.15)


def test_lengths_of_an_ordered_code_do_not_go_with_kinds():
    # Each row is judged by its first components alone, and there are as many lengths as kinds.
    X, _ = in_turns(2000, 4)
    first, second = losses_at_the_start(X, 4, code="ordered")
    assert first == pytest.approx(second, rel=0.15)


def test_atoms_of_a_sparse_code():
    rng = np.random.RandomState(0)
    atoms = rng.normal(size=(8, 6))
    atoms = 3.0 * atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
    X = rng.normal(size=(4000, 1)) * atoms[rng.randint(8, size=4000)]
    # One of four rows lies along an axis: judged by those alone, atoms would not replace the axes.
    X[3::4] = rng.normal(size=(1000, 1)) * [9.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    sparse = AutoencoderTransformer(6, code="sparse", n_nonzero=1, max_iter=0, random_state=0)
    scores = [sparse.fit(rows).score(X) for rows in (X, *shuffled(X))]
    assert scores[0] == pytest.approx(scores[1], abs=0.04)
