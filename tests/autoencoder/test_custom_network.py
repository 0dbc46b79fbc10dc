"""Custom networks as they are built."""

import torch
from family_cases import Dense

from skae._autoencoder._custom_network import build_module


def test_weights_that_a_factory_sets_are_kept():
    given = Dense(64, 4, 4)

    def network(n_features, n_outputs, n_components):
        module = Dense(n_features, n_outputs, n_components)
        module.load_state_dict(given.state_dict())
        return module

    built = build_module(network, 64, 4, 4, torch.Generator().manual_seed(0))
    for name, value in built.state_dict().items():
        assert torch.equal(value, given.state_dict()[name])
