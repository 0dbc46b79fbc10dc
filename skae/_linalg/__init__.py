"""Moments, principal axes, robust axes, quantiles and atoms in NumPy."""
