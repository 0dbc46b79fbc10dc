"""What each kind of constraint accepts, and the words of the error."""

import numpy as np
import pytest

from skae._support._constraints import (
    Boolean,
    FeatureSelection,
    Float,
    Integer,
    LayerSizes,
    OddInteger,
    OneOf,
    Seed,
    check_parameters,
)


@pytest.mark.parametrize(
    ("constraint", "accepted", "refused"),
    [
        (Integer(1), [1, np.int64(5)], [0, 1.0, True, "1", None]),
        (OddInteger(1), [1, np.int64(5)], [0, 2, -1, 3.0, True, "1", None]),
        (Float(0), [0, 0.0, np.float32(2)], [-1e-9, np.nan, np.inf, True, "0", None]),
        (Float(0, 1, low_open=True, high_open=True), [0.5], [0, 1, 0.0, 1.0]),
        (OneOf(("auto", None)), ["auto", None], ["Auto", 0, np.array(["auto", "auto"])]),
        (Boolean(), [True, np.True_], [0, 1, "True", None]),
        (Seed(), [None, 0, 2**32 - 1, np.random.RandomState(0)], [-1, 2**32, 1.0, "0"]),
        (
            FeatureSelection(),
            [[0], [True, False], ("a", "b"), np.array([True], dtype=object), [np.int8(1), 2], [np.str_("a")], []],
            [
                [True, 1],
                [1, "a"],
                [0.0],
                [None],
                [[0], [1]],
                [[0], [1, 2]],
                "a",
                {0},
                0,
                np.array([True, 1], dtype=object),
            ],
        ),
        (
            LayerSizes(),
            [3, np.int64(3), (), (3,), [4, np.int32(5)], range(3, 5), np.array([3, 4]), np.array([])],
            [0, 3.0, True, (0,), (2.0,), "33", "", b"3", {3}, {3: 4}, None, np.array(3), np.ones((1, 1), int)],
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_constraint(constraint, accepted, refused):
    assert all(constraint.accepts(value) for value in accepted)
    assert not any(constraint.accepts(value) for value in refused)


def test_error_is_worded_as_scikit_learn_does():
    with pytest.raises(
        ValueError, match=r"^The 'alpha' parameter of Thing must be a float >= 0 or 'auto'. Got -1 inst"
    ):
        check_parameters("Thing", {"alpha": -1}, {"alpha": (Float(0), OneOf(("auto",)))})
    assert str(Float(0, 1, low_open=True)) == "a float in (0, 1]"
    assert str(Float(0, low_open=True)) == "a float > 0"
    assert str(OneOf(("a", "b"))) == "one of {'a', 'b'}"
