"""The reducers compared, each as an object with `fit`, `transform` and `reconstruct`, at its best reasonable settings.

Networks all have the hidden layers of skae's default, (256, 128) and mirrored, around a linear code.
"""

from __future__ import annotations

import importlib.util

import numpy as np
from _plain_network import plain_autoencoder
from sklearn.decomposition import PCA, KernelPCA
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor

from skae import AutoencoderTransformer

WIDTHS = (256, 128)
KERNEL_PCA_MAX_ROWS = 2000


class Linear:
    """scikit-learn's PCA."""

    def __init__(self, k: int, seed: int) -> None:
        self.model = PCA(k, random_state=seed)

    def fit(self, X):
        self.model.fit(X)
        return self

    def transform(self, X):
        return self.model.transform(X)

    def reconstruct(self, X):
        return self.model.inverse_transform(self.model.transform(X))


class Kernel(Linear):
    """RBF KernelPCA on at most 2,000 rows; width and ridge chosen by the error on a fifth of them."""

    def __init__(self, k: int, seed: int) -> None:
        self.k, self.seed = k, seed

    def fit(self, X):
        rows = np.random.RandomState(self.seed).permutation(len(X))[:KERNEL_PCA_MAX_ROWS]
        inner, held_out = train_test_split(X[rows], test_size=0.2, random_state=self.seed)
        settings = [(gamma / X.shape[1] / X.var(), ridge) for gamma in (0.03, 0.1, 0.3, 1.0) for ridge in (0.01, 0.1)]
        errors = []
        for gamma, ridge in settings:
            self.model = self._make(gamma, ridge).fit(inner)
            errors.append(np.square(held_out - self.reconstruct(held_out)).mean())
        self.model = self._make(*settings[int(np.argmin(errors))]).fit(X[rows])
        return self

    def _make(self, gamma: float, ridge: float) -> KernelPCA:
        return KernelPCA(
            self.k, kernel="rbf", gamma=gamma, alpha=ridge, fit_inverse_transform=True, random_state=self.seed
        )


class Regressor:
    """`MLPRegressor(X, X)` with early stopping; of relu and tanh, the one with the better hold-out score."""

    def __init__(self, k: int, seed: int) -> None:
        self.k, self.seed = k, seed

    def fit(self, X):
        sizes = (*WIDTHS, self.k, *WIDTHS[::-1])
        models = [
            MLPRegressor(
                hidden_layer_sizes=sizes, activation=name, early_stopping=True, max_iter=200, random_state=self.seed
            ).fit(X, X)
            for name in ("relu", "tanh")
        ]
        self.model = max(models, key=lambda model: model.best_validation_score_)
        return self

    def transform(self, X):
        activation = np.tanh if self.model.activation == "tanh" else lambda z: np.maximum(z, 0)
        for weight, bias in list(zip(self.model.coefs_, self.model.intercepts_, strict=True))[: len(WIDTHS) + 1]:
            X = activation(X @ weight + bias)
        return X

    def reconstruct(self, X):
        return self.model.predict(X)


class Skorch:
    """A SiLU autoencoder by skorch: Adam at 1e-3, batches of 128, 100 epochs at most, the best of them kept."""

    def __init__(self, k: int, seed: int) -> None:
        self.k, self.seed = k, seed

    def fit(self, X):
        import torch
        from skorch import NeuralNetRegressor
        from skorch.callbacks import EarlyStopping

        sizes = [X.shape[1], *WIDTHS, self.k, *WIDTHS[::-1], X.shape[1]]
        network, generator = plain_autoencoder(sizes, torch.nn.SiLU, self.seed)
        self.model = NeuralNetRegressor(
            network,
            max_epochs=100,
            lr=1e-3,
            batch_size=128,
            optimizer=torch.optim.Adam,
            iterator_train__shuffle=True,
            iterator_train__generator=generator,
            callbacks=[EarlyStopping(patience=10, load_best=True)],
            verbose=0,
        )
        self.model.fit(np.float32(X), np.float32(X))
        self.encoder = self.model.module_[: 2 * len(WIDTHS) + 1]
        return self

    def transform(self, X):
        import torch

        with torch.no_grad():
            return self.encoder(torch.as_tensor(np.float32(X))).numpy()

    def reconstruct(self, X):
        return self.model.predict(np.float32(X))


class HyperTools:
    """HyperTools' DeepAutoencoder at its default 100 epochs, with the common widths."""

    def __init__(self, k: int, seed: int) -> None:
        from hypertools.reduce.autoencoders import DeepAutoencoder

        self.model = DeepAutoencoder(n_components=k, hidden_dims=list(WIDTHS), random_state=seed)

    def fit(self, X):
        self.model.fit(X)
        return self

    def transform(self, X):
        return self.model.transform(X)

    def reconstruct(self, X):
        return self.model.inverse_transform(self.model.transform(X))


class Skae:
    """skae's AutoencoderTransformer at its defaults."""

    dtype = "auto"

    def __init__(self, k: int, seed: int) -> None:
        self.model = AutoencoderTransformer(k, dtype=self.dtype, random_state=seed)

    def fit(self, X):
        self.model.fit(X)
        return self

    def transform(self, X):
        return self.model.transform(X)

    def reconstruct(self, X):
        return self.model.reconstruct(X)


class SkaeBfloat16(Skae):
    """The same, trained in bfloat16."""

    dtype = "bfloat16"


def available() -> dict:
    """Name and class of every reducer that can be run here."""
    reducers = {"skae": Skae, "PCA": Linear, "KernelPCA": Kernel, "MLPRegressor": Regressor}
    for name, module, reducer in (("skorch", "skorch", Skorch), ("HyperTools", "hypertools", HyperTools)):
        if importlib.util.find_spec(module):
            reducers[name] = reducer
        else:
            print(f"{name} is not installed: it is left out.")
    return reducers
