"""What "auto" means for the denoisers of the outlier detector."""

import numpy as np
import pytest
import torch

from skae._defaults._denoising import denoising_settings
from skae._defaults._training_parameters import TrainingParameters
from skae._rows._row_source import RowSource
from skae._rows._training_rows import TrainingRows


@pytest.mark.parametrize(("n_rows", "n_epochs"), [(49, 0), (50, 50), (100, 100), (640, 40), (6400, 4), (10**6, 1)])
def test_some_400_steps(n_rows, n_epochs):
    auto = TrainingParameters("auto", "auto", "auto", "auto", 20, "auto", "auto")
    rows = TrainingRows(RowSource(np.zeros((n_rows, 1))), None, torch.float32, torch.device("cpu"))
    settings = denoising_settings(auto, rows)
    assert settings.max_iter == n_epochs
    assert settings.batch_size == min(n_rows, 64)
    assert settings.validation_fraction == 0.0
