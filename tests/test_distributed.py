"""Two processes under torchrun: the fit of one process, and errors that stop both."""

import json
import os
import pickle
import re
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import distributed_cases
import joblib
import numpy as np
import pytest
import torch.distributed as dist
from distributed_cases import CALLBACKS, EQUAL, SETTINGS, X
from family_cases import short
from processes import run
from sklearn.base import clone

import skae
from skae import AutoencoderOutlierDetector, AutoencoderTransformer

pytestmark = pytest.mark.skipif(not dist.is_available(), reason="torch was built without torch.distributed")
SECONDS = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ranks")


@pytest.fixture(scope="module")
def job(folder):
    """Exit status and output of one run of all cases, which takes seconds to start; one that hangs is ended."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return run([*command, distributed_cases.__file__, folder], os.environ | {"OMP_NUM_THREADS": "1"})


@pytest.fixture(scope="module")
def ranks(job, folder):
    """Fitted estimators and outcomes of both ranks."""
    assert len(list(folder.iterdir())) == 4, job[1]
    return [
        (pickle.loads((folder / f"{rank}.pickle").read_bytes()), json.loads((folder / f"{rank}.json").read_text()))
        for rank in range(2)
    ]


@pytest.mark.parametrize("name", [*EQUAL, "random", "warm", "kinds", "groups"])
@pytest.mark.slow
def test_both_ranks_have_the_same_fit(ranks, name):
    first, second = (fitted[name] for fitted, _ in ranks)
    for method in ("transform", "reconstruct", "score_samples"):
        results = (getattr(model, method)(distributed_cases.ROWS_OF.get(name, X)) for model in (first, second))
        np.testing.assert_array_equal(*results)
    np.testing.assert_array_equal(*(model.sample(5, random_state=0) for model in (first, second)))
    assert first.loss_curve_ == second.loss_curve_


@short
@pytest.mark.parametrize("name", EQUAL)
@pytest.mark.slow
def test_two_processes_fit_as_one(ranks, name):
    """Sums in another order differ by 1e-14 in float64, and training does not raise that to 1e-5."""
    rows, weights, parameters = EQUAL[name]
    alone = AutoencoderTransformer(**SETTINGS | parameters).fit(rows, sample_weight=weights)
    together = ranks[0][0][name]
    assert together.n_iter_ == alone.n_iter_
    expected, tolerance = alone.transform(rows), 1e-3 if name == "float32" else 1e-5
    assert np.abs(together.transform(rows) - expected).max() <= tolerance * np.abs(expected).max()
    np.testing.assert_allclose(together.loss_curve_, alone.loss_curve_, rtol=tolerance)
    assert alone.best_loss_ < alone.initial_loss_ or name in ("wide", "batches_of_one_process_alone")


@pytest.mark.slow
def test_groups_may_be_on_several_ranks(ranks):
    alone = AutoencoderTransformer(**SETTINGS)
    alone.fit(X, sample_weight=distributed_cases.WEIGHTS, groups=distributed_cases.GROUPS)
    expected = alone.transform(X)
    # As above, of sums in another order.
    assert np.abs(ranks[0][0]["groups"].transform(X) - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.slow
def test_the_fit_is_that_of_training_on_both_shards(ranks):
    """A tolerance that one shard alone met would show nothing."""
    alone = AutoencoderTransformer(**SETTINGS).fit(distributed_cases.SECOND)
    expected = ranks[0][0]["plain"].transform(X)
    assert np.abs(alone.transform(X) - expected).max() > 1e-2 * np.abs(expected).max()


MESSAGES = {
    "infinite": "Rank 1 of 2 raised ValueError: Input X contains infinity",
    "one_row": r"Rank 1 of 2 raised ValueError: Found array with 1 sample\(s\)",
    "features": "Processes need the same number of features: rank 0 has 6, rank 1 has 5",
    "dtype": "Processes need the same dtype of X: rank 0 has 'float64', rank 1 has 'float32'",
    "weights": "Processes need the same sample_weight: rank 0 has None, rank 1 has 'an array'",
    "groups": "Processes need the same groups: rank 0 has None, rank 1 has 'an array'",
    "parameter_out_of_range": "Rank 1 of 2 raised ValueError: The 'alpha' parameter",
    "another_parameter": "Processes need the same max_iter: rank 0 has 10, rank 1 has 7",
    "network_of_one_process": "Processes need the same network: rank 0 has None, rank 1 has 'a callable'",
    "another_length_of_weights": "Rank 1 of 2 raised ValueError: Found input variables with inconsistent numbers",
    "reading": "Rank 1 of 2 raised OSError: the disk is full",
    "names": "Processes need the same feature names",
    "range": r"loss='poisson' requires values of X in the range \[0, inf\)\. Got -",
    "everywhere": r"corruption='swap' cannot be used within skae.distributed\(\)",
    "callback_fails": "Rank 1 of 2 raised OSError: the disk is full",
    "callback_of_one_process_looks": "Processes are at different places",
}


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.slow
def test_an_error_of_one_rank_is_raised_by_both(ranks, name):
    outcomes = [outcome for _, outcome in ranks]
    if name not in outcomes[0]:
        pytest.skip("callbacks came with scikit-learn 1.9" if name in CALLBACKS else "needs pandas")
    assert re.match(MESSAGES[name], outcomes[0][name]["error"])
    assert outcomes[0][name]["error"] == outcomes[1][name]["error"]
    assert max(outcome[name]["seconds"] for outcome in outcomes) < SECONDS


@pytest.mark.parametrize("name", ["callback_stops", "callback_interrupts", "signal"])
@pytest.mark.slow
def test_one_rank_stops_both(ranks, name):
    outcomes = [outcome for _, outcome in ranks]
    if name not in outcomes[0]:
        pytest.skip("callbacks came with scikit-learn 1.9")
    for outcome in outcomes:
        assert outcome[name]["n_iter"] == 2
        assert any("interrupted by user" in text for text in outcome[name]["warnings"]) == (name != "callback_stops")


@pytest.mark.slow
def test_global_state_is_left_alone(ranks):
    assert all(outcome["state_unchanged"] for _, outcome in ranks)


@pytest.mark.slow
def test_an_error_nobody_catches_ends_the_job(job):
    status, output = job
    assert status != 0
    assert output.count("ErrorOnRank: Rank 1 of 2 raised ValueError: Input X contains infinity") == 2


def test_a_process_group_is_needed():
    words = r"launch with torchrun and call torch.distributed.init_process_group"
    with pytest.raises(RuntimeError, match=words), skae.distributed():
        pytest.fail("the body must not run")


@pytest.fixture
def group_of_one(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@short
@pytest.mark.usefixtures("group_of_one")
class TestGroupOfOne:
    def test_is_an_ordinary_fit(self):
        alone = AutoencoderTransformer(**SETTINGS)
        with skae.distributed():
            together = clone(alone).fit(X)
        np.testing.assert_array_equal(together.transform(X), alone.fit(X).transform(X))
        assert together.loss_curve_ == alone.loss_curve_

    def test_in_any_thread(self):
        """Only the main thread may note signals."""
        model = AutoencoderTransformer(**SETTINGS)

        def fit():
            with skae.distributed():
                return model.fit(X)

        with ThreadPoolExecutor(1) as pool:
            fitted = pool.submit(fit).result()
        np.testing.assert_array_equal(fitted.transform(X), clone(model).fit(X).transform(X))

    def test_ends_with_the_block_also_after_an_error(self):
        with pytest.raises(ZeroDivisionError), skae.distributed():
            raise ZeroDivisionError
        AutoencoderTransformer(max_iter=0, corruption="swap").fit(X).partial_fit(X)

    def test_raises_what_an_ordinary_fit_does(self):
        with pytest.raises(ValueError, match=r"^The 'alpha' parameter"), skae.distributed():
            AutoencoderTransformer(alpha=-1.0).fit(X)
        with pytest.raises(ValueError, match=r"^Training met infinite or NaN values"), skae.distributed():
            AutoencoderTransformer(**SETTINGS | {"learning_rate_init": 1e300}).fit(X)

    @pytest.mark.parametrize(
        "parameters",
        [{"corruption": "swap"}, {"corruption": lambda rows, random_state: rows}, {"code": "neighbors"}],
        ids=["swap", "callable", "neighbors"],
    )
    def test_what_looks_at_all_rows_is_refused(self, parameters):
        with pytest.raises(ValueError, match=r"cannot be used within skae.distributed\(\)"), skae.distributed():
            AutoencoderTransformer(**parameters).fit(X)

    @pytest.mark.parametrize("model", [AutoencoderTransformer(3), AutoencoderOutlierDetector()])
    def test_chunks_and_detectors_are_for_one_process(self, model):
        model = clone(model)
        with pytest.raises(ValueError, match="in one process: call it outside of"), skae.distributed():
            model.partial_fit(X)
        assert not hasattr(model, "n_features_in_")


GUIDE = Path(__file__).parents[1] / "docs" / "guide_distributed.md"


@short
@pytest.mark.skipif(not GUIDE.exists(), reason="the documentation is not here")
def test_the_script_of_the_guide(tmp_path, monkeypatch, capsys):
    script = re.search(r"^```python\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), flags=re.M | re.S).group(1)
    monkeypatch.chdir(tmp_path)
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port = opened.getsockname()[1]
    # What torchrun tells a process that it starts alone.
    environment = {"RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    np.save("rows.npy", np.random.RandomState(0).normal(size=(60, 20)))
    exec(compile(script, GUIDE.name, "exec"), {"__name__": "__main__"})
    assert joblib.load("model.joblib").components_.shape == (16, 20)
    assert "Epoch 1/160" in capsys.readouterr().out
