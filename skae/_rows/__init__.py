"""Rows of X: reading in blocks, standardising, finding duplicates, sampling, and sharing between processes."""
