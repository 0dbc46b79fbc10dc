"""torch's thread count is lowered for a while, and put back."""

import threading

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from skae._support import _threads


def test_count_is_put_back_also_after_an_error():
    count = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with _threads.single_thread():
            with _threads.single_thread():
                pass
            assert torch.get_num_threads() == 1
        with pytest.raises(ZeroDivisionError), _threads.single_thread():
            raise ZeroDivisionError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(count)


def test_threads_that_begin_meanwhile_keep_their_count():
    """torch gives a new Python thread the count that was set last, by whichever thread."""
    seen = []

    def work():
        seen.append(torch.get_num_threads())
        with _threads.single_thread():
            seen.append(torch.get_num_threads())
        seen.append(torch.get_num_threads())

    count = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with _threads.single_thread():
            for _ in range(2):
                thread = threading.Thread(target=work)
                thread.start()
                thread.join()
        assert seen == [3, 1, 3] * 2
        torch.set_num_threads(2)
        with _threads.single_thread():
            pass
        assert _threads._in_new_thread(torch.get_num_threads) == 2
    finally:
        torch.set_num_threads(count)


CPU = torch.device("cpu")


@pytest.mark.usefixtures("four_threads")
class TestMapParts:
    def test_parts_are_shared_by_threads_that_compute_on_one_thread_each(self):
        together = threading.Barrier(2, timeout=60)

        def work(part):
            together.wait()
            return part, torch.get_num_threads(), threading.current_thread()

        parts, counts, threads = zip(*_threads.map_parts(work, range(10), CPU), strict=True)
        assert parts == tuple(range(10))
        assert set(counts) == {1}
        assert 2 <= len(set(threads)) <= 4
        assert threading.current_thread() not in threads
        assert torch.get_num_threads() == _threads._in_new_thread(torch.get_num_threads) == 4

    def test_the_caller_computes_where_there_is_one_thread_or_another_device(self):
        def work(_):
            return threading.current_thread()

        own = [threading.current_thread()] * 4
        assert _threads.map_parts(work, range(4), torch.device("cuda")) == own
        with _threads.single_thread():
            assert _threads.map_parts(work, range(4), CPU) == own
        nested = _threads.map_parts(lambda _: _threads.map_parts(work, range(4), CPU), range(2), CPU)
        assert all(len(set(threads)) == 1 and threads != own for threads in nested)

    def test_an_error_is_raised_and_what_is_left_is_not_computed(self):
        done = []

        def work(part):
            if part == 0:
                raise ZeroDivisionError
            done.append(part)
            failed.wait(60)

        failed = threading.Event()
        thread = threading.Timer(0.2, failed.set)
        thread.start()
        with pytest.raises(ZeroDivisionError):
            _threads.map_parts(work, range(100), CPU)
        thread.join()
        assert len(done) <= 4
        assert _threads.map_parts(str, range(3), CPU) == ["0", "1", "2"]

    def test_no_parts(self):
        assert _threads.map_parts(str, [], CPU) == []


def blas_counts():
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


class TestBlas:
    @pytest.fixture(autouse=True)
    def _three_threads(self):
        with threadpool_limits(3, user_api="blas"):
            yield

    def test_count_is_put_back_when_bodies_overlap(self):
        begun, end = threading.Event(), threading.Event()

        def other():
            with _threads.single_thread():
                begun.set()
                end.wait(timeout=60)

        thread = threading.Thread(target=other)
        with _threads.single_thread():
            thread.start()
            begun.wait(timeout=60)
            assert set(blas_counts()) == {1}
        end.set()
        thread.join()
        assert set(blas_counts()) == {3}
        with _threads.single_thread():
            assert set(blas_counts()) == {1}

    def test_count_is_put_back_after_an_error(self):
        with pytest.raises(ZeroDivisionError), _threads.single_thread(), _threads.single_thread():
            raise ZeroDivisionError
        assert set(blas_counts()) == {3}

    @pytest.mark.usefixtures("four_threads")
    def test_parts_are_computed_on_one_thread(self):
        counts = _threads.map_parts(lambda _: blas_counts(), range(4), CPU)
        assert {count for each in counts for count in each} == {1}
        assert set(blas_counts()) == {3}
