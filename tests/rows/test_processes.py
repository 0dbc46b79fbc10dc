"""Interruptions of processes that fit together."""

import signal
from types import SimpleNamespace

import pytest

from skae._rows._processes import _interruptions_noted


@pytest.fixture
def raising():
    """Have SIGINT raise: what runs in the background may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_a_second_interruption_is_raised(raising):
    processes = SimpleNamespace(interrupted=False)
    with _interruptions_noted(processes):
        signal.raise_signal(signal.SIGINT)
        assert processes.interrupted
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is raising
