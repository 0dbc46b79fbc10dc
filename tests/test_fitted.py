"""What makes results is kept ready between calls, beside estimators whose state is arrays, no longer than they live."""

import gc
import pickle
import weakref

import numpy as np
import pytest
import torch
from family_cases import Dense
from sklearn.base import clone

from skae import AutoencoderOutlierDetector, AutoencoderTransformer

CPU = "cpu"


def made(model):
    """What the estimator has ready on the CPU: a network, or tensors and networks of views."""
    if isinstance(model, AutoencoderTransformer):
        return model._fitted.network(CPU)
    if model.method == "reconstruction":
        return model._views.autoencoder.network(CPU)
    return model._views.on(torch.device(CPU))


MODELS = [
    AutoencoderTransformer(2, max_iter=0, random_state=0),
    AutoencoderOutlierDetector(max_iter=0, random_state=0),
    AutoencoderOutlierDetector(method="reconstruction", max_iter=0, random_state=0),
]


@pytest.fixture(params=MODELS, ids=["transformer", "denoising", "reconstruction"])
def model(request, digits):
    return clone(request.param).fit(digits[0][:100])


def results(model, X):
    return model.transform(X) if isinstance(model, AutoencoderTransformer) else model.score_samples(X)


def test_rows_find_it_ready(model, digits):
    first = made(model)
    results(model, digits[1])
    assert made(model) is first


def test_a_new_fit_makes_another(model, digits):
    X = digits[1]
    before = results(model, X)
    after = results(model.fit(digits[0][100:300]), X)
    assert np.abs(after - before).max() > 0.1
    np.testing.assert_array_equal(after, results(clone(model).fit(digits[0][100:300]), X))


def test_neither_attributes_nor_files_hold_it(model, digits):
    fresh = clone(model).fit(digits[0][:100])
    results(model, digits[1])
    assert vars(model).keys() == vars(fresh).keys()
    assert len(pickle.dumps(model)) == len(pickle.dumps(fresh))


@pytest.mark.parametrize("unfitted", MODELS, ids=["transformer", "denoising", "reconstruction"])
def test_it_goes_with_the_estimator(unfitted, digits):
    model = clone(unfitted).fit(digits[0][:100])
    results(model, digits[1])
    ready = weakref.ref(made(model))
    del model
    gc.collect()
    assert ready() is None


def test_a_custom_network_is_each_calls_own(digits):
    fitted = AutoencoderTransformer(2, network=Dense, max_iter=0).fit(digits[0][:100])._fitted
    assert fitted.network("cpu").architecture.module is not fitted.network("cpu").architecture.module
