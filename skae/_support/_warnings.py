"""Warnings that point to the line of user code that caused them."""

from __future__ import annotations

import sys
import warnings

OWN = ("skae", "sklearn")


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the nearest caller outside of skae and scikit-learn."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in OWN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
