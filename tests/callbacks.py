"""Callbacks of scikit-learn that look at training, or end it."""

import pytest
import sklearn
from sklearn.utils.fixes import parse_version

needs_callbacks = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"), reason="callbacks came with scikit-learn 1.9"
)


class Callback:
    """Does nothing."""

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        pass


class AfterEpoch(Callback):
    """Calls a function after an epoch, and returns what it returns."""

    def __init__(self, epoch, function):
        self.epoch, self.function, self.epochs = epoch, function, 0

    def on_fit_task_end(self, estimator, context):
        if context.task_name != "epoch":
            return False
        self.epochs += 1
        return self.epochs == self.epoch and self.function()
