"""Results as DataFrames if the input is one, without a dependency on pandas or polars.

If a package is not imported, nothing can be one of its DataFrames.
"""

from __future__ import annotations

import sys


def is_pandas(X) -> bool:
    """Whether X is a DataFrame of pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(X, pandas.DataFrame)


def is_polars(X) -> bool:
    """Whether X is a DataFrame of polars."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(X, polars.DataFrame)


def frame_like(values, X):
    """`values` as a DataFrame with the columns and the index of X if X is a DataFrame of pandas or polars."""
    if is_pandas(X):
        return sys.modules["pandas"].DataFrame(values, index=X.index, columns=X.columns)
    if is_polars(X):
        return sys.modules["polars"].DataFrame(values, schema=X.columns, orient="row")
    return values
