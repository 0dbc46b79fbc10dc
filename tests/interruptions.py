"""Training that is cut off at a given place, as by Ctrl-C or for want of memory.

The one place where tests of behaviour reach into the training loop: callbacks, which could do the same, came with
scikit-learn 1.9, and none is called once training has ended.
"""

from skae._training._checkpoints import BestCheckpoint
from skae._training._loop import _Stepper


def cut_off_epoch(monkeypatch, number, error=KeyboardInterrupt):
    """Have the epoch of this number, the first of all being 1, raise; returns a list of the epochs begun."""
    epochs, run_epoch = [], _Stepper.run_epoch

    def interrupted(self, *arguments):
        epochs.append(len(epochs) + 1)
        if len(epochs) == number:
            raise error
        return run_epoch(self, *arguments)

    monkeypatch.setattr(_Stepper, "run_epoch", interrupted)
    return epochs


def cut_off_end(monkeypatch, error=KeyboardInterrupt):
    """Have training raise after its last step, where the best parameters are put back."""

    def cut_off(*_):
        raise error

    monkeypatch.setattr(BestCheckpoint, "restore_best", cut_off)
