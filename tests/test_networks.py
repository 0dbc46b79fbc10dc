"""Custom networks, convolutions, and the torch modules of fitted estimators."""

import copy
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch
from family_cases import Dense, short, untrained
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

import skae
from skae import AutoencoderTransformer
from skae.networks import ConvolutionalNetwork, ConvolutionalNetwork1d

MODULES = {
    "plain": {},
    **{activation: {"activation": activation} for activation in ("relu", "silu", "gelu", "tanh", "identity")},
    "sparse": {"code": "sparse", "n_nonzero": 3},
    "ordered": {"code": "ordered"},
    "ordered module": {"code": "ordered", "network": Dense},
    "variational": {"code": "variational"},
    "neighbors": {"code": "neighbors"},
    "binary": {"loss": "binary_cross_entropy"},
    "counts": {"loss": "poisson"},
    "whitened, scaled": {"whiten": True, "scale": True},
    "masking": {"corruption": "masking"},
    "salt": {"corruption": "salt_and_pepper"},
    "module": {"network": Dense},
}


@short
@pytest.mark.parametrize("member", MODULES.values(), ids=MODULES)
@pytest.mark.slow
def test_torch_modules_are_exact_and_can_be_trained(digits, member):
    X, X_test = digits
    ours = AutoencoderTransformer(5, max_iter=3, random_state=0, **member).fit(X)
    encoder, decoder = ours.encoder_module(), ours.decoder_module()
    rows = torch.from_numpy(X_test.astype(np.float32))
    codes = encoder(rows)
    np.testing.assert_allclose(codes.detach().numpy(), ours.transform(X_test), atol=1e-4)
    reconstructed = decoder(codes)
    np.testing.assert_allclose(reconstructed.detach().numpy(), ours.reconstruct(X_test), atol=1e-4)

    before = ours.transform(X_test)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        loss = (decoder(encoder(rows)) - rows).square().mean()
        loss.backward()
        optimizer.step()
    assert all(parameter.grad is not None for parameter in encoder.linear.parameters())
    trained_further = decoder(encoder(rows))
    assert (trained_further - rows).double().square().mean() < (reconstructed - rows).double().square().mean() - 1e-7
    np.testing.assert_array_equal(ours.transform(X_test), before)


@short
@pytest.mark.parametrize("member", MODULES.values(), ids=MODULES)
@pytest.mark.slow
def test_torch_modules_can_be_saved(digits, member):
    ours = AutoencoderTransformer(5, max_iter=1, random_state=0, **member).fit(digits[0][:300])
    rows = torch.from_numpy(digits[1])
    encoder, decoder = (pickle.loads(pickle.dumps(made)) for made in (ours.encoder_module(), ours.decoder_module()))
    codes = ours.encoder_module()(rows)
    torch.testing.assert_close(encoder(rows), codes, rtol=0, atol=0)
    torch.testing.assert_close(decoder(codes), ours.decoder_module()(codes), rtol=0, atol=0)


def test_torch_modules_keep_what_large_means_leave(digits):
    """Rows of any dtype, and as precise as `transform` and `inverse_transform` of the same rows."""
    X = 1e6 + 0.01 * np.random.RandomState(0).normal(size=(600, 3)) @ [[1.0, 2.0, 3.0], [0.0, 1.0, 1.0], [0.1, 0, 0]]
    ours = AutoencoderTransformer(2, random_state=0).fit(X)
    codes = ours.transform(X)
    encoded = ours.encoder_module()(torch.from_numpy(X))
    assert encoded.dtype == torch.float32
    np.testing.assert_allclose(encoded.detach().numpy(), codes, atol=1e-4 * codes.std())
    decoded = ours.decoder_module()(torch.from_numpy(codes)).detach().numpy()
    np.testing.assert_allclose(decoded - 1e6, ours.inverse_transform(codes) - 1e6, atol=1e-4 * X.std())
    assert ours.encoder_module()(torch.from_numpy(X).float()).dtype == torch.float32
    assert ours.decoder_module()(encoded).dtype == torch.float32


class Scaled(Dense):
    """With a buffer that bfloat16 cannot hold."""

    def __init__(self, n_features, n_outputs, n_components):
        super().__init__(n_features, n_outputs, n_components)
        self.register_buffer("scale", torch.linspace(0.3, 1.7, n_features))

    def encode(self, x):
        return self.encoder(x * self.scale)


class Recurrent(torch.nn.Module):
    """A row is read eight numbers at a time."""

    def __init__(self, n_features, n_outputs, n_components):
        super().__init__()
        self.reader = torch.nn.GRU(8, n_outputs, batch_first=True)
        self.axes = torch.nn.Parameter(torch.randn(n_components, n_features))

    def encode(self, x):
        return self.reader(x.view(len(x), -1, 8))[0][:, -1]

    def decode(self, z):
        return torch.tanh(z @ self.axes)


class TestCustomNetworks:
    @pytest.mark.slow
    def test_improves_on_pca_and_survives_cloning_and_pickling(self, digits):
        X, X_test = digits
        ours = AutoencoderTransformer(4, network=Dense, random_state=0).fit(X)
        assert ours.score(X_test) > untrained(4).fit(X).score(X_test) + 0.05
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(ours)).transform(X_test), ours.transform(X_test))
        np.testing.assert_array_equal(clone(ours).fit(X).transform(X_test), ours.transform(X_test))

    @pytest.mark.slow
    def test_a_module_is_the_start_of_training_and_left_alone(self, digits):
        X, X_test = digits
        module = Dense(64, 4, 4)
        before = {name: value.clone() for name, value in module.state_dict().items()}
        ours = AutoencoderTransformer(4, network=module, random_state=0).fit(X)
        assert ours.score(X_test) > untrained(4).fit(X).score(X_test) + 0.05
        for name, value in module.state_dict().items():
            assert torch.equal(value, before[name])
            assert value.dtype == before[name].dtype

    @short
    @pytest.mark.parametrize("given", ["module", "factory"])
    @pytest.mark.parametrize(("n_rows", "dtype"), [(200, "auto"), (200, "bfloat16"), (600, "bfloat16")])
    def test_fits_compute_with_a_copy(self, digits, n_rows, dtype, given):
        """In float64 up to 256 rows, in bfloat16 on request: a module moved there would stay there."""
        module = Scaled(64, 4, 4)
        before = copy.deepcopy(module.state_dict())
        network = module if given == "module" else lambda *sizes: module
        ours = AutoencoderTransformer(4, network=network, dtype=dtype, max_iter=2, random_state=0).fit(
            digits[0][:n_rows]
        )
        for name, value in module.state_dict().items():
            assert value.dtype == before[name].dtype
            assert torch.equal(value, before[name])
        kept = ours.encoder_module().correction.module
        assert kept is not module
        torch.testing.assert_close(kept.scale, module.scale.to(kept.scale.dtype), rtol=0, atol=0)

    @short
    @pytest.mark.slow
    def test_frozen_parameters_stay_as_they_are(self, digits):
        module = Dense(64, 4, 4)
        frozen = [parameter.requires_grad_(False) for parameter in module.encoder.parameters()]
        before = [parameter.clone() for parameter in frozen]
        ours = AutoencoderTransformer(4, network=module, max_iter=20, random_state=0).fit(digits[0])
        assert ours.best_loss_ < ours.initial_loss_ - 0.05
        encoder = ours.encoder_module().correction.module.encoder
        for values in (frozen, encoder.parameters()):
            for parameter, value in zip(values, before, strict=True):
                torch.testing.assert_close(parameter, value, rtol=0, atol=0)
        ours.set_params(warm_start=True).fit(digits[0])
        assert torch.equal(next(ours.encoder_module().correction.module.encoder.parameters()), before[0])

    def test_two_threads_share_a_module(self, digits):
        X, module = digits[0][:200], Scaled(64, 4, 4)
        ours = [AutoencoderTransformer(4, network=module, max_iter=5, random_state=seed) for seed in range(4)]
        alone = [model.fit(X).loss_curve_ for model in ours]
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda model: model.fit(X).loss_curve_, ours)) == alone

    @short
    def test_steps_in_bfloat16_are_of_the_same_module(self, digits):
        """Buffers are not copied before every step as parameters are: a second one might have others."""
        made = []

        def network(*sizes):
            made.append(Scaled(*sizes))
            return made[-1]

        AutoencoderTransformer(4, network=network, dtype="bfloat16", max_iter=1, random_state=0).fit(digits[0])
        assert len(made) == 1

    @short
    def test_random_state_alone_decides_what_a_factory_makes(self, digits):
        """Weights of recurrent layers, and parameters without a layer, are no layer's `weight`."""

        def losses(global_seed, random_state):
            torch.manual_seed(global_seed)
            model = AutoencoderTransformer(4, network=Recurrent, max_iter=3, random_state=random_state)
            return model.fit(digits[0][:400]).loss_curve_

        with torch.random.fork_rng(devices=[]):
            assert losses(0, 0) == losses(1, 0) != losses(0, 1)

    @short
    def test_a_factory_may_fit_a_network_itself(self, digits):
        def network(n_features, n_outputs, n_components):
            settings = {"network": Dense, "max_iter": 1, "random_state": 0}
            inner = AutoencoderTransformer(n_components, **settings).fit(digits[0][:100])
            return inner.encoder_module().correction.module

        AutoencoderTransformer(2, network=network, max_iter=1, random_state=0).fit(digits[0][:100])

    @short
    def test_global_generator_is_left_alone(self, digits):
        state = torch.get_rng_state()
        AutoencoderTransformer(2, network=Dense, max_iter=2, random_state=0).fit(digits[0])
        assert torch.equal(torch.get_rng_state(), state)

    @pytest.mark.parametrize(
        ("layer", "message"),
        [
            (torch.nn.BatchNorm1d(64), "contains BatchNorm1d"),
            (torch.nn.Dropout(0.5), r"contains Dropout with a dropout of 0\.5"),
            (torch.nn.GRU(64, 64, 2, dropout=0.2), r"contains GRU with a dropout of 0\.2"),
            (torch.nn.MultiheadAttention(64, 2, dropout=0.1), r"contains MultiheadAttention with a dropout of 0\.1"),
        ],
    )
    def test_layers_that_would_break_promises_are_refused(self, digits, layer, message):
        module = Dense(64, 2, 2)
        module.encoder.insert(0, layer)
        with pytest.raises(ValueError, match=message):
            AutoencoderTransformer(2, network=module).fit(digits[0])

    def test_wrong_widths_and_wrong_things(self, digits):
        with pytest.raises(ValueError, match=r"network.encode must turn rows of 64 numbers into rows of 3"):
            AutoencoderTransformer(3, network=Dense(64, 2, 2)).fit(digits[0])
        with pytest.raises(TypeError, match="methods encode and decode"):
            AutoencoderTransformer(3, network=torch.nn.Linear(64, 3)).fit(digits[0])
        with pytest.raises(ValueError, match="number of features, 64, as their product"):
            AutoencoderTransformer(3, network=ConvolutionalNetwork((1, 7, 7))).fit(digits[0])


class Counted(Dense):
    """Counts how often it is made."""

    n_made = 0

    def __init__(self, *sizes):
        super().__init__(*sizes)
        Counted.n_made += 1


def read(path, *sizes):
    module = Counted(*sizes)
    module.load_state_dict(torch.load(path))
    return module


@short
@pytest.mark.parametrize("given", ["class", "partial function"])
def test_a_pipeline_with_memory_fits_once(digits, tmp_path, given):
    """A module itself would be fitted each time: its pickle, which joblib hashes, is another for every copy."""
    torch.save(Counted(64, 3, 3).state_dict(), tmp_path / "weights.pt")
    network = Counted if given == "class" else partial(read, tmp_path / "weights.pt")
    codes = AutoencoderTransformer(3, network=network, max_iter=1, random_state=0)
    steps = [("codes", codes), ("range", MinMaxScaler())]
    pipeline, made = Pipeline(steps, memory=str(tmp_path / "cache")), Counted.n_made
    for high in (1, 2, 3):
        pipeline.set_params(range__feature_range=(0, high)).fit(digits[0][:100])
        assert Counted.n_made == made + 1
    expected = clone(codes).fit(digits[0][:100]).transform(digits[1])
    np.testing.assert_array_equal(pipeline["codes"].transform(digits[1]), expected)


class TestConvolutions:
    @pytest.mark.parametrize(
        ("network", "shape"),
        [
            (ConvolutionalNetwork((1, 5, 7), (3, 4)), 35),
            (ConvolutionalNetwork((2, 4, 4), (3,), kernel_size=5, hidden_layer_size=6), 32),
            (ConvolutionalNetwork1d(2, (3, 4, 5), kernel_size=5), 22),
            (ConvolutionalNetwork(np.array([1, 4, 4]), np.array([3, 4])), 16),
            (ConvolutionalNetwork1d(channels=3), 16),
        ],
        ids=["odd sizes", "two channels", "sequence", "arrays", "one stage"],
    )
    def test_any_size_comes_back_and_every_layer_learns(self, network, shape):
        X = np.random.RandomState(0).normal(size=(60, shape))
        module = network(shape, 3, 3)
        reconstructed = module.decode(module.encode(torch.from_numpy(X).float()))
        assert reconstructed.shape == X.shape
        reconstructed.square().sum().backward()
        assert all(parameter.grad.any() for parameter in module.parameters())
        ours = AutoencoderTransformer(3, network=network, max_iter=0, random_state=0).fit(X)
        np.testing.assert_allclose(ours.transform(X), untrained(3).fit(X).transform(X), atol=1e-5)

    def test_weights_are_drawn_by_fan_in(self):
        module = ConvolutionalNetwork((4, 16, 16), (20, 40))(1024, 30, 30)
        layers = {"to_code.0": 640, "from_code.0": 30, "down.2": 180, "up.1": 40 * 9 // 4}
        for name, fan_in in layers.items():
            # 7,200 weights or more: their deviation has a standard error of less than 1 %.
            deviation = module.get_submodule(name).weight.std().item()
            assert deviation == pytest.approx((1.5 / fan_in) ** 0.5, rel=0.04)

    @pytest.mark.parametrize(
        ("network", "message"),
        [
            (ConvolutionalNetwork((1, 8, 8), kernel_size=4), "'kernel_size' .* must be an odd int >= 1. Got 4"),
            (ConvolutionalNetwork((1, 8, 8), kernel_size=-1), "'kernel_size' .* must be an odd int >= 1. Got -1"),
            (
                ConvolutionalNetwork((1, 8, 8), (0,)),
                r"'channels' .* int >= 1 or an array-like of ints >= 1. Got \(0,\)",
            ),
            (ConvolutionalNetwork1d(hidden_layer_size=0), "'hidden_layer_size' .* must be an int >= 1. Got 0"),
            (ConvolutionalNetwork((1, 7, 7)), r"'image_shape' .* number of features, 64, .* Got \(1, 7, 7\)"),
            (ConvolutionalNetwork((8, 8)), r"'image_shape' .* must be \(channels, height, width\) .* Got \(8, 8\)"),
            (ConvolutionalNetwork(64), r"'image_shape' .* must be \(channels, height, width\) .* Got 64"),
            (ConvolutionalNetwork1d(3), "'n_channels' .* an int >= 1 that divides the number of features, 64. Got 3"),
            (ConvolutionalNetwork1d(0), "'n_channels' .* an int >= 1 that divides the number of features, 64. Got 0"),
        ],
        ids=str,
    )
    def test_parameters_out_of_their_range(self, network, message):
        with pytest.raises(ValueError, match=f"The {message} instead"):
            network(64, 2, 2)

    @pytest.mark.slow
    def test_found_where_docstrings_say(self):
        """Without an import of its own."""
        assert skae.networks.ConvolutionalNetwork is ConvolutionalNetwork
        code = "import skae; skae.networks.ConvolutionalNetwork"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
