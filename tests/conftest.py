"""Settings that must hold before scikit-learn and SciPy are imported, and data shared by the tests."""

import os

# Without it scikit-learn skips its array API checks.
os.environ["SCIPY_ARRAY_API"] = "1"
os.environ.setdefault("MPLBACKEND", "agg")

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from sklearn.datasets import load_digits
from torch.utils._python_dispatch import TorchDispatchMode

# Each example fits an estimator: 30 of each kind, the same every time, unless `--hypothesis-profile` says otherwise.
# "thorough" draws 400 new ones.
slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("quick", max_examples=30, derandomize=True, deadline=None, suppress_health_check=slow)
settings.register_profile("ci", settings.get_profile("quick"), max_examples=400)
settings.register_profile("thorough", settings.get_profile("ci"), derandomize=False)
settings.load_profile("quick")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What is left to the night is slow, and so are the examples in docstrings: `-m "not slow"` says enough."""
    for item in items:
        if item.get_closest_marker("nightly") or isinstance(item, pytest.DoctestItem):
            item.add_marker("slow")


@pytest.fixture(autouse=True)
def seeded():
    """Networks that tests build start from the same weights whichever tests ran before."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def digits():
    """Training and test pixels of scikit-learn's digits, in [0, 1]."""
    X = load_digits().data / 16.0
    order = np.random.RandomState(0).permutation(len(X))
    return X[order[:1400]], X[order[1400:]]


@pytest.fixture(scope="session")
def curve():
    """Points on a noisy parabola in three dimensions: one curved dimension that PCA cannot follow."""
    rng = np.random.RandomState(0)
    t = rng.uniform(-1, 1, size=300)
    return np.column_stack([t, t**2, -t]) + rng.normal(scale=0.02, size=(300, 3))


class HostReads(TorchDispatchMode):
    """Counts what has the host wait for a GPU: numbers read from the device, and arrays copied between the two."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        moves = func is torch.ops.aten._to_copy.default and (kwargs or {}).get("device") is not None
        self.count += moves or func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **kwargs or {})


@pytest.fixture
def host_reads():
    """A context manager whose `count` says how often the host would have waited for a GPU."""
    return HostReads


@pytest.fixture
def four_threads():
    """torch on four threads, whatever the environment asked for."""
    count = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(count)
