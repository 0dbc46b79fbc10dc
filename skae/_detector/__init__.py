"""The outlier detector: scorers that say how unusual rows are, and the calibration of their scores."""
