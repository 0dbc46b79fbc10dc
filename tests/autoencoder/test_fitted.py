"""Networks are made when first needed, and live as long as the autoencoder they are of."""

import gc
import pickle
import weakref

import numpy as np
import pytest
import torch
from family_cases import Dense

from skae import AutoencoderTransformer

CPU = torch.device("cpu")


@pytest.fixture
def model(digits):
    return AutoencoderTransformer(2, max_iter=0, random_state=0).fit(digits[0][:100])


def test_rows_find_it_ready(model, digits):
    first = model._fitted.network(CPU)
    model.transform(digits[1])
    assert model._fitted.network(CPU) is first


def test_files_do_not_hold_it(model, digits):
    before = pickle.dumps(model)
    model.transform(digits[1])
    assert pickle.dumps(model) == before


def test_it_goes_with_the_estimator(digits):
    model = AutoencoderTransformer(2, max_iter=0).fit(digits[0][:100])
    model.transform(digits[1])
    ready = weakref.ref(model._fitted.network(CPU))
    del model
    gc.collect()
    assert ready() is None


def test_a_custom_network_is_each_calls_own(digits):
    """Two threads could not use one at once."""
    fitted = AutoencoderTransformer(2, network=Dense, max_iter=0).fit(digits[0][:100])._fitted
    assert fitted.network(CPU).module is not fitted.network(CPU).module


def test_the_state_makes_the_same_autoencoder(model, digits):
    fitted = model._fitted
    again = type(fitted).from_state(fitted.to_state())
    np.testing.assert_array_equal(again.encode(digits[1], CPU), fitted.encode(digits[1], CPU))
    np.testing.assert_array_equal(again.reconstruct(digits[1], CPU), fitted.reconstruct(digits[1], CPU))
