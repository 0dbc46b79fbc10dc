"""Every parameter at values just outside its range, and at what no parameter may be."""

import copy
from importlib.util import find_spec

import numpy as np
import pytest
from fault_cases import ESTIMATORS, X, drawn, few_epochs, fitted_estimators, pd, state

pytestmark = few_epochs

NOT_BOOL = ["True", 2.5]
BELOW_ZERO = np.nextafter(0.0, -1.0)
OUT_OF_RANGE = {
    "n_components": [0, 0.0, 1.0, 2.5, "1", ""],
    "method": ["", " ", "DENOISING"],
    "novelty": NOT_BOOL,
    "contamination": [0.0, BELOW_ZERO, np.nextafter(0.5, 1.0), "AUTO"],
    "code": ["", " ", "DENSE", None, True],
    "n_nonzero": [0, 2.5, "1", ""],
    "beta": [0.0, -1, "1"],
    "corruption": ["", " ", "GAUSSIAN", 3, [len]],
    "corruption_level": [BELOW_ZERO, "AUTO", ""],
    "loss": ["", " ", "HUBER"],
    "network": ["network", 3, [len]],
    "hidden_layer_sizes": [(0,), (-1, 3), (2.5,), (True,), ("8",), 0, -8, 8.0, True, {8}, "AUTO", b"8"]
    + [np.array([8.0]), np.array([[8]]), np.array([True]), np.empty((0, 8)), np.array(8.0), [[8]], [(8, 8)]],
    "activation": ["", " ", "SILU"],
    "whiten": NOT_BOOL,
    "scale": NOT_BOOL,
    "alpha": [BELOW_ZERO, "AUTO", ""],
    "batch_size": [0, 2.5, "1", "AUTO"],
    "learning_rate_init": [0.0, BELOW_ZERO, "AUTO"],
    "max_iter": [-1, 2.5, "1", "AUTO"],
    "n_iter_no_change": [0, 2.5, "1", "AUTO"],
    "early_stopping": [0.0, 1.0, *NOT_BOOL, "AUTO"],
    "warm_start": NOT_BOOL,
    "categorical_features": ["", "FROM_DTYPE", 0, True, [0.5], [[0]], {0}, b"a", np.array(0), [None]],
    "dtype": ["", " ", "FLOAT32", "float16"],
    "device": [3, True, None, ""],
    "verbose": [-1, *NOT_BOOL, "1"],
    "random_state": [-1, 2**32, 0.5, "0", True, np.random.default_rng(0)],
}
# What no parameter may be.
NEVER = [object(), {}, 1j, b"auto", "no such option", np.nan, np.inf, -np.inf, np.array([0.5]), -(10**400)]
if find_spec("pandas"):
    NEVER.append(pd.NA)


def cases():
    """Every value in every estimator; in one of each class by day, with one of the values that no parameter may be."""
    of_each_class = {}
    for name, estimator in ESTIMATORS.items():
        of_each_class.setdefault(type(estimator), []).append(name)
    for cls, names in of_each_class.items():
        for parameter in cls().get_params():
            key = cls.__name__, parameter
            by_day = {drawn(key, range(len(NEVER))), *range(len(NEVER), len(NEVER) + len(OUT_OF_RANGE[parameter]))}
            for name in names:
                for i, value in enumerate([*NEVER, *OUT_OF_RANGE[parameter]]):
                    marks = [] if name == drawn(key, names) and i in by_day else [pytest.mark.nightly]
                    yield pytest.param(name, parameter, value, marks=marks, id=f"{name}-{parameter}-{i}")


def test_all_parameters_are_tried():
    assert {parameter for estimator in ESTIMATORS.values() for parameter in estimator.get_params()} == set(OUT_OF_RANGE)


@pytest.mark.parametrize(("name", "parameter", "value"), cases())
def test_out_of_range(name, parameter, value):
    estimator = copy.copy(fitted_estimators()[name])
    setattr(estimator, parameter, value)
    before = state(estimator)
    with pytest.raises(ValueError, match=f"^The '{parameter}' parameter") as caught:
        estimator.fit(X[:, :3])
    assert "Got " in str(caught.value)
    assert state(estimator) == before
