"""Results that overflowed, and the dtype that the error blames."""

import numpy as np
import pytest

from skae._support._validation import check_finite_result


@pytest.mark.parametrize("computed_in", [np.float32, np.float64])
def test_the_narrower_dtype_is_to_blame(computed_in):
    with pytest.raises(ValueError, match=f"too large for dtype\\('{np.dtype(computed_in)}'\\)"):
        check_finite_result(np.array([np.inf]), computed_in)
