"""What "auto" means: one function per model turns parameters and rows into settings.

The rules depend on the numbers of rows and features only, not on the values.
"""
