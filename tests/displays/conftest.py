"""Fitted estimators to draw, and a check that tests leave no figures or settings behind."""

import pytest
from sklearn.datasets import load_breast_cancer

from skae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
)


@pytest.fixture(autouse=True)
def clean_pyplot():
    """Displays must not change global settings; close all figures."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    before = dict(pyplot.rcParams)
    yield
    assert dict(pyplot.rcParams) == before
    pyplot.close("all")


@pytest.fixture(scope="session")
def frame():
    pytest.importorskip("pandas")
    return load_breast_cancer(as_frame=True).data[:120]


@pytest.fixture(scope="session")
def transformer(frame):
    return AutoencoderTransformer(n_components=3, random_state=0).fit(frame)


@pytest.fixture(scope="session")
def detector(frame):
    return AutoencoderOutlierDetector(random_state=0).fit(frame)
