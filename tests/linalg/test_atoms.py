"""Atoms of a sparse dictionary against the directions that rows were made of."""

import numpy as np

from skae._linalg._atoms import sparse_dictionary


def keep_one(codes):
    kept = np.abs(codes).argmax(axis=1)
    return np.where(np.arange(codes.shape[1]) == kept[:, np.newaxis], codes, 0.0)


def multiples_of(atoms, n_rows, rng):
    drawn = atoms[rng.randint(len(atoms), size=n_rows)] + 1e-3 * rng.normal(size=(n_rows, atoms.shape[1]))
    return rng.uniform(1.0, 2.0, size=(n_rows, 1)) * drawn


def test_finds_the_directions_that_rows_are_multiples_of():
    rng = np.random.RandomState(0)
    atoms = rng.normal(size=(6, 4))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    rows = multiples_of(atoms, 600, rng)
    encoder, decoder = sparse_dictionary(rows, 24, keep_one, None, rng)
    codes = keep_one(rows @ encoder)
    assert np.abs(atoms @ encoder).max(axis=1).min() > 1 - 1e-4
    np.testing.assert_allclose(codes @ decoder, rows, rtol=0.2)


def test_the_axes_stay_where_they_do_better():
    rng = np.random.RandomState(0)
    rows = multiples_of(np.eye(4), 400, rng) * rng.choice([-1.0, 1.0], size=(400, 1))
    assert sparse_dictionary(rows, 4, keep_one, None, rng) is None


def test_directions_that_are_too_few_tell_nothing():
    rng = np.random.RandomState(0)
    rows = rng.normal(size=(60, 4))
    assert sparse_dictionary(rows, 2, keep_one, None, rng) is None
    scaled = rng.uniform(1.0, 2.0, size=(400, 1)) * np.tile(rows[:10], (40, 1))
    assert sparse_dictionary(scaled, 8, keep_one, None, rng) is None


def test_rows_of_hardly_any_weight_are_not_learned_from():
    rng = np.random.RandomState(0)
    rows = multiples_of(rng.normal(size=(6, 4)), 400, rng)
    others = multiples_of(rng.normal(size=(6, 4)), 400, rng)
    weight = np.repeat([1.0, 1e-12], 400)
    mixed = np.concatenate([rows, others])
    encoder, decoder = sparse_dictionary(mixed, 24, keep_one, weight, rng)
    np.testing.assert_allclose(keep_one(rows @ encoder) @ decoder, rows, rtol=0.3, atol=0.1)
