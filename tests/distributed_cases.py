"""Fits of two processes: `torchrun` runs this file, and `test_distributed.py` compares what it leaves in a folder."""

import contextlib
import json
import pickle
import signal
import sys
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from callbacks import AfterEpoch, Callback
from family_cases import Dense, hide_some
from scipy import sparse

import skae
from skae import AutoencoderTransformer
from skae._rows._shards import ShardedStandardisedRows

N_ROWS = 200
SETTINGS = {"n_components": 2, "hidden_layer_sizes": (16,), "max_iter": 10, "dtype": "float64", "random_state": 0}


def curved_rows():
    rng = np.random.RandomState(0)
    t = rng.uniform(-1, 1, size=(N_ROWS, 2))
    rows = np.column_stack([t, t**2, t[:, 0] * t[:, 1], -t[:, 0]])
    return rows + rng.normal(scale=0.02, size=rows.shape)


X = curved_rows()
INCOMPLETE = hide_some(X, 0.1)[0]
WEIGHTS = np.random.RandomState(1).randint(0, 4, size=N_ROWS).astype(np.float64)
FIRST_ONLY = (np.arange(N_ROWS) < N_ROWS // 3).astype(np.float64)
GROUPS = np.array([f"subject {number}" for number in np.random.RandomState(3).randint(40, size=N_ROWS)])
# Fewer rows than features: the axes are singular vectors.
WIDE = np.random.RandomState(2).normal(size=(60, 80))
COUNTS = np.round(10 * np.abs(X))

# Rows, weights, and parameters beside SETTINGS.
EQUAL = {
    "plain": (X, None, {}),
    "weighted": (X, WEIGHTS, {"scale": True, "whiten": True}),
    "nothing_of_one_shard_counts": (X, FIRST_ONLY, {"whiten": True}),
    "one_weight_for_all": (X, 3.0, {"whiten": True}),
    "incomplete": (INCOMPLETE, WEIGHTS, {"max_iter": 30}),
    "sparse": (sparse.csr_matrix(np.maximum(X, 0.0)), None, {}),
    "wide": (WIDE, None, {}),
    "no_hold_out": (X, None, {"early_stopping": False}),
    "stops_early": (X, None, {"max_iter": 40, "n_iter_no_change": 2, "learning_rate_init": 0.1}),
    "batches_of_one_process_alone": (X, WEIGHTS, {"batch_size": 2, "max_iter": 1}),
    "float32": (X.astype(np.float32), None, {"dtype": "float32"}),
    "sparse_code": (X, None, {"code": "sparse", "n_components": 4, "n_nonzero": 2}),
    "denoising": (X, None, {"corruption": "gaussian", "corruption_level": 0.3}),
    "masking": (X, None, {"corruption": "masking"}),
    "salt_and_pepper": (X, None, {"corruption": "salt_and_pepper", "max_iter": 20}),
    "ordered": (X, None, {"code": "ordered", "n_components": 0.95}),
    "variational": (X, None, {"code": "variational"}),
    "network": (X, None, {"network": Dense}),
    # Zeros are a rounding below zero, within the range of the loss.
    "poisson": (COUNTS - 1e-15 * (COUNTS == 0), None, {"loss": "poisson"}),
}


ROWS_OF = {name: rows for name, (rows, _, _) in EQUAL.items()}


def shard(array, rank):
    """The first third of the rows, or the others."""
    if array is None or np.isscalar(array):
        return array
    middle = array.shape[0] // 3
    return array[:middle] if rank == 0 else array[middle:]


def with_infinity(rows):
    rows = rows.copy()
    rows[-1, 0] = np.inf
    return rows


SECOND = shard(X, 1)
# What the second process is given: rows, weights and parameters. The first is given what it should be.
FAULTS = {
    "infinite": (with_infinity(SECOND), None, {}),
    "one_row": (SECOND[:1], None, {}),
    "features": (SECOND[:, 1:], None, {}),
    "dtype": (SECOND.astype(np.float32), None, {}),
    "weights": (SECOND, np.ones(len(SECOND)), {}),
    "parameter_out_of_range": (SECOND, None, {"alpha": -1.0}),
    "another_parameter": (SECOND, None, {"max_iter": 7}),
    "network_of_one_process": (SECOND, None, {"network": Dense}),
    "groups": (SECOND, None, {}, None, shard(GROUPS, 1)),
    "another_length_of_weights": (SECOND, np.ones(len(SECOND) - 1), {}),
}


class Looks(Callback):
    """Asks for the estimator as it is after each epoch."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        return False


if find_spec("pandas"):
    import pandas as pd

    FAULTS["names"] = (pd.DataFrame(SECOND, columns=list("abcdef")), None, {})


def fail(*_):
    raise OSError("the disk is full")


def interrupt():
    raise KeyboardInterrupt


# What a callback of the second process does.
CALLBACKS = {
    "callback_fails": AfterEpoch(2, fail),
    "callback_of_one_process_looks": Looks(),
    "callback_stops": AfterEpoch(2, lambda: True),
    "callback_interrupts": AfterEpoch(2, interrupt),
    "signal": AfterEpoch(2, lambda: signal.raise_signal(signal.SIGINT)),
}


def fit(rows, weights, parameters, callback=None, groups=None):
    model = AutoencoderTransformer(**SETTINGS | parameters)
    if callback is not None:
        model.set_callbacks(callback)
    with warnings.catch_warnings(record=True) as caught, skae.distributed():
        warnings.simplefilter("always")
        model.fit(rows, sample_weight=weights, groups=groups)
    return model, [str(warning.message) for warning in caught]


def outcome(*arguments):
    """What a fit raised or warned of, and after how many seconds."""
    start, result = time.perf_counter(), {}
    try:
        model, result["warnings"] = fit(*arguments)
        result["n_iter"] = model.n_iter_
    except Exception as error:
        result["error"] = str(error)
    return result | {"seconds": time.perf_counter() - start}


@contextlib.contextmanager
def failing_to_read(rank):
    """Rows of batches cannot be read on one rank."""
    read = ShardedStandardisedRows.part
    ShardedStandardisedRows.part = fail if rank == 1 else read
    try:
        yield
    finally:
        ShardedStandardisedRows.part = read


def global_state():
    numpy_state = np.random.mtrand._rand.get_state(legacy=False)["state"]
    return torch.get_rng_state().tolist(), numpy_state["key"].tolist(), signal.getsignal(signal.SIGINT)


def run_all(rank):
    """Fits that should equal those of one process, and outcomes of those that should not be."""
    before, fitted, outcomes = global_state(), {}, {}
    for name, (rows, weights, parameters) in EQUAL.items():
        fitted[name] = fit(shard(rows, rank), shard(weights, rank), parameters)[0]
    # Fitted alone before, each to its own shard: the first process' weights are where all go on from.
    warm = AutoencoderTransformer(**SETTINGS, warm_start=True, early_stopping=False).fit(shard(X, rank))
    with skae.distributed():
        fitted["warm"] = warm.set_params(max_iter=2).fit(shard(X, rank))
    # An int is as good as a tuple, a tensor as an array.
    layers = 16 if rank == 0 else np.array([16])
    weights = torch.ones(len(shard(X, rank)), requires_grad=True) if rank == 0 else np.ones(len(shard(X, rank)))
    fitted["kinds"] = fit(shard(X, rank), weights, {"hidden_layer_sizes": layers})[0]
    fitted["groups"] = fit(shard(X, rank), shard(WEIGHTS, rank), {}, groups=shard(GROUPS, rank))[0]
    # No seed: the first process draws one for all.
    fitted["random"] = fit(shard(X, rank), None, {"random_state": None})[0]
    for name, arguments in FAULTS.items():
        outcomes[name] = outcome(*arguments) if rank == 1 else outcome(shard(X, 0), None, {})
    with failing_to_read(rank):
        outcomes["reading"] = outcome(shard(X, rank), None, {})
    # A negative count of the second process alone.
    outcomes["range"] = outcome(shard(np.abs(X), 0) if rank == 0 else SECOND, None, {"loss": "poisson"})
    outcomes["everywhere"] = outcome(shard(X, rank), None, {"corruption": "swap"})
    if hasattr(AutoencoderTransformer, "set_callbacks"):
        for name, callback in CALLBACKS.items():
            outcomes[name] = outcome(shard(X, rank), None, {}, callback if rank == 1 else None)
    outcomes["state_unchanged"] = global_state() == before
    return fitted, outcomes


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    fitted, outcomes = run_all(rank)
    (folder / f"{rank}.pickle").write_bytes(pickle.dumps(fitted))
    (folder / f"{rank}.json").write_text(json.dumps(outcomes))
    # Nobody catches this one.
    fit(with_infinity(shard(X, rank)) if rank == 1 else shard(X, rank), None, {})
