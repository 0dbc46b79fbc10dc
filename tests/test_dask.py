"""The recipes for dask in the guide, run on two worker processes."""

import re
from pathlib import Path

import numpy as np
import pytest
from family_cases import short
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

pytest.importorskip("dask.array")
pytest.importorskip("distributed")
GUIDE = Path(__file__).parents[1] / "docs" / "guide_distributed.md"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not GUIDE.exists(), reason="the documentation is not here"),
]


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    """What the blocks of the guide leave behind; the first is torchrun's."""
    blocks = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), flags=re.M | re.S)
    names = {"__name__": "page"}
    try:
        exec(compile("\n".join(blocks[1:]), GUIDE.name, "exec"), names)
        names |= {key: names[key].compute() for key in ("codes", "scores")}
        names["fits"] = names["client"].gather(names["fits"])
    finally:
        if "client" in names:
            names["client"].shutdown()
    return names


@short
def test_a_search_on_the_workers_is_the_serial_one(recipes):
    search = recipes["search"]
    serial = GridSearchCV(clone(search.estimator), search.param_grid, cv=2).fit(recipes["X"])
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"], rtol=1e-5)


def test_blocks_are_scored_as_the_whole(recipes):
    fitted, X = recipes["fitted"], recipes["X"]
    np.testing.assert_allclose(recipes["codes"], fitted.transform(X), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(recipes["scores"], fitted.score_samples(X), rtol=1e-9)


@short
def test_workers_train_what_one_process_trains(recipes):
    X, (first, second) = recipes["X"], recipes["fits"]
    expected = clone(recipes["model"]).fit(X).transform(X)
    np.testing.assert_array_equal(first.transform(X), second.transform(X))
    assert np.abs(first.transform(X) - expected).max() < 1e-5 * np.abs(expected).max()
    assert first.best_loss_ < first.initial_loss_
