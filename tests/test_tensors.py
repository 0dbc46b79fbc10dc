"""torch tensors give what arrays of the same numbers give, bit for bit, as tensors."""

import numpy as np
import pytest
import sklearn
import torch
from fault_cases import (
    AFTER_FIT,
    CALLS,
    DTYPES,
    ESTIMATORS,
    FITS,
    PREDICTIONS,
    WRONG,
    X,
    each_dtype,
    each_estimator,
    few_epochs,
    fitted_estimators,
    inputs_of,
    outcome,
    state,
    table,
)
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from skae import AutoencoderTransformer

pytestmark = few_epochs
WEIGHT = np.random.RandomState(0).randint(4, size=len(X))


@pytest.fixture
def fitted():
    return fitted_estimators()


def assert_same(tensor, array):
    """The numbers and the dtype of `array`; a number where that is one."""
    if isinstance(array, float):
        assert type(tensor) is float
        assert tensor == array
        return
    assert type(tensor) is torch.Tensor
    assert not tensor.requires_grad
    assert tensor.numpy().dtype == array.dtype
    np.testing.assert_array_equal(tensor.numpy(), array)


def assert_same_outcome(estimator, method, tensor, array):
    """The same result, or the same error in the same words; the estimator and the tensor are left alone."""
    before, given = state(estimator), tensor.detach().clone()
    result, error = outcome(getattr(estimator, method), tensor)
    expected, expected_error = outcome(getattr(estimator, method), array)
    assert (type(error), str(error)) == (type(expected_error), str(expected_error))
    if error is None:
        assert_same(result, expected)
    assert state(estimator) == before
    torch.testing.assert_close(tensor.detach(), given, rtol=0, atol=0, equal_nan=True)


LAYOUTS = {
    "transposed": lambda rows: rows.t().contiguous().t(),
    "part of a wider one": lambda rows: rows.repeat(1, 2)[:, : rows.shape[1]],
    "requires a gradient": lambda rows: rows.clone().requires_grad_(),
    "parameter": torch.nn.Parameter,
    "negated lazily": lambda rows: torch.complex(rows, -rows).conj().imag,
}


class TestSameAsArrays:
    @table(PREDICTIONS, dtype=DTYPES)
    def test_predictions(self, fitted, name, method, dtype):
        rows = inputs_of(name, method, X.astype(dtype))
        assert_same_outcome(fitted[name], method, torch.tensor(rows), rows)

    @each_estimator
    @each_dtype
    @pytest.mark.parametrize("weighted", [False, True])
    def test_fit(self, name, dtype, weighted):
        rows, weight = X.astype(dtype), WEIGHT if weighted else None
        by_tensor = clone(ESTIMATORS[name]).fit(
            torch.tensor(rows, requires_grad=True), sample_weight=torch.tensor(weight) if weighted else None
        )
        assert state(by_tensor) == state(clone(ESTIMATORS[name]).fit(rows, sample_weight=weight))

    @pytest.mark.parametrize(("name", "method"), [call for call in CALLS if call[1] in FITS and call[1] != "fit"])
    def test_fit_and_predict(self, name, method):
        estimator = clone(ESTIMATORS[name])
        assert_same(getattr(estimator, method)(torch.tensor(X)), getattr(estimator, AFTER_FIT[method])(X))

    def test_weights_of_score(self, fitted):
        score = fitted["transformer"].score
        assert score(torch.tensor(X), sample_weight=torch.tensor(WEIGHT)) == score(X, sample_weight=WEIGHT) != score(X)

    @table(PREDICTIONS, dtype=["int8", "int64", "bool", "float16", "bfloat16"])
    def test_other_numbers_count_as_float64(self, fitted, name, method, dtype):
        rows = torch.tensor(inputs_of(name, method, X)).to(getattr(torch, dtype))
        assert_same_outcome(fitted[name], method, rows, rows.double().numpy())

    @table(PREDICTIONS, layout=LAYOUTS)
    def test_layouts(self, fitted, name, method, layout):
        rows = inputs_of(name, method, X)
        assert_same_outcome(fitted[name], method, LAYOUTS[layout](torch.tensor(rows)), rows)

    @pytest.mark.parametrize("code", ["dense", "ordered"])
    @pytest.mark.parametrize("width", [1, 2, 3])
    def test_codes_of_any_width(self, code, width):
        fitted = clone(ESTIMATORS["transformer"]).set_params(code=code).fit(X)
        assert_same_outcome(fitted, "inverse_transform", torch.tensor(X[:, :width]), X[:, :width])

    @pytest.mark.parametrize(
        "parameters", [{"code": "variational"}, {"code": "neighbors"}, {"whiten": True, "scale": True}], ids=str
    )
    def test_family(self, parameters):
        fitted = clone(ESTIMATORS["transformer"]).set_params(**parameters).fit(X)
        for method in ("transform", "reconstruct", "score_samples", "score"):
            assert_same_outcome(fitted, method, torch.tensor(X), X)


class TestErrors:
    @table(PREDICTIONS, case=WRONG)
    def test_words_are_those_of_arrays(self, fitted, name, method, case):
        rows = np.asarray(WRONG[case])
        assert_same_outcome(fitted[name], method, torch.tensor(rows), rows)

    @each_estimator
    @pytest.mark.parametrize("case", ["inf", "complex", "no rows", "one dimension", "a number"])
    def test_fit(self, fitted, name, case):
        before, rows = state(fitted[name]), np.asarray(WRONG[case])
        _, error = outcome(fitted[name].fit, torch.tensor(rows))
        _, expected = outcome(clone(fitted[name]).fit, rows)
        assert isinstance(error, ValueError)
        assert (type(error), str(error)) == (type(expected), str(expected))
        assert state(fitted[name]) == before

    @table(CALLS, layout=["sparse_coo", "sparse_csr"])
    @pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state:UserWarning")
    def test_sparse_tensors_are_refused(self, fitted, name, method, layout):
        with pytest.raises(TypeError, match=r"Use Tensor.to_dense\(\) first"):
            getattr(fitted[name], method)(torch.tensor(X).to_sparse(layout=getattr(torch, layout)))

    @pytest.mark.parametrize("weight", [-WEIGHT, 0 * WEIGHT, WEIGHT[1:], WEIGHT[:, np.newaxis], WEIGHT * np.nan])
    def test_weights(self, weight):
        (_, error), (_, expected) = (
            outcome(clone(ESTIMATORS["transformer"]).fit, X, sample_weight=kind(weight))
            for kind in (torch.tensor, np.array)
        )
        assert isinstance(error, ValueError)
        assert str(error) == str(expected)

    @pytest.mark.parametrize(("name", "method"), [call for call in PREDICTIONS if call[1] != "inverse_transform"])
    def test_names_seen_in_fit_are_missed(self, name, method):
        fitted = fitted_estimators(to_frame=True)[name]
        with pytest.warns(UserWarning, match="X does not have valid feature names, but Autoencoder"):
            getattr(fitted, method)(torch.tensor(X))

    @each_estimator
    def test_not_fitted(self, name):
        with pytest.raises(sklearn.exceptions.NotFittedError):
            clone(ESTIMATORS[name]).score_samples(torch.tensor(X))


class TestNoDetour:
    """What lies on a device need not pass through main memory."""

    @pytest.mark.parametrize("code", ["dense", "variational"])
    @each_dtype
    def test_rows_of_the_transformer_never_become_arrays(self, code, dtype, monkeypatch):
        fitted = clone(ESTIMATORS["transformer"]).set_params(code=code, dtype=dtype).fit(X)
        rows = torch.tensor(X)
        expected = {method: getattr(fitted, method)(rows) for method in ("transform", "reconstruct", "score_samples")}

        def refuse(self, **keywords):
            raise AssertionError("a tensor became an array")

        monkeypatch.setattr(torch.Tensor, "numpy", refuse)
        monkeypatch.setattr(torch.Tensor, "__array__", refuse)
        for method, result in expected.items():
            assert torch.equal(getattr(fitted, method)(rows), result)
        # Rounding of codes to the public ones and back, in the precision of the network.
        decoded = fitted.inverse_transform(expected["transform"])
        torch.testing.assert_close(decoded, expected["reconstruct"], rtol=1e-5, atol=1e-5)
        with pytest.raises(AssertionError, match="became an array"):
            fitted.transform(rows.long())


class TestSetOutput:
    @pytest.mark.parametrize("name", ["transformer", "denoising"])
    @pytest.mark.parametrize("library", ["pandas", "polars"])
    def test_data_frames_on_request(self, fitted, name, library):
        pytest.importorskip(library)
        asked = clone(fitted[name]).set_output(transform=library)
        codes = asked.fit(X).transform(torch.tensor(X))
        assert type(codes).__module__.split(".")[0] == library
        assert list(codes.columns) == list(asked.get_feature_names_out())
        np.testing.assert_array_equal(codes.to_numpy(), fitted[name].transform(X))


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.8"), reason="StandardScaler takes tensors from 1.8"
)
class TestDispatch:
    """scikit-learn's own estimators take tensors with `array_api_dispatch`; ours stand among them."""

    @pytest.fixture(autouse=True)
    def dispatch(self):
        with sklearn.config_context(array_api_dispatch=True):
            yield

    @pytest.mark.parametrize(("name", "method"), [call for call in CALLS if call[1] in ("transform", "predict")])
    def test_pipeline(self, name, method):
        pipeline = make_pipeline(StandardScaler(), clone(ESTIMATORS[name]))
        result = getattr(pipeline.fit(torch.tensor(X)), method)(torch.tensor(X))
        assert type(result) is torch.Tensor
        # StandardScaler's sums are torch's with tensors.
        expected = getattr(pipeline.fit(X), method)(X)
        assert type(expected) is np.ndarray
        np.testing.assert_allclose(result.numpy(), expected, rtol=1e-9, atol=1e-9)

    def test_pipeline_there_and_back(self):
        pipeline = make_pipeline(StandardScaler(), AutoencoderTransformer(None, max_iter=0))
        codes = pipeline.fit_transform(torch.tensor(X))
        # All components: nothing is lost but to rounding.
        torch.testing.assert_close(pipeline.inverse_transform(codes), torch.tensor(X), rtol=1e-9, atol=1e-9)

    @pytest.mark.parametrize(("name", "method"), PREDICTIONS)
    def test_the_same_as_without(self, fitted, name, method):
        rows = inputs_of(name, method, X)
        with sklearn.config_context(array_api_dispatch=False):
            expected = getattr(fitted[name], method)(rows)
        assert_same(getattr(fitted[name], method)(torch.tensor(rows)), expected)
        np.testing.assert_array_equal(getattr(fitted[name], method)(rows), expected)

    def test_search(self):
        searches = [
            GridSearchCV(ESTIMATORS["transformer"], {"n_components": [1, 3]}, cv=2, error_score="raise").fit(rows)
            for rows in (torch.tensor(X), X)
        ]
        assert searches[0].best_params_ == {"n_components": 3}
        np.testing.assert_array_equal(*(search.cv_results_["mean_test_score"] for search in searches))
        assert_same(searches[0].transform(torch.tensor(X)), searches[1].transform(X))
