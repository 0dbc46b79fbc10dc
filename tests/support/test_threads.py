"""torch's thread count is lowered for a while, and put back."""

import threading

import pytest
import torch

from skae._support import _threads


def test_count_is_put_back_also_after_an_error():
    count = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with _threads.single_thread_if(True):
            with _threads.single_thread_if(True):
                pass
            assert torch.get_num_threads() == 1
        with pytest.raises(ZeroDivisionError), _threads.single_thread_if(True):
            raise ZeroDivisionError
        assert torch.get_num_threads() == 2
        with _threads.single_thread_if(False):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(count)


def test_threads_that_begin_meanwhile_keep_their_count():
    """torch gives a new Python thread the count that was set last, by whichever thread."""
    seen = []

    def work():
        seen.append(torch.get_num_threads())
        with _threads.single_thread_if(True):
            seen.append(torch.get_num_threads())
        seen.append(torch.get_num_threads())

    count = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with _threads.single_thread_if(True):
            for _ in range(2):
                thread = threading.Thread(target=work)
                thread.start()
                thread.join()
        assert seen == [3, 1, 3] * 2
        torch.set_num_threads(2)
        with _threads.single_thread_if(True):
            pass
        assert _threads._in_new_thread(torch.get_num_threads) == 2
    finally:
        torch.set_num_threads(count)
