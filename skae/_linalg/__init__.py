"""Moments, principal axes, quantiles and atoms in NumPy."""
