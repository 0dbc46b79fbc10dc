"""What processes that train together agree on, with stand-ins for the others."""

from types import SimpleNamespace

import pytest
import torch

from skae._training._data_parallel import DataParallel


def network():
    return SimpleNamespace(
        parameters=torch.zeros(3), bind_gradient=lambda gradient: None, loss_and_gradient=lambda x, weight: x.sum()
    )


def test_all_start_with_the_first_ones_parameters():
    ours = network()
    DataParallel(ours, SimpleNamespace(processes=SimpleNamespace(broadcast=lambda value: value + 1.0)), None)
    assert ours.parameters.tolist() == [1.0] * 3


def test_an_interruption_does_not_wait_for_the_end_of_the_epoch():
    def exchange(purpose, value=None, error=None):
        raise KeyboardInterrupt

    processes = SimpleNamespace(
        broadcast=lambda value: value, all_reduce=lambda values: None, exchange=exchange, interrupted=True
    )
    rows = SimpleNamespace(processes=processes, part=lambda indices: (torch.zeros(2, 3), torch.arange(2)))
    trained = DataParallel(network(), rows, SimpleNamespace())
    trained.bind_gradient(torch.zeros(3))
    with pytest.raises(KeyboardInterrupt):
        trained.loss_and_gradient(torch.arange(2), None)
