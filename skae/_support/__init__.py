"""Checks of parameters and inputs, and the choice of device and dtype."""
