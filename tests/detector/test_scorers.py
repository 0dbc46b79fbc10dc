"""What every scorer promises to the detector, and what computes its scores on a device."""

import gc
import pickle
import weakref

import numpy as np
import pytest
import torch
from sklearn.base import clone

from skae import AutoencoderOutlierDetector
from skae._outlier_detector import SCORERS

CPU = torch.device("cpu")
X = np.random.RandomState(0).normal(size=(120, 4)) @ np.diag([3.0, 2.0, 1.0, 0.5])
NEW = np.random.RandomState(1).normal(size=(30, 4))
KINDS = [(method, novelty) for method in SCORERS for novelty in (False, True) if method == "denoising" or not novelty]


def detector(method, novelty):
    return AutoencoderOutlierDetector(method=method, novelty=novelty, max_iter=0, random_state=0)


@pytest.fixture(params=KINDS, ids=str)
def fitted(request):
    return detector(*request.param).fit(X)


def ready_on_the_cpu(fitted):
    """What computes scores there: tensors and networks."""
    if fitted.method == "reconstruction":
        return [fitted._scorer.autoencoder.network(CPU)]
    return [fitted._scorer.distances._on(torch.device("cpu")), fitted._scorer.network.network]


def test_components_of_calibration_rows_are_as_many(fitted):
    components = fitted._scorer.component_scores(NEW, CPU)
    assert components.shape == (len(NEW), len(fitted._calibration.surprisals))
    assert components.dtype == np.float64
    assert np.isfinite(components).all()


def test_shares_of_a_component_sum_to_one(fitted):
    n_components = fitted._scorer.component_scores(NEW, CPU).shape[1]
    for component in range(n_components):
        weights = np.tile(np.arange(n_components) == component, (len(NEW), 1)).astype(float)
        shares = fitted._scorer.feature_shares(NEW, weights, CPU)
        assert shares.shape == NEW.shape
        assert (shares >= 0).all()
        np.testing.assert_allclose(shares.sum(axis=1), 1.0)


def test_the_state_makes_the_same_scorer(fitted):
    scorer = fitted._scorer
    again = type(scorer).from_state(scorer.to_state())
    np.testing.assert_array_equal(again.component_scores(NEW, CPU), scorer.component_scores(NEW, CPU))


def test_rows_find_ready_what_computes_their_scores(fitted):
    first = ready_on_the_cpu(fitted)
    fitted.score_samples(NEW)
    assert all(ours is other for ours, other in zip(ready_on_the_cpu(fitted), first, strict=True))


def test_files_do_not_hold_it(fitted):
    fresh = clone(fitted).fit(X)
    fitted.score_samples(NEW)
    assert vars(fitted).keys() == vars(fresh).keys()
    assert len(pickle.dumps(fitted)) == len(pickle.dumps(fresh))


@pytest.mark.parametrize(("method", "novelty"), KINDS)
def test_it_goes_with_the_estimator(method, novelty):
    model = detector(method, novelty).fit(X)
    model.score_samples(NEW)
    ready = [weakref.ref(part) for part in ready_on_the_cpu(model)]
    del model
    gc.collect()
    assert [part() for part in ready] == [None] * len(ready)
