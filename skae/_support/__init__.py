"""Checks of parameters and inputs, devices and dtypes, threads, random numbers, callbacks and warnings."""
