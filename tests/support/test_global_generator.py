"""What is drawn from torch's global generator follows from ours, and it is put back."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from skae._support._global_generator import global_generator_seeded_from


def drawn(seed, count=3):
    with global_generator_seeded_from(torch.Generator().manual_seed(seed)):
        return torch.cat([torch.rand(1) for _ in range(count)]).tolist()


def test_numbers_follow_from_the_generator():
    before = torch.get_rng_state()
    assert drawn(0) == drawn(0) != drawn(1)
    assert torch.equal(torch.get_rng_state(), before)


def test_put_back_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError), global_generator_seeded_from(torch.Generator()):
        torch.rand(-1)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_generator_moves_on():
    """Two networks made in one fit are not the same one twice."""
    generator = torch.Generator().manual_seed(0)
    with global_generator_seeded_from(generator):
        first = torch.rand(1)
    with global_generator_seeded_from(generator):
        assert torch.rand(1) != first


def test_threads_take_turns():
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: drawn(seed, 2000), range(8)))
    assert together == [drawn(seed, 2000) for seed in range(8)]


def test_one_within_another_does_not_wait_for_it():
    with ThreadPoolExecutor(1) as pool:
        with global_generator_seeded_from(torch.Generator()):
            pass

        def nested():
            with global_generator_seeded_from(torch.Generator()), global_generator_seeded_from(torch.Generator()):
                return True

        assert pool.submit(nested).result(timeout=60)
