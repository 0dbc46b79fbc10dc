"""What "auto" means: one function for each model makes settings of parameters and rows.

The rules compare the number of rows and features with constants; none looks at the values.
"""
