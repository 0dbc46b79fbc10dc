"""Rows of X: read in blocks, standardised, compared, sampled, and shared between processes."""
