"""The outlier detector: scorers, which measure how unusual rows are, and the calibration of their scores."""
