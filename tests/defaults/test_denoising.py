"""What "auto" means for the networks of the outlier detector."""

import pytest

from skae._defaults._denoising import DENOISERS, MASKED_AUTOENCODERS, denoising_settings
from skae._defaults._training_parameters import TrainingParameters

AUTO = TrainingParameters("auto", "auto", "auto", "auto", "auto", "auto", "auto")


@pytest.mark.parametrize(
    ("amount", "n_rows", "n_epochs"),
    [
        *((DENOISERS, *case) for case in [(49, 0), (50, 50), (100, 100), (640, 40), (6400, 4), (10**6, 1)]),
        # Five steps per row, at most 900.
        *((MASKED_AUTOENCODERS, *case) for case in [(49, 0), (50, 100), (100, 200), (640, 90), (6400, 9), (10**6, 1)]),
    ],
)
def test_a_fixed_number_of_steps(amount, n_rows, n_epochs):
    settings = denoising_settings(AUTO, amount, n_rows)
    assert settings.max_iter == n_epochs
    assert settings.n_iter_no_change == max(1, n_epochs)
    assert settings.batch_size == min(n_rows, 64)
    assert settings.validation_fraction == 0.0


def test_masked_autoencoders_decay_the_more_the_fewer_rows_there_are():
    assert denoising_settings(AUTO, MASKED_AUTOENCODERS, 100).alpha == 3.0
    assert denoising_settings(AUTO, MASKED_AUTOENCODERS, 3000).alpha == 0.5
    assert denoising_settings(AUTO, DENOISERS, 100).alpha == denoising_settings(AUTO, DENOISERS, 10**5).alpha == 1e-3


def test_what_is_given_counts():
    given = TrainingParameters(0.25, 7, 0.125, 3, 2, "auto", "bfloat16")
    settings = denoising_settings(given, DENOISERS, 100)
    assert (settings.alpha, settings.batch_size, settings.learning_rate_init) == (0.25, 7, 0.125)
    assert (settings.max_iter, settings.n_iter_no_change, settings.mixed_precision) == (3, 2, True)
