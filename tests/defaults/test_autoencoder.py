"""What "auto" means for an autoencoder, by the numbers of rows and features."""

import numpy as np
import pytest
import torch

from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._corruption import make_corruption
from skae._defaults._autoencoder import autoencoder_settings, chunk_settings, default_layer_sizes
from skae._defaults._training_parameters import TrainingParameters
from skae._rows._row_source import RowSource
from skae._rows._training_rows import TrainingRows

AUTO = dict.fromkeys(
    ["alpha", "batch_size", "learning_rate_init", "max_iter", "n_iter_no_change", "early_stopping", "dtype"], "auto"
)
# Rows: batch size, decay, noise, whether to hold out by default and if epochs are requested, and the share held out.
BY_ROWS = {
    19: (19, 1.0, 0.1, False, False, 0.25),
    20: (20, 1.0, 0.1, False, True, 0.25),
    49: (32, 1.0, 0.1, False, True, 0.25),
    50: (32, 1.0, 0.1, True, True, 0.25),
    400: (32, 1.0, 0.1, True, True, 0.25),
    1000: (32, 0.5, 0.1, True, True, 0.1),
    2001: (64, 500 / 2001, 100 / 2001, True, True, 0.05),
    1_000_000: (1024, 0.0005, 0.0001, True, True, 0.002),
}


def rows_of(n_rows, n_features=1, missing_share=0.0):
    """Rows that are all different."""
    X = np.broadcast_to(np.arange(float(n_rows))[:, np.newaxis], (n_rows, n_features))
    return TrainingRows(RowSource(X), None, torch.float32, torch.device("cpu"), missing_share)


def settings_for(rows, config=None, **parameters):
    config = config or AutoencoderConfig(n_components=8)
    return autoencoder_settings(TrainingParameters(**AUTO | parameters), config, rows)


@pytest.mark.parametrize("n_rows", BY_ROWS)
def test_what_follows_the_number_of_rows(n_rows):
    batch_size, alpha, noise, held_out, held_out_if_requested, share = BY_ROWS[n_rows]
    rows = rows_of(n_rows)
    settings = settings_for(rows)
    assert settings.batch_size == batch_size
    assert settings.alpha == pytest.approx(alpha)
    assert settings.max_iter == (160 if n_rows >= 50 else 0)
    assert settings.validation_fraction == pytest.approx(share if held_out else 0.0)
    share_if_requested = settings_for(rows, max_iter=40).validation_fraction
    assert share_if_requested == pytest.approx(share if held_out_if_requested else 0.0)
    assert settings_for(rows, early_stopping=True).validation_fraction == pytest.approx(share)
    corruption = make_corruption(AutoencoderConfig(), rows, None, torch.float32)
    assert corruption.noise.level == pytest.approx(noise)
    assert not corruption.noise_is_task


@pytest.mark.parametrize(("n_features", "max_iter", "patience"), [(128, 160, 10), (512, 80, 5), (5000, 64, 4)])
def test_epochs_follow_the_number_of_features(n_features, max_iter, patience):
    settings = settings_for(rows_of(1000, n_features))
    assert settings.max_iter == max_iter
    assert settings.n_iter_no_change == patience
    assert settings_for(rows_of(1000, n_features), max_iter=30).n_iter_no_change == patience
    # Three steps to an epoch.
    assert settings_for(rows_of(100, n_features)).n_iter_no_change == 20


@pytest.mark.parametrize(
    ("n_rows", "code", "patience"),
    [
        (100_000, "dense", 10),
        (200_000, "dense", 6),
        (200_000, "ordered", 13),
        (1_000_000, "dense", 3),
        (1_000_000, "ordered", 6),
    ],
)
def test_progress_is_measured_over_at_most_2000_steps(n_rows, code, patience):
    """Five thousand for an ordered code; the number of epochs is rounded up."""
    settings = settings_for(rows_of(n_rows), AutoencoderConfig(n_components=8, code=code))
    assert settings.n_iter_no_change == patience


@pytest.mark.parametrize(
    ("config", "parameters", "missing_share", "expected"),
    [
        ({}, {}, 0.0, (1.0, 0.005, 160)),
        ({}, {}, 0.1, (1.0, 0.002, 400)),
        ({"corruption": "masking"}, {}, 0.0, (1.0, 0.002, 400)),
        ({"corruption": "gaussian"}, {}, 0.0, (1.0, 0.005, 160)),
        ({"code": "ordered"}, {}, 0.0, (1.0, 0.005, 400)),
        ({}, {"alpha": 0.1, "learning_rate_init": 0.5, "max_iter": 7}, 0.1, (0.1, 0.5, 7)),
    ],
    ids=str,
)
def test_what_follows_the_task(config, parameters, missing_share, expected):
    settings = settings_for(rows_of(100, 30, missing_share), AutoencoderConfig(n_components=8, **config), **parameters)
    assert (settings.alpha, settings.learning_rate_init, settings.max_iter) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("n_components", "layers", "alpha"),
    [(1, (128, 128, 128), 0.25), (4, (128, 128, 128), 1.0), (5, (256, 128), 1.0), (0.9, (256, 128), 1.0)],
)
def test_what_follows_the_number_of_components(n_components, layers, alpha):
    assert default_layer_sizes(n_components) == layers
    assert settings_for(rows_of(100, 30), AutoencoderConfig(n_components)).alpha == alpha


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "share"), [(100, 32, 0.4), (4000, 64, 0.4 * 2**0.5), (10**6, 1024, 0.8)]
)
def test_the_constant_rate_of_chunks_follows_the_batch_size(n_rows, batch_size, share):
    settings = chunk_settings(TrainingParameters(**AUTO), AutoencoderConfig(), rows_of(n_rows), n_rows)
    assert settings.batch_size == batch_size
    assert settings.learning_rate_init == pytest.approx(share * 0.005)
