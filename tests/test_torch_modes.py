"""Modes of torch that a caller has set for networks of its own change no result."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from family_cases import short
from sklearn.base import clone

from skae import AutoencoderOutlierDetector, AutoencoderTransformer

T = np.random.RandomState(0).uniform(-1, 1, size=(260, 1))  # more than 256 rows, so that "auto" is float32
X = np.hstack([T, T**2, T**3]) + 0.05 * np.random.RandomState(1).normal(size=(260, 3))
INCOMPLETE = np.where(np.random.RandomState(2).uniform(size=X.shape) < 0.1, np.nan, X)


class Network(torch.nn.Module):
    def __init__(self, n_features, n_outputs, n_components):
        super().__init__()
        self.encode = torch.nn.Linear(n_features, n_outputs, device="cpu", dtype=torch.float32)
        self.decode = torch.nn.Linear(n_components, n_features, device="cpu", dtype=torch.float32)


@contextmanager
def default_device():
    """One whose tensors have no values: what is made on it by mistake raises an error."""
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


MODES = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "default device": default_device,
    "default dtype": default_dtype,
    "inference": torch.inference_mode,
}
each_mode = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
FITS = {
    "dense": (AutoencoderTransformer(random_state=0), X),
    "incomplete": (AutoencoderTransformer(random_state=0), INCOMPLETE),
    "neighbors": (AutoencoderTransformer(code="neighbors", random_state=0), X),
    "network": (AutoencoderTransformer(network=Network, random_state=0), X),
    "detector": (AutoencoderOutlierDetector(max_iter=3, random_state=0), INCOMPLETE),
    "clean": (AutoencoderOutlierDetector(novelty=True, max_iter=3, random_state=0), X),
    "reconstruction": (AutoencoderOutlierDetector(method="reconstruction", random_state=0), X),
}
CALLS = ("transform", "score_samples", "reconstruct", "p_values", "feature_contributions")


def results(estimator, rows):
    calls = [getattr(estimator, name)(rows) for name in CALLS if hasattr(estimator, name)]
    return [*calls, estimator.sample(3, random_state=0)] if hasattr(estimator, "sample") else calls


@short
@each_mode
@pytest.mark.parametrize("fit", FITS)
def test_fits_and_results_are_the_same(fit, mode):
    estimator, rows = FITS[fit]
    fitted = clone(estimator).fit(rows)
    expected = results(fitted, rows)
    with mode():
        again = clone(estimator).fit(rows)
        found = results(again, rows), results(fitted, rows)
    for each in (*found, results(again, rows)):
        for result, right in zip(each, expected, strict=True):
            np.testing.assert_array_equal(result, right)


@each_mode
def test_partial_fit(mode):
    expected = AutoencoderTransformer(random_state=0).partial_fit(X).transform(X)
    with mode():
        codes = AutoencoderTransformer(random_state=0).partial_fit(X).transform(X)
    np.testing.assert_array_equal(codes, expected)


@pytest.mark.parametrize("mode", [default_device, default_dtype])
def test_modules_are_on_the_cpu(mode):
    fitted = AutoencoderTransformer(random_state=0).fit(X)
    with mode():
        encoder, decoder = fitted.encoder_module(), fitted.decoder_module()
    codes = encoder(torch.tensor(X)).detach()
    # Products of float32 numbers of order one, in another order than in the estimator.
    np.testing.assert_allclose(codes, fitted.transform(X), atol=1e-5)
    np.testing.assert_allclose(decoder(codes.double()).detach(), fitted.reconstruct(X), atol=1e-5)


def test_modules_are_copies():
    fitted = AutoencoderTransformer(random_state=0).fit(X)
    expected = fitted.transform(X)
    for module in (fitted.encoder_module(), fitted.decoder_module()):
        for values in module.state_dict().values():
            values.zero_()
    np.testing.assert_array_equal(fitted.transform(X), expected)


@pytest.mark.slow
@each_mode
@pytest.mark.parametrize("fit", ["dense", "detector"])
def test_graphs(fit, mode):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("skl2onnx")
    from skae import to_onnx

    estimator, rows = FITS[fit]
    fitted, rows = clone(estimator).set_params(max_iter=0).fit(rows), X.astype(np.float32)
    with mode():
        graph = to_onnx(fitted, rows)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    result = session.run(None, {session.get_inputs()[0].name: rows})[-1]
    expected = fitted.transform(rows) if fit == "dense" else fitted.decision_function(rows)[:, np.newaxis]
    # float32 in another order; bfloat16 would be off by 4e-3 of a number. Logarithms of distances magnify rounding.
    np.testing.assert_allclose(result, expected, atol=1e-3)
