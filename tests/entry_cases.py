"""Entries for tests of what is fitted to them."""

import numpy as np
import torch

from skae._detector._entries import Entries
from skae._rows._row_source import RowSource
from skae._rows._training_rows import TrainingRows


def entries_of(X, weight=None, seed=0, groups=None):
    weight = None if weight is None else np.asarray(weight, float)
    rows = TrainingRows(RowSource(np.asarray(X, float)), weight, torch.float32, torch.device("cpu"), groups=groups)
    return Entries.of(rows, True, np.random.RandomState(seed))
