"""The denoising scorer on tensors gives the components that the scorer gives, before any graph is made."""

import numpy as np
import pytest
import torch
from family_cases import short

from skae import AutoencoderOutlierDetector
from skae._detector._tail_surprisal import TailSurprisal
from skae._onnx._denoising import DenoisingComponents, Surprisals, _Systems

# Of standard deviations, by the dtype of the coordinates.
TOLERANCES = {"float32": 1e-4, "float64": 1e-8}


def continuous(n_rows, seed):
    """More distinct values than are kept, far rows, and a constant."""
    X = np.random.RandomState(seed).normal(size=(n_rows, 4))
    X[::7] *= 10.0
    return np.column_stack([X, np.full(n_rows, 2.0)])


def discrete(n_rows, seed):
    """Rows that repeat, and rows that differ in one continuous feature by very little."""
    rng = np.random.RandomState(seed)
    return np.column_stack([rng.randint(3, size=(n_rows, 3)), np.round(rng.normal(size=n_rows), 2), np.ones(n_rows)])


def hidden(X):
    """Without a fifth of the entries; of one row nothing is left but one entry."""
    X = np.where(np.random.RandomState(2).uniform(size=X.shape) < 0.2, np.nan, X)
    X[3, 1:] = np.nan
    X[3, 0] = 0.0
    return X[~np.isnan(X).all(axis=1)]


@short
@pytest.mark.parametrize("missing", ["nowhere", "in new rows", "everywhere"])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("novelty", [False, True])
@pytest.mark.parametrize("draw", [continuous, discrete])
@pytest.mark.parametrize("n_rows", [30, 400])
def test_components_are_the_scorers(n_rows, draw, novelty, dtype, missing):
    X, new = draw(n_rows, 0), draw(100, 1)
    new[::10, 4], new[::9, 0], new[1] = 2.5, 0.5, 1e30
    X, new = hidden(X) if missing == "everywhere" else X, new if missing == "nowhere" else hidden(new)
    ours = AutoencoderOutlierDetector(novelty=novelty, dtype=dtype, max_iter=2, hidden_layer_sizes=(8, 8))
    ours.set_params(random_state=0).fit(X)
    components = DenoisingComponents(ours._scorer, missing != "nowhere")
    for rows in (X, new):
        expected = np.nan_to_num(ours._scorer.component_scores(rows, torch.device("cpu")), nan=-np.inf)
        with torch.no_grad():
            found = components(torch.from_numpy(rows)).numpy()
        np.testing.assert_allclose(found, expected, atol=TOLERANCES[dtype] * expected[np.isfinite(expected)].std())


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_coordinates_are_the_scorers(dtype):
    X, new = continuous(600, 0), continuous(200, 1)
    scorer = AutoencoderOutlierDetector(dtype=dtype, max_iter=0, random_state=0).fit(X)._scorer
    systems = _Systems(scorer.distances.coordinates, False)(torch.from_numpy(new))
    for found, expected in zip(systems, scorer.distances.systems(new).filled, strict=True):
        assert str(found.dtype).endswith(dtype)
        np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == "float32" else 1e-10, atol=1e-6)


def test_surprisals_of_several_tables():
    """Of different lengths, one of them with one value."""
    rng = np.random.RandomState(0)
    samples = [rng.normal(size=1000), rng.randint(4, size=50).astype(float), np.full(9, 2.0)]
    tails = [TailSurprisal.of(values, np.ones(len(values))) for values in samples]
    values = rng.normal(scale=3.0, size=(200, 3))
    values[::5, 1] = np.round(values[::5, 1])
    expected = np.column_stack([tail(column) for tail, column in zip(tails, values.T, strict=True)])
    np.testing.assert_allclose(Surprisals(tails)(torch.from_numpy(values)), expected, rtol=1e-12, atol=1e-12)
