"""Moments and principal axes in NumPy: arrays in, arrays out."""
