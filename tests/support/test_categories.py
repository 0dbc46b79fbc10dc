"""Categories and their codes in arrays and in frames of pandas and polars."""

import sys

import numpy as np
import pytest
from scipy import sparse

from skae._support._categories import as_table, categorical_columns, encoded, find_categories, refuse_categorical

NAN = np.nan
OBJECTS = np.array([["b", 1.5], ["a", 2.5], [None, NAN], ["b", -1.0]], dtype=object)
CODES = [[1, 1.5], [0, 2.5], [NAN, NAN], [1, -1.0]]


def assert_codes(X, categorical_features, expected):
    np.testing.assert_array_equal(encoded(as_table(X), find_categories(X, categorical_features)), expected)


class TestArrays:
    @pytest.mark.parametrize(
        "chosen",
        [[0], [True, False], np.array([0]), np.array([True, False]), np.array([True, False], dtype=object)],
        ids=repr,
    )
    @pytest.mark.parametrize("X", [OBJECTS, OBJECTS.tolist()], ids=["array", "list"])
    def test_strings(self, X, chosen):
        categories = find_categories(X, chosen)
        np.testing.assert_array_equal(categories[0], ["a", "b"])
        assert list(categories) == [0]
        assert_codes(X, chosen, CODES)

    def test_numbers(self):
        X = np.array([[10.0, 3.0], [NAN, 2.0], [-5.0, 1.0]])
        assert_codes(X, [0], [[1, 3], [NAN, 2], [0, 1]])
        assert find_categories(X, [0])[0].dtype == np.float64
        assert encoded(X.astype(np.float32), find_categories(X, [0])).dtype == np.float32

    def test_what_was_not_seen_follows_the_last(self):
        categories = find_categories(OBJECTS, [0])
        new = np.array([["c", 0.0], [7, 0.0], [float("nan"), 0.0], ["", 0.0]], dtype=object)
        np.testing.assert_array_equal(encoded(new, categories)[:, 0], [2, 2, NAN, 2])
        numbers = find_categories(np.array([[1], [2]]), [0])
        new = np.array([["x"], [2.0], [True], [3], ["3"], [10**400]], dtype=object)
        np.testing.assert_array_equal(encoded(new, numbers)[:, 0], [2, 1, 0, 2, 2, 2])

    @pytest.mark.parametrize("seen", [[1, 2, 3], [1.0, 2.0, 3.0], ["1", "2", "3"], ["x", "1", 2.0, 3]], ids=str)
    def test_numbers_that_are_stored_in_other_ways(self, seen):
        """Of columns with missing values pandas makes floats, and strings of those with a single "x"."""
        categories = find_categories(np.array(seen, dtype=object)[:, np.newaxis], [0])
        new = np.array([[2, 2.0, "2"], [3, 3.0, "3"]], dtype=object)
        for column in new.T:
            np.testing.assert_array_equal(encoded(column[:, np.newaxis], categories)[:, 0], [1, 2])

    def test_long_integers_differ(self):
        """Of such numbers float64 would make one."""
        X = np.array([[2**60], [2**60 + 1], [2**60]])
        categories = find_categories(X, [0])
        np.testing.assert_array_equal(categories[0], [str(2**60), str(2**60 + 1)])
        np.testing.assert_array_equal(encoded(X, categories)[:, 0], [0, 1, 0])
        np.testing.assert_array_equal(encoded(np.array([[2**60 + 2]]), categories), [[2]])
        beyond = np.array([[10**400], [1]], dtype=object)
        np.testing.assert_array_equal(encoded(beyond, find_categories(beyond, [0]))[:, 0], [1, 0])

    def test_strings_and_numbers_together_are_strings(self):
        X = np.array([["a"], [1], [True]], dtype=object)
        np.testing.assert_array_equal(find_categories(X, [0])[0], ["1", "a"])
        assert_codes(X, [0], [[1], [0], [0]])

    def test_nothing_is_categorical_by_default(self):
        for chosen in ("from_dtype", None, [], np.zeros(2, dtype=bool)):
            assert find_categories(np.ones((3, 2)), chosen) == {}

    @pytest.mark.parametrize(
        ("chosen", "words"),
        [
            ([True], "boolean mask must have shape"),
            ([0, 2], r"must be in \[0, n_features - 1\]. Got \[0, 2\] for 2 features"),
            ([-1], "must be in"),
            (["city"], "not columns of X: "),
        ],
        ids=str,
    )
    def test_what_does_not_fit(self, chosen, words):
        with pytest.raises(ValueError, match=words):
            find_categories(OBJECTS, chosen)

    def test_tables_only(self):
        with pytest.raises(TypeError, match="Sparse input is not supported with categorical features"):
            find_categories(sparse.eye_array(3).tocsr(), [0])
        with pytest.raises(ValueError, match="Complex data not supported"):
            find_categories(np.full((3, 1), 1j), [0])
        with pytest.raises(TypeError, match="argument must be a string or a number"):
            find_categories(np.array([[{}], [1]], dtype=object), [0])
        with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
            find_categories(np.arange(3), [0])


class TestPandas:
    @pytest.fixture
    def frame(self):
        pd = pytest.importorskip("pandas")
        return pd.DataFrame(
            {
                "town": pd.Categorical(["b", "a", None, "b"], categories=["z", "b", "a"]),
                "size": [1.0, 2.0, NAN, 4.0],
                "code": pd.Categorical([3, 1, 2, 3]),
                "flag": [True, False, True, True],
            }
        )

    EXPECTED = ((1, 1, 2, 1), (0, 2, 0, 0), (NAN, NAN, 1, 1), (1, 4, 2, 1))

    def test_by_dtype(self, frame):
        np.testing.assert_array_equal(categorical_columns(frame), [0, 2])
        categories = find_categories(frame, "from_dtype")
        np.testing.assert_array_equal(categories[0], ["a", "b"])  # "z" is in no row
        np.testing.assert_array_equal(categories[2], [1, 2, 3])
        np.testing.assert_array_equal(encoded(frame, categories), self.EXPECTED)

    def test_by_name(self, frame):
        assert list(find_categories(frame, ["code", "town"])) == [0, 2]
        pd = sys.modules["pandas"]
        plain = frame.astype({"town": object, "code": int})
        np.testing.assert_array_equal(encoded(plain, find_categories(plain, ["town", "code"])), self.EXPECTED)
        strings = frame.astype({"town": pd.StringDtype()})
        np.testing.assert_array_equal(encoded(strings, find_categories(strings, ["town", "code"])), self.EXPECTED)

    def test_other_categories_than_in_fit(self, frame):
        pd = sys.modules["pandas"]
        categories = find_categories(frame, "from_dtype")
        new = frame.assign(town=pd.Categorical(["c", "b", "a", "d"]))
        np.testing.assert_array_equal(encoded(new, categories)[:, 0], [2, 1, 0, 2])
        plain = frame.assign(town=["c", "b", None, "d"])
        np.testing.assert_array_equal(encoded(plain, categories)[:, 0], [2, 1, NAN, 2])

    def test_strings_beside_categories(self, frame):
        frame["name"] = list("abcd")
        with pytest.raises(ValueError, match=r"could not convert string.*X\.astype\(\{'column': 'category'\}\)"):
            encoded(frame, find_categories(frame, "from_dtype"))

    def test_refused(self, frame):
        with pytest.raises(ValueError, match=r"\['town', 'code'\].*OneHotEncoder within a ColumnTransformer"):
            refuse_categorical(frame, "PCA")
        refuse_categorical(frame[["size"]], "PCA")


class TestPolars:
    @pytest.fixture
    def frame(self):
        pl = pytest.importorskip("polars")
        return pl.DataFrame(
            {"town": ["b", "a", None, "b"], "size": [1.0, 2.0, None, 4.0], "kind": ["y", "x", "y", "y"]},
            schema={"town": pl.Categorical, "size": pl.Float64, "kind": pl.Enum(["z", "y", "x"])},
        )

    EXPECTED = ((1, 1, 1), (0, 2, 0), (NAN, NAN, 1), (1, 4, 1))

    def test_by_dtype(self, frame):
        categories = find_categories(frame, "from_dtype")
        assert list(categories) == [0, 2]
        np.testing.assert_array_equal(categories[2], ["x", "y"])
        np.testing.assert_array_equal(encoded(frame, categories), self.EXPECTED)
        np.testing.assert_array_equal(encoded(frame[1:3], categories), self.EXPECTED[1:3])

    def test_by_name(self, frame):
        pl = sys.modules["polars"]
        plain = frame.cast({"town": pl.String, "kind": pl.String})
        categories = find_categories(plain, ["town", "kind"])
        np.testing.assert_array_equal(encoded(plain, categories), self.EXPECTED)
        np.testing.assert_array_equal(encoded(frame, categories), self.EXPECTED)

    def test_numbers(self):
        pl = pytest.importorskip("polars")
        frame = pl.DataFrame({"a": [3, 1, None], "b": [1.5, NAN, None]})
        np.testing.assert_array_equal(
            encoded(frame, find_categories(frame, ["a", "b"])), [[1, 0], [0, NAN], [NAN, NAN]]
        )
