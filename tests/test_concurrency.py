"""Several processes, several threads, interruptions: the same results as alone, and nothing global is left changed."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from callbacks import AfterEpoch, needs_callbacks
from interruptions import cut_off_end
from processes import run
from sklearn.base import clone

from skae import AutoencoderOutlierDetector, AutoencoderTransformer
from skae.networks import ConvolutionalNetwork1d

SETTINGS = {"n_components": 2, "hidden_layer_sizes": (16,), "max_iter": 3, "random_state": 0}
ESTIMATORS = {
    "transformer": AutoencoderTransformer(**SETTINGS),
    "denoising": AutoencoderOutlierDetector(**SETTINGS),
    "clean": AutoencoderOutlierDetector(novelty=True, **SETTINGS),
    "reconstruction": AutoencoderOutlierDetector(method="reconstruction", **SETTINGS),
    # Its layers draw their weights from torch's global generator.
    "network": AutoencoderTransformer(**SETTINGS, network=ConvolutionalNetwork1d(channels=(4,))),
}
each_estimator = pytest.mark.parametrize("name", ESTIMATORS)
pytestmark = pytest.mark.filterwarnings("ignore:The loss was still falling")

X = np.random.RandomState(0).normal(size=(300, 6))


def global_state():
    """torch's thread count and generator, NumPy's generator."""
    numpy_state = np.random.mtrand._rand.get_state(legacy=False)["state"]
    return torch.get_num_threads(), torch.get_rng_state().tolist(), numpy_state["key"].tolist(), numpy_state["pos"]


# Run by a process of its own: after a fork OpenMP can hang, and the suite should not hang with it.
SEARCH = """
import sys, warnings
import joblib, numpy as np, torch
from sklearn.model_selection import GridSearchCV
from skae import AutoencoderOutlierDetector, AutoencoderTransformer
from skae.networks import ConvolutionalNetwork1d

warnings.simplefilter("ignore")
torch.set_num_threads(2)
torch.randn(1000, 1000) @ torch.randn(1000, 1000)
torch.randn(3000, 3000).exp()  # wakes OpenMP's threads in this process
X = np.random.RandomState(0).normal(size=(400, 30))


def mean_score(estimator, X, y=None):
    return estimator.score_samples(X).mean()


def search(estimator, n_jobs):
    grid = {"n_components": [1, 3]}
    searched = GridSearchCV(estimator, grid, cv=2, scoring=mean_score, n_jobs=n_jobs, error_score="raise").fit(X)
    return searched.cv_results_["mean_test_score"]


settings = {"max_iter": 2, "random_state": 0}
estimator = {
    "transformer": lambda: AutoencoderTransformer(**settings),
    "denoising": lambda: AutoencoderOutlierDetector(**settings, hidden_layer_sizes=(16,)),
    "clean": lambda: AutoencoderOutlierDetector(novelty=True, **settings, hidden_layer_sizes=(16,)),
    "reconstruction": lambda: AutoencoderOutlierDetector(method="reconstruction", **settings),
    "network": lambda: AutoencoderTransformer(**settings, network=ConvolutionalNetwork1d(channels=(4,))),
}[sys.argv[1]]()
alone = search(estimator, 1)
for backend in ["loky", "threading", "multiprocessing"]:
    with joblib.parallel_config(backend=backend):
        together = search(estimator, 2)
    np.testing.assert_array_equal(together, alone)
    assert torch.get_num_threads() == 2
    print(backend, "equal", flush=True)
"""
FORK = """
import os, sys, threading
import numpy as np, torch
from skae import AutoencoderTransformer
from skae._support import _threads

torch.set_num_threads(2)
torch.randn(3000, 3000).exp()
X = np.random.RandomState(0).normal(size=(400, 30))
ours = AutoencoderTransformer(random_state=0).fit(X)
expected = ours.transform(X)
_threads._lock.acquire()  # as another thread of the parent may at any time
if os.fork() == 0:
    fitted = AutoencoderTransformer(random_state=0).fit(X)
    same = np.array_equal(fitted.transform(X), expected) and np.array_equal(ours.transform(X), expected)
    os._exit(0 if same and torch.get_num_threads() == 1 else 1)
_threads._lock.release()
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
assert torch.get_num_threads() == 2
print("equal")
"""
# A fork while another thread's factory draws from the global generator.
FORK_OF_A_FACTORY = """
import os, threading
import numpy as np, torch
from skae import AutoencoderTransformer
from skae.networks import ConvolutionalNetwork1d

ours = AutoencoderTransformer(network=ConvolutionalNetwork1d(channels=(2,)), max_iter=0)
X = np.random.RandomState(0).normal(size=(100, 8))
inside, over = threading.Event(), threading.Event()


def network(*sizes):
    inside.set()
    over.wait()
    return ConvolutionalNetwork1d(channels=(2,))(*sizes)


other = threading.Thread(target=lambda: AutoencoderTransformer(network=network, max_iter=0).fit(X))
other.start()
inside.wait()
if os.fork() == 0:
    ours.fit(X)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
over.set()
other.join()
print("no deadlock")
"""


def run_python(code, tmp_path, *arguments):
    """What a process prints; one that hangs is ended with all its children, and fails."""
    script = tmp_path / "script.py"
    script.write_text(code)
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    status, output = run([sys.executable, script, *arguments], environment)
    assert status == 0, output
    return output


FORK_WITHIN = """
import os, torch
from skae._support._threads import single_thread
torch.set_num_threads(2)
with single_thread():
    child = os.fork() == 0
if child:
    os._exit(torch.get_num_threads())
print(os.waitstatus_to_exitcode(os.wait()[1]), torch.get_num_threads())
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are POSIX's")
class TestProcesses:
    # Starting the workers takes most of the time.
    @pytest.mark.parametrize(
        "name", [name if name == "denoising" else pytest.param(name, marks=pytest.mark.nightly) for name in ESTIMATORS]
    )
    def test_search_in_two_jobs_equals_one(self, name, tmp_path):
        lines = [f"{backend} equal" for backend in ["loky", "threading", "multiprocessing"]]
        assert run_python(SEARCH, tmp_path, name).splitlines() == lines

    def test_child_of_a_process_that_used_threads(self, tmp_path):
        assert run_python(FORK, tmp_path) == "equal\n"

    def test_child_of_a_process_that_is_on_one_thread_for_now(self, tmp_path):
        assert run_python(FORK_WITHIN, tmp_path) == "1 2\n"

    def test_child_of_a_process_whose_factories_draw(self, tmp_path):
        assert run_python(FORK_OF_A_FACTORY, tmp_path).endswith("no deadlock\n")


@pytest.mark.usefixtures("four_threads")
class TestThreads:
    @each_estimator
    @pytest.mark.slow
    def test_eight_fits_at_once_equal_serial_ones(self, name):
        serial = [clone(ESTIMATORS[name]).set_params(random_state=seed).fit(X).score_samples(X) for seed in range(8)]
        start = threading.Barrier(8)

        def fit(seed):
            start.wait()
            scores = clone(ESTIMATORS[name]).set_params(random_state=seed).fit(X).score_samples(X)
            return scores, torch.get_num_threads()

        before = global_state()
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(fit, range(8)))
        assert global_state() == before
        for (scores, count), expected in zip(together, serial, strict=True):
            np.testing.assert_array_equal(scores, expected)
            assert count == 4

    @each_estimator
    def test_one_estimator_serves_many_threads(self, name):
        fitted = clone(ESTIMATORS[name]).fit(X)
        state = {key: id(value) for key, value in vars(fitted).items()}
        parts = [X[i : i + 40] for i in range(0, 240, 10)]
        methods = ["transform", "predict", "score_samples"]
        calls = [(method, part) for method in methods for part in parts]
        serial = [getattr(fitted, method)(part) for method, part in calls]
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda call: getattr(fitted, call[0])(call[1]), calls))
        for result, expected in zip(together, serial, strict=True):
            np.testing.assert_array_equal(result, expected)
        assert {key: id(value) for key, value in vars(fitted).items()} == state


@pytest.mark.usefixtures("four_threads")
@pytest.mark.filterwarnings("ignore:No row is selected")
@each_estimator
class TestGlobalStateIsLeftAlone:
    def test_by_every_method(self, name):
        fitted = clone(ESTIMATORS[name])
        before = global_state()
        fitted.fit(X)
        assert global_state() == before
        methods = ["transform", "predict", "score_samples", "p_values", "feature_contributions", "decision_function"]
        methods += ["select", "reconstruct", "score"]
        for method in [method for method in methods if hasattr(fitted, method)]:
            getattr(fitted, method)(X)
            assert global_state() == before, method
            with pytest.raises(ValueError, match="features"):
                getattr(fitted, method)(X[:, 1:])
            assert global_state() == before, method

    @pytest.mark.parametrize("random_state", [None, 0])
    def test_by_a_fit_that_diverges(self, name, random_state):
        before = global_state()
        diverges = {"learning_rate_init": 1e300, "random_state": random_state}
        with pytest.raises(ValueError, match="lower learning_rate_init"):
            clone(ESTIMATORS[name]).set_params(**diverges).fit(X)
        assert global_state() == before

    @pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit])
    def test_by_a_fit_that_is_cut_off(self, name, error, monkeypatch):
        """Before and after training, where there is nothing yet to keep, an interruption is an error like others."""
        fitted = clone(ESTIMATORS[name]).fit(X)
        scores, state = fitted.score_samples(X), dict(vars(fitted))
        cut_off_end(monkeypatch, error)
        before = global_state()
        with pytest.raises(error):
            fitted.fit(X[:200] + 1.0)
        assert global_state() == before
        assert vars(fitted) == state
        np.testing.assert_array_equal(fitted.score_samples(X), scores)

    @needs_callbacks
    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_by_a_callback_that_raises(self, name, error):
        def fail():
            raise error

        fitted = clone(ESTIMATORS[name]).fit(X).set_callbacks(AfterEpoch(1, fail))
        state, before = dict(vars(fitted)), global_state()
        if error is KeyboardInterrupt:
            with pytest.warns(UserWarning, match="interrupted by user"):
                fitted.fit(X)
            assert fitted.n_iter_ == 1
        else:
            with pytest.raises(error):
                fitted.fit(X)
            assert vars(fitted) == state
        assert global_state() == before
