"""The same autoencoder, trained for the same number of epochs in the same batches, by skae and by its peers."""

from __future__ import annotations

import importlib.util

import numpy as np
import torch
from _plain_network import plain_autoencoder
from sklearn.neural_network import MLPRegressor

from skae import AutoencoderTransformer


def skae(X, hidden: tuple[int, ...], k: int, batch_size: int, epochs: int) -> None:
    """With PCA, the linear path and AdamW; the peers have Adam."""
    AutoencoderTransformer(
        k, hidden_layer_sizes=hidden, activation="relu", batch_size=batch_size, max_iter=epochs, early_stopping=False,
        corruption="gaussian", corruption_level=0.0, n_iter_no_change=epochs + 1, random_state=0,
    ).fit(X)  # fmt: skip


def mlp_regressor(X, hidden: tuple[int, ...], k: int, batch_size: int, epochs: int) -> None:
    MLPRegressor(
        hidden_layer_sizes=(*hidden, k, *hidden[::-1]), batch_size=batch_size, max_iter=epochs,
        n_iter_no_change=epochs + 1, random_state=0,
    ).fit(X, X)  # fmt: skip


def torch_loop(X, hidden: tuple[int, ...], k: int, batch_size: int, epochs: int) -> None:
    """The loop that people write: autograd, Adam in its fastest form, batches gathered from a tensor."""
    rows = torch.from_numpy(np.float32(X))
    network, generator = plain_autoencoder([X.shape[1], *hidden, k, *hidden[::-1], X.shape[1]], torch.nn.ReLU, 0)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    for _ in range(epochs):
        for batch in torch.randperm(len(rows), generator=generator).split(batch_size):
            x = rows[batch]
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(network(x), x).backward()
            optimizer.step()


def skorch(X, hidden: tuple[int, ...], k: int, batch_size: int, epochs: int) -> None:
    from skorch import NeuralNetRegressor

    network, generator = plain_autoencoder([X.shape[1], *hidden, k, *hidden[::-1], X.shape[1]], torch.nn.ReLU, 0)
    NeuralNetRegressor(
        network, max_epochs=epochs, batch_size=batch_size, optimizer=torch.optim.Adam,
        lr=1e-3, iterator_train__shuffle=True, iterator_train__generator=generator, train_split=None, verbose=0,
    ).fit(np.float32(X), np.float32(X))  # fmt: skip


def pyod(X, hidden: tuple[int, ...], k: int, batch_size: int, epochs: int) -> None:
    """It scores the training rows at the end of `fit`, as it always does."""
    from pyod.models.auto_encoder import AutoEncoder

    AutoEncoder(
        hidden_neuron_list=[*hidden, k], batch_size=batch_size, epoch_num=epochs, batch_norm=False, dropout_rate=0.0,
        random_state=0, verbose=0,
    ).fit(X)  # fmt: skip


AVAILABLE = {"skae": skae, "plain torch loop": torch_loop, "MLPRegressor": mlp_regressor} | {
    name: fit
    for name, package, fit in (("skorch", "skorch", skorch), ("PyOD", "pyod", pyod))
    if importlib.util.find_spec(package)
}
