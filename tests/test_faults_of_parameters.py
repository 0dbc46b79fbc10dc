"""Every parameter at every value that its constraints leave out."""

import copy
from importlib.util import find_spec

import numpy as np
import pytest
from fault_cases import (
    ESTIMATORS,
    X,
    few_epochs,
    fitted_estimators,
    pd,
    state,
)

from skae._support._parameters import AnyCallable, Boolean, Float, InstanceOf, Integer, LayerSizes, OneOf, Seed

pytestmark = few_epochs


@pytest.fixture(scope="module")
def fitted():
    return fitted_estimators()


# What no parameter may be.
NEVER = [object(), {}, 1j, b"auto", "no such option", np.nan, np.inf, -np.inf, np.array([0.5]), -(10**400)]
if find_spec("pandas"):
    NEVER.append(pd.NA)


def out_of_range(constraint):
    """Values just outside what a constraint allows, by its own account of the limits."""
    match constraint:
        case Integer(low):
            return [low - 1, 2.5, "1"]
        case Float(low, high, low_open, high_open):
            below = [low if low_open else np.nextafter(low, -np.inf)]
            return below + ([] if np.isinf(high) else [float(high) if high_open else np.nextafter(high, np.inf)])
        case Boolean():
            return ["True", 2.5]
        case OneOf(options):
            return ["", " ", *(option.upper() for option in options if option)]
        case LayerSizes():
            return [(0,), (-1, 3), (2.5,), (True,), ("8",), 8, {8}, np.array([8])]
        case InstanceOf():
            return [3, True, None]
        case AnyCallable():
            return ["network", 3, [len]]
        case Seed():
            return [-1, 2**32, 0.5, "0", True, np.random.default_rng(0)]


PARAMETERS = [
    (name, parameter, value)
    for name, estimator in ESTIMATORS.items()
    for parameter, constraints in estimator._constraints.items()
    for value in [*NEVER, *(value for constraint in constraints for value in out_of_range(constraint))]
    # What is outside one of a parameter's constraints may be within another.
    if not any(constraint.accepts(value) for constraint in constraints)
]


class TestParameters:
    def test_all_are_constrained(self):
        for estimator in ESTIMATORS.values():
            assert set(estimator._constraints) == set(estimator.get_params())

    @pytest.mark.parametrize(
        ("name", "parameter", "value"), PARAMETERS, ids=[f"{name}-{p}-{i}" for i, (name, p, _) in enumerate(PARAMETERS)]
    )
    def test_out_of_range(self, fitted, name, parameter, value):
        estimator = copy.copy(fitted[name])
        setattr(estimator, parameter, value)
        before = state(estimator)
        with pytest.raises(ValueError, match=f"^The '{parameter}' parameter") as caught:
            estimator.fit(X[:, :3])
        assert "Got " in str(caught.value)
        assert state(estimator) == before
