"""Networks are kept ready between calls, beside estimators whose state is arrays, and never longer than they hold."""

import gc
import pickle
import weakref

import numpy as np
import pytest
from family_cases import Dense
from sklearn.base import clone

from skae import AutoencoderTransformer


@pytest.fixture
def model(digits):
    return AutoencoderTransformer(2, max_iter=0, random_state=0).fit(digits[0][:100])


def test_rows_find_the_network_ready(model, digits):
    first = model._fitted.network("cpu")
    model.transform(digits[1])
    assert model._fitted.network("cpu") is first


def test_a_new_fit_makes_a_new_one(model, digits):
    X = digits[1]
    before = model.transform(X)
    after = model.fit(digits[0][100:300]).transform(X)
    assert np.abs(after - before).max() > 0.1
    np.testing.assert_array_equal(after, clone(model).fit(digits[0][100:300]).transform(X))


def test_neither_attributes_nor_files_hold_it(model, digits):
    fresh = clone(model).fit(digits[0][:100])
    model.transform(digits[1])
    assert vars(model).keys() == vars(fresh).keys()
    assert len(pickle.dumps(model)) == len(pickle.dumps(fresh))


def test_it_goes_with_the_estimator(digits):
    model = AutoencoderTransformer(2, max_iter=0).fit(digits[0][:100])
    model.transform(digits[1])
    network = weakref.ref(model._fitted.network("cpu"))
    del model
    gc.collect()
    assert network() is None


def test_a_custom_network_is_each_calls_own(digits):
    fitted = AutoencoderTransformer(2, network=Dense, max_iter=0).fit(digits[0][:100])._fitted
    assert fitted.network("cpu").architecture.module is not fitted.network("cpu").architecture.module
