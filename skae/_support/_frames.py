"""Results as DataFrames if the input is one, without a dependency on pandas or polars."""

from __future__ import annotations

import sys


def frame_like(values, X):
    """`values` as a DataFrame with the columns and the index of X if X is a DataFrame of pandas or polars."""
    # If a package is not imported, X cannot be one of its DataFrames.
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None and isinstance(X, pandas.DataFrame):
        return pandas.DataFrame(values, index=X.index, columns=X.columns)
    if polars is not None and isinstance(X, polars.DataFrame):
        return polars.DataFrame(values, schema=X.columns, orient="row")
    return values
