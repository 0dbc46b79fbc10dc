"""On a GPU: what a CPU gives, in the kind it was given, the same every time, and without the host waiting for steps."""

import pickle

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.base import clone

from skae import AutoencoderOutlierDetector, AutoencoderTransformer
from skae._training import _loop

ESTIMATORS = {
    "transformer": AutoencoderTransformer(8, random_state=0),
    "denoising": AutoencoderOutlierDetector(random_state=0),
    "reconstruction": AutoencoderOutlierDetector(method="reconstruction", n_components=8, random_state=0),
}
each_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
# A few epochs say as much here as many.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fit(estimator, X, device="cuda", sample_weight=None, **parameters):
    return clone(estimator).set_params(device=device, **parameters).fit(X, sample_weight=sample_weight)


def leaves(value):
    """Everything that is held by nested containers."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from leaves(part)
    else:
        yield value


@pytest.mark.slow
@each_estimator
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_steps_read_nothing_back(estimator, weighted, dtype, digits, host_reads):
    # Runs on a CPU: what would stop the host there is counted, and more steps must not make it more. After 20 epochs
    # networks are kept at both batch sizes: where PCA is, the end takes other reads.
    X = digits[0][:320, 16:48]
    weight = np.random.RandomState(0).uniform(size=320) if weighted else None

    def reads(batch_size):
        with host_reads() as mode:
            fit(estimator, X, "cpu", weight, dtype=dtype, max_iter=20, batch_size=batch_size)
        return mode.count

    assert reads(16) == reads(160) > 0


@pytest.mark.slow
def test_steps_with_neighbours_read_nothing_back(digits, host_reads):
    def reads(batch_size):
        with host_reads() as mode:
            fit(AutoencoderTransformer(2, code="neighbors"), digits[0][:320], "cpu", max_iter=20, batch_size=batch_size)
        return mode.count

    # Which parameters are kept at the end may take a read more or less; 36 more steps an epoch must not.
    assert abs(reads(16) - reads(160)) <= 2


@needs_cuda
@each_estimator
@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.int64], ids=str)
class TestTensors:
    def test_of_the_gpu_stay_there(self, estimator, kind, digits):
        X, X_test = ((16 * part[:300]).round() for part in digits)
        model = fit(estimator, torch.tensor(X, dtype=kind, device="cuda"), max_iter=2)
        rows = torch.tensor(X_test, dtype=kind, device="cuda")
        array = rows.cpu().numpy()
        methods = ["transform", "reconstruct", "score_samples", "predict", "p_values", "feature_contributions"]
        for method in [name for name in methods if hasattr(model, name)]:
            result, expected = getattr(model, method)(rows), getattr(model, method)(array)
            assert result.device == rows.device
            assert result.cpu().numpy().dtype == expected.dtype
            # Products of another shape may be summed in another order.
            np.testing.assert_allclose(result.cpu().numpy(), expected, rtol=1e-4, atol=1e-4)
        if hasattr(model, "inverse_transform"):
            assert model.inverse_transform(model.transform(rows)).device == rows.device

    def test_of_another_device_than_the_estimators(self, estimator, kind, digits):
        rows = torch.tensor(16 * digits[0][:300]).to(kind)
        for model, given in [
            (fit(estimator, rows, max_iter=1), rows),
            (fit(estimator, rows, "cpu", max_iter=1), rows.cuda()),
        ]:
            for method in ("transform", "score_samples", "predict"):
                assert getattr(model, method)(given).device == given.device


@needs_cuda
def test_rows_of_the_transformer_stay_on_the_gpu(digits, monkeypatch):
    model = fit(ESTIMATORS["transformer"], digits[0][:300], max_iter=1)
    rows = torch.tensor(digits[1], device="cuda")

    def refuse(self, **keywords):
        raise AssertionError("a tensor left the GPU")

    monkeypatch.setattr(torch.Tensor, "numpy", refuse)
    codes = model.transform(rows)
    for result in (model.reconstruct(rows), model.score_samples(rows), model.inverse_transform(codes)):
        assert result.device == rows.device


@needs_cuda
@each_estimator
class TestCuda:
    def test_scores_are_close_to_the_cpus(self, estimator, digits):
        X, X_test = digits
        on_cpu, on_gpu = (fit(estimator, X, device) for device in ("cpu", "cuda"))
        # Initial weights and noise are drawn on the device, so the two are as far apart as two seeds.
        rank_correlation = spearmanr(on_cpu.score_samples(X_test), on_gpu.score_samples(X_test)).statistic
        assert rank_correlation > 0.9
        if hasattr(estimator, "score"):
            assert on_gpu.score(X_test) == pytest.approx(on_cpu.score(X_test), abs=0.02)

    def test_the_start_is_the_cpus(self, estimator, digits):
        X, X_test = digits[0][:300], digits[1]
        on_cpu, on_gpu = (fit(estimator, X, device, max_iter=0) for device in ("cpu", "cuda"))
        # The same formulas in float32, summed in another order.
        np.testing.assert_allclose(on_gpu.score_samples(X_test), on_cpu.score_samples(X_test), rtol=1e-3, atol=1e-5)

    def test_fitted_state_is_numpy(self, estimator, digits):
        model = fit(estimator, digits[0][:300], max_iter=1)
        assert not any(isinstance(leaf, torch.Tensor) for leaf in leaves(model.__getstate__()))
        assert any(isinstance(leaf, np.ndarray) for leaf in leaves(model.__getstate__()))

    def test_a_pickled_model_works_on_a_cpu(self, estimator, digits):
        X, X_test = digits[0][:300], digits[1]
        model = fit(estimator, X, max_iter=2)
        loaded = pickle.loads(pickle.dumps(model)).set_params(device="cpu")
        np.testing.assert_allclose(loaded.transform(X_test), model.transform(X_test), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(loaded.score_samples(X_test), model.score_samples(X_test), rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("dtype", ["auto", "bfloat16"])
    def test_same_seed_same_result(self, estimator, dtype, digits):
        X, X_test = digits[0][:300], digits[1]
        first, second = (fit(estimator, X, dtype=dtype, max_iter=3) for _ in range(2))
        np.testing.assert_array_equal(first.score_samples(X_test), second.score_samples(X_test))

    @pytest.mark.parametrize("random_state", [0, None])
    def test_the_global_generator_is_left_alone(self, estimator, random_state, digits):
        before = torch.cuda.get_rng_state()
        fit(estimator, digits[0][:300], random_state=random_state, max_iter=1).score_samples(digits[1])
        assert torch.equal(before, torch.cuda.get_rng_state())

    @pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype:UserWarning")
    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    def test_the_host_waits_for_no_step(self, estimator, dtype, digits, monkeypatch):
        batches, steps = _loop._Stepper._batches, []

        def watched(self, order):
            try:
                for batch in batches(self, order):
                    torch.cuda.set_sync_debug_mode("error")  # while the step is taken
                    yield batch
                    torch.cuda.set_sync_debug_mode("default")
                    steps.append(1)
            finally:
                torch.cuda.set_sync_debug_mode("default")

        monkeypatch.setattr(_loop._Stepper, "_batches", watched)
        weight = np.random.RandomState(0).uniform(size=300)
        settings = {"dtype": dtype, "learning_rate_init": 1e-3, "max_iter": 1, "batch_size": 32}
        fit(estimator, digits[0][:300], sample_weight=weight, **settings)
        assert len(steps) > 5
