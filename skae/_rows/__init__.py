"""Rows of X: read in blocks, standardised, told apart, sampled, and shared between processes."""
