"""Every kind of estimator returns what it returned when `tests/regression_net.npz` was stored.

A change of behaviour that is meant is stored anew, and said in the changelog:
``OMP_NUM_THREADS=1 python tests/regression_net.py store tests/regression_net.npz``.
"""

from pathlib import Path

import numpy as np
import pytest
from regression_net import cases, differences, store

STORED = dict(np.load(Path(__file__).with_name("regression_net.npz")))
# In deviations of what is stored. Another processor rounds otherwise, and training carries that on; where the code is
# changed, an error of a rule or of the order of random draws is larger by far.
TOLERANCE, TOLERANCE_IN_BFLOAT16 = 1e-3, 0.3


def of(name, results):
    return {key: values for key, values in results.items() if key.startswith(f"{name}/")}


def test_every_configuration_is_stored():
    assert {key.split("/")[0] for key in STORED} == set(cases())


@pytest.mark.parametrize("name", cases())
def test_returns_what_is_stored(name):
    tolerance = TOLERANCE_IN_BFLOAT16 if "bfloat16" in name else TOLERANCE
    assert differences(of(name, STORED), store([name]))[name] < tolerance


@pytest.mark.parametrize("name", ["plain", "missing", "partial_fit", "detector"])
def test_the_same_again_bit_for_bit(name):
    first, second = store([name]), store([name])
    for key in first:
        np.testing.assert_array_equal(first[key], second[key])
