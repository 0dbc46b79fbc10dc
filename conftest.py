"""Examples in docstrings that draw are left out where there is nothing to draw with."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("matplotlib") else ["skae/_displays"]
