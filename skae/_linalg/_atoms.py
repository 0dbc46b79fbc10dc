"""Atoms for sparse codes, found by k-means and ridge regression."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.cluster import KMeans

from skae._linalg._moments import FloatArray
from skae._rows._strata import stratified_rows

# Atoms are learned from at least this many different directions, in total and per atom.
MIN_ROWS, MIN_ROWS_PER_ATOM = 50, 3
# Directions that are equal to this many digits count as one.
DIGITS = 6
# One row of four is held out, to compare atoms with axes.
JUDGED = 4
N_ITERATIONS = 20
# Ridge penalty in the regression of rows on codes, as a share of the mean square of the codes.
RIDGE = 0.03


def sparse_dictionary(
    rows: FloatArray,
    n_atoms: int,
    keep_largest: Callable[[FloatArray], FloatArray],
    weight: FloatArray | None,
    random_state: np.random.RandomState,
) -> tuple[FloatArray, FloatArray] | None:
    """Find E and D such that ``keep_largest(rows @ E) @ D`` is near the rows; None if the axes are better.

    The columns of E are the centres that k-means finds among the rows, scaled to unit length; each row is weighted by
    its squared length. D is the ridge regression of the rows on their codes. The regression is needed because several
    atoms are near a row, and their sum would be too long. Axes and atoms are compared on held-out rows.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_axes)
        Coordinates on orthonormal axes, about the mean.
    n_atoms : int
    keep_largest : callable
        Turns the smaller entries of codes into zeros.
    weight : ndarray of shape (n_rows,) or None
    random_state : RandomState

    Returns
    -------
    tuple of ndarray of shape (n_axes, n_atoms) and ndarray of shape (n_atoms, n_axes), or None
    """
    weight = np.ones(len(rows)) if weight is None else weight
    judged = np.zeros(len(rows), dtype=bool)
    judged[stratified_rows(len(rows), max(1, len(rows) // JUDGED))] = True
    learned, learned_weight = rows[~judged], weight[~judged]
    lengths = np.linalg.norm(learned, axis=1)
    directions = learned / np.where(lengths > 0, lengths, 1.0)[:, np.newaxis]
    if len(np.unique(directions.round(DIGITS), axis=0)) < max(MIN_ROWS, MIN_ROWS_PER_ATOM * n_atoms):
        return None
    clusters = KMeans(n_atoms, init="random", n_init=1, max_iter=N_ITERATIONS, random_state=random_state)
    clusters.fit(directions, sample_weight=learned_weight * np.square(lengths))
    norms = np.linalg.norm(clusters.cluster_centers_, axis=1)
    atoms = (clusters.cluster_centers_ / np.where(norms > 0, norms, 1.0)[:, np.newaxis]).T

    codes = keep_largest(learned @ atoms)
    weighted_codes = codes * learned_weight[:, np.newaxis]
    gram = codes.T @ weighted_codes
    gram[np.diag_indices(n_atoms)] += RIDGE * np.trace(gram) / n_atoms
    values = np.linalg.solve(gram, weighted_codes.T @ learned).astype(np.float64, copy=False)

    held_out, held_out_weight = rows[judged], weight[judged]
    by_atoms = held_out_weight @ np.square(held_out - keep_largest(held_out @ atoms) @ values)
    by_axes = held_out_weight @ np.square(held_out - keep_largest(held_out))
    return (atoms, values) if by_atoms.sum() < by_axes.sum() else None
