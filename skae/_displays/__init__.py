"""Plots of fitted estimators, one display per file; the rest of the package does not import them."""
