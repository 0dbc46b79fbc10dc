"""`to_onnx`: fitted estimators, and pipelines they are part of, as ONNX graphs.

skl2onnx is imported inside functions only: skae works without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils.validation import check_is_fitted

from skae._onnx._graph import OPSET, Graph, Symbol
from skae._onnx._networks import AutoencoderGraph
from skae._onnx._scores import denoising_views, reconstruction_views, scores
from skae._outlier_detector import AutoencoderOutlierDetector
from skae._reconstruction_views import ReconstructionViews
from skae._support._constraints import Boolean, Constraint, InstanceOf, Integer, OneOf, check_parameters
from skae._support._tensors import as_array
from skae._transformer import AutoencoderTransformer

TRANSFORMER, DETECTOR = "SkaeAutoencoderTransformer", "SkaeAutoencoderOutlierDetector"
_CONSTRAINTS: dict[str, tuple[Constraint, ...]] = {
    "reconstruct": (Boolean(),),
    "fill_missing": (Boolean(), OneOf(("auto",))),
    "target_opset": (Integer(OPSET), OneOf((None,))),
    "options": (InstanceOf((dict,), "a dict"), OneOf((None,))),
}
# What the call of `to_onnx` under way asks of transformers: which of them reconstructs, and `fill_missing`. Not options
# of skl2onnx, which takes names or classes of steps, not both.
_ASKED: ContextVar[tuple[Any, bool | str]] = ContextVar("_ASKED", default=(None, "auto"))


def to_onnx(estimator, X=None, *, reconstruct=False, fill_missing="auto", target_opset=None, options=None):
    """Convert a fitted estimator, or what it is part of, to an ONNX graph.

    Runtimes of ONNX compute it without Python, scikit-learn or torch. The graph of an `AutoencoderTransformer` returns
    "codes", that of an `AutoencoderOutlierDetector` "label" (+1 and -1) and "scores" (its `decision_function`), both of
    shape (n_samples, 1), as skl2onnx has it for `IsolationForest`. Other steps of a pipeline are converted by skl2onnx.

    Parameters
    ----------
    estimator : estimator
        A fitted `AutoencoderTransformer`, `AutoencoderOutlierDetector`, or Pipeline, ColumnTransformer, FeatureUnion or
        other estimator around them that skl2onnx converts; of a search, its ``best_estimator_``.
    X : array-like of shape (n_samples, n_features), default=None
        Rows of the type that the graph is to take: of float32 or float64; of a DataFrame every column becomes an input.
        None makes one float32 input named "X".
    reconstruct : bool, default=False
        Whether a second output, "reconstruction", holds what `reconstruct` returns, in the units of what the
        transformer is given. The transformer must be the last step.
    fill_missing : bool or "auto", default="auto"
        Whether transformers take rows with missing entries (NaN) and fill them as `transform` does, which costs ten
        products with a covariance for every row, complete or not. Where False, NaN make a row's codes NaN. "auto" is
        True where training saw missing entries.
    target_opset : int, default=None
        The version of ONNX' operators, at least 18. None is the highest that skl2onnx knows.
    options : dict, default=None
        Options of other steps, as skl2onnx takes them.

    Returns
    -------
    onnx.ModelProto
        The graph. ``SerializeToString()`` makes the bytes of a file of it.

    Raises
    ------
    ImportError
        If skl2onnx is not installed: ``pip install skae[onnx]``.
    NotFittedError
        If the estimator is not fitted.
    NotImplementedError
        If a transformer has a custom network (give what `encoder_module` returns to `torch.onnx.export`), or a
        detector is used as a transformer within a pipeline.
    ValueError
        If a parameter is out of its range, or `reconstruct` is asked of something else than a transformer.

    See Also
    --------
    AutoencoderTransformer.encoder_module : The same as a torch module.

    Notes
    -----
    Networks compute in the precision they were trained in, scores in float64: on rows of the same dtype, results differ
    from the estimator's by rounding. Scores on training rows are the estimator's too: a row that coincides with a
    training row is judged without it. In the denoising detector the training rows (at most 8,192) are part of the
    graph.

    Examples
    --------
    >>> import numpy as np
    >>> from skae import AutoencoderOutlierDetector, to_onnx
    >>> X = np.random.RandomState(0).normal(size=(200, 3)).astype(np.float32)
    >>> detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    >>> graph = to_onnx(detector)  # doctest: +SKIP
    >>> with open("detector.onnx", "wb") as file:  # doctest: +SKIP
    ...     file.write(graph.SerializeToString())
    """
    skl2onnx = _skl2onnx()
    given = {"reconstruct": reconstruct, "fill_missing": fill_missing, "target_opset": target_opset, "options": options}
    check_parameters("to_onnx", given, _CONSTRAINTS)
    check_is_fitted(estimator)
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    final = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if reconstruct and not isinstance(final, AutoencoderTransformer):
        raise ValueError(
            f"reconstruct=True needs an AutoencoderTransformer as last step. Got {type(final).__name__} instead."
        )
    _check_detectors(estimator)
    _register(skl2onnx)
    types = None
    if X is None:
        types = [("X", skl2onnx.common.data_types.FloatTensorType([None, estimator.n_features_in_]))]
    with _asking(final if reconstruct else None, fill_missing):
        return skl2onnx.to_onnx(
            estimator, X=_example(X), initial_types=types, target_opset=target_opset, options=options
        )


@contextmanager
def _asking(reconstructing: Any, fill_missing: bool | str) -> Iterator[None]:
    token = _ASKED.set((reconstructing, fill_missing))
    try:
        yield
    finally:
        _ASKED.reset(token)


def _example(X):
    """A row of X of the type that the graph is to take: a DataFrame of pandas, or an array."""
    if X is None:
        return None
    return X[:1] if hasattr(X, "iloc") else np.asarray(as_array(X))[:1]


def _skl2onnx() -> Any:
    try:
        return import_module("skl2onnx")
    except ImportError as error:
        raise ImportError(
            "to_onnx requires skl2onnx. You can install skl2onnx with `pip install skae[onnx]`."
        ) from error


def _check_detectors(estimator: Any, *, transforms: bool = False) -> None:
    """Raise where a detector gives codes to other steps: skl2onnx would give them its labels."""
    if isinstance(estimator, AutoencoderOutlierDetector) and transforms:
        raise NotImplementedError(
            "to_onnx converts an AutoencoderOutlierDetector as last step only. Use an AutoencoderTransformer for codes."
        )
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps[:-1]:
            _check_detectors(step, transforms=True)
        _check_detectors(estimator[-1], transforms=transforms)
    elif isinstance(estimator, FeatureUnion | ColumnTransformer):
        parts = estimator.transformer_list if isinstance(estimator, FeatureUnion) else estimator.transformers_
        for part in parts:
            _check_detectors(part[1], transforms=True)
    else:  # stacking, voting and bagging; calibration
        parts = [*getattr(estimator, "estimators_", ()), *getattr(estimator, "calibrated_classifiers_", ())]
        for part in parts:
            _check_detectors(getattr(part, "estimator", part))


def _register(skl2onnx: Any) -> None:
    skl2onnx.update_registered_converter(
        AutoencoderTransformer,
        TRANSFORMER,
        _transformer_shapes,
        _convert_transformer,
        parser=_parse_transformer,
    )
    skl2onnx.update_registered_converter(AutoencoderOutlierDetector, DETECTOR, _detector_shapes, _convert_detector)


# skl2onnx checks the names of a parser's arguments.
def _parse_transformer(scope, model, inputs, custom_parsers=None):
    guess_type = import_module("skl2onnx.common.data_types").guess_tensor_type
    operator = scope.declare_local_operator(TRANSFORMER, model)
    operator.inputs = inputs
    names = ["codes"]
    if _ASKED.get()[0] is model:
        names.append("reconstruction")
    for name in names:
        operator.outputs.append(scope.declare_local_variable(name, guess_type(inputs[0].type)))
    return operator.outputs


def _transformer_shapes(operator: Any) -> None:
    n_rows = operator.inputs[0].get_first_dimension()
    widths = [operator.raw_operator.n_components_, operator.raw_operator.n_features_in_]
    for output, width in zip(operator.outputs, widths, strict=False):
        output.type.shape = [n_rows, width]


def _detector_shapes(operator: Any) -> None:
    for output in operator.outputs:
        output.type.shape = [operator.inputs[0].get_first_dimension(), 1]


def _convert_transformer(scope: Any, operator: Any, container: Any) -> None:
    transformer, X = operator.raw_operator, _rows(scope, operator, container)
    (_, fill), fitted = _ASKED.get(), transformer._fitted
    autoencoder = AutoencoderGraph(fitted, fitted.architecture["sees_missing"] if fill == "auto" else bool(fill))
    z = autoencoder.encode(autoencoder.standardised(X))
    codes, *reconstruction = operator.outputs
    _set_output(codes, autoencoder.public_codes(z))
    for output in reconstruction:
        _set_output(output, autoencoder.in_units_of_X(autoencoder.decode(z)))


def _convert_detector(scope: Any, operator: Any, container: Any) -> None:
    detector, X = operator.raw_operator, _rows(scope, operator, container)
    fitted = detector._views
    views = reconstruction_views(X, fitted) if isinstance(fitted, ReconstructionViews) else denoising_views(X, fitted)
    decision = (scores(views, detector._view_scale) - detector.offset_).expanded(1)
    label, score = operator.outputs
    _set_output(score, decision)
    _set_output(label, (decision < 0.0).where(-1, decision.graph.constant(1, np.int64)))


def _rows(scope: Any, operator: Any, container: Any) -> Symbol:
    """The input in one dtype, its columns side by side if they come one by one; integers alone stay integers."""
    guess_type = import_module("skl2onnx.common.data_types").guess_numpy_type
    graph = Graph(scope, container)
    inputs = [Symbol(graph, variable.full_name, np.dtype(guess_type(variable.type))) for variable in operator.inputs]
    dtype = np.result_type(*(symbol.dtype for symbol in inputs))
    first, *others = (symbol.cast(dtype) for symbol in inputs)
    return first.beside(*others) if others else first


def _set_output(variable: Any, symbol: Symbol) -> None:
    guess_type = import_module("skl2onnx.common.data_types").guess_numpy_type
    symbol.graph.name_output(symbol.cast(guess_type(variable.type)), variable.full_name)
