"""Plots of what estimators found, one display a file; nothing below imports them."""
