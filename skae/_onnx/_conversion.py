"""`to_onnx`: fitted estimators, and pipelines they are part of, as ONNX graphs.

skl2onnx, onnx and onnxscript are imported inside functions only: skae works without them.
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

from skae._onnx._export import OPSET, add_module
from skae._onnx._modules import COMPONENTS, DetectorModule, TransformerModule
from skae._outlier_detector import AutoencoderOutlierDetector
from skae._support._constraints import Boolean, Constraint, InstanceOf, Integer, OneOf, check_parameters
from skae._support._tensors import as_array
from skae._transformer import AutoencoderTransformer

TRANSFORMER, DETECTOR = "SkaeAutoencoderTransformer", "SkaeAutoencoderOutlierDetector"
_CONSTRAINTS: dict[str, tuple[Constraint, ...]] = {
    "reconstruct": (Boolean(),),
    "fill_missing": (Boolean(), OneOf(("auto",))),
    "target_opset": (Integer(OPSET), OneOf((None,))),
    "options": (InstanceOf(dict), OneOf((None,))),
}
# The transformer that reconstructs in the current call of `to_onnx` (or None), and `fill_missing`. They cannot be
# options of skl2onnx: its options are either for names of steps or for classes, and the user may pass either.
_REQUEST: ContextVar[tuple[Any, bool | str]] = ContextVar("_REQUEST", default=(None, "auto"))


def to_onnx(estimator, X=None, *, reconstruct=False, fill_missing="auto", target_opset=None, options=None):
    """Convert a fitted estimator, or a pipeline that it is part of, to an ONNX graph.

    An ONNX runtime computes the graph without Python, scikit-learn or torch. The graph of an `AutoencoderTransformer`
    has the output "codes". The graph of an `AutoencoderOutlierDetector` has the outputs "label" (+1 and -1) and
    "scores" (its `decision_function`), both of shape (n_samples, 1), as skl2onnx makes them for `IsolationForest`.
    torch's exporter converts the networks, and skl2onnx converts the other steps of a pipeline. A conversion takes
    seconds.

    Parameters
    ----------
    estimator : estimator
        A fitted `AutoencoderTransformer` or `AutoencoderOutlierDetector`, or a Pipeline, ColumnTransformer,
        FeatureUnion or other estimator around one that skl2onnx can convert. If it is a search such as GridSearchCV,
        its ``best_estimator_`` is converted.
    X : array-like of shape (n_samples, n_features), default=None
        Rows whose dtype is that of the input of the graph. If X is a DataFrame of pandas, every column becomes an
        input, which a ColumnTransformer that chooses columns by name needs. None makes one float32 input named "X".
    reconstruct : bool, default=False
        If True, the graph has a second output, "reconstruction": what `reconstruct` returns, in the units of the input
        of the transformer. The transformer must be the last step.
    fill_missing : bool or "auto", default="auto"
        If True, the graph treats missing entries (NaN) as `transform` and `score_samples` do. This takes ten products
        with a covariance matrix for every row, with or without NaN. If False, the codes and scores of a row with NaN
        are NaN, and its label is -1. "auto" is True if the training rows had missing entries.
    target_opset : int, default=None
        Highest version of the ONNX operators that the graph may use, at least 18. None is the highest version that
        skl2onnx supports.
    options : dict, default=None
        Options of skl2onnx for the other steps.

    Returns
    -------
    onnx.ModelProto
        The graph. ``SerializeToString()`` returns the bytes of a file.

    Raises
    ------
    ImportError
        If skl2onnx or onnxscript is not installed: ``pip install skae[onnx]``.
    NotFittedError
        If the estimator is not fitted.
    NotImplementedError
        If torch's exporter cannot convert a custom network, a detector is used as a transformer within a pipeline, or
        a ColumnTransformer chooses columns by a slice of names.
    ValueError
        If a parameter is out of its range, `reconstruct` is True and the last step is not an `AutoencoderTransformer`,
        or a ColumnTransformer chooses columns by name and X is not a DataFrame of pandas.

    See Also
    --------
    AutoencoderTransformer.encoder_module : The same as a torch module.

    Notes
    -----
    Networks compute in the precision they were trained in, and scores are computed in float64. For rows of the same
    dtype the results equal those of the estimator up to rounding. This holds for training rows too: a row that equals a
    training row is scored without it, as by the estimator. The graph of the denoising detector contains up to 3,072 of
    its training rows.

    In a custom network, branches and shapes must not depend on the values of the input or on the number of rows. Write
    ``x.shape[0]`` instead of ``len(x)``, because the exporter would treat the latter as a constant.

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
    skl2onnx = _import("skl2onnx")
    _import("onnxscript")
    given = {"reconstruct": reconstruct, "fill_missing": fill_missing, "target_opset": target_opset, "options": options}
    check_parameters("to_onnx", given, _CONSTRAINTS)
    check_is_fitted(estimator)
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    final = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if reconstruct and not isinstance(final, AutoencoderTransformer):
        raise ValueError(
            f"reconstruct=True needs an AutoencoderTransformer as last step. Got {type(final).__name__} instead. Set "
            "reconstruct=False, or convert the transformer alone. See docs/saving.md."
        )
    _check_detectors(estimator)
    _check_column_names(estimator, X)
    _register(skl2onnx)
    types = None
    if X is None:
        types = [("X", skl2onnx.common.data_types.FloatTensorType([None, estimator.n_features_in_]))]
    with _requesting(final if reconstruct else None, fill_missing):
        return skl2onnx.to_onnx(
            estimator, X=_example(X), initial_types=types, target_opset=target_opset, options=options
        )


@contextmanager
def _requesting(reconstructing: Any, fill_missing: bool | str) -> Iterator[None]:
    token = _REQUEST.set((reconstructing, fill_missing))
    try:
        yield
    finally:
        _REQUEST.reset(token)


def _example(X):
    """One row of X as a DataFrame or an array, from which skl2onnx reads the types of the inputs."""
    if X is None:
        return None
    return X[:1] if hasattr(X, "iloc") else np.asarray(as_array(X))[:1]


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"to_onnx requires {name}. You can install {name} with `pip install skae[onnx]`.") from error


def _parts(estimator: Any, transforms: bool = False) -> Iterator[tuple[Any, bool]]:
    """The estimators within an estimator, and for each whether its output is the input of other steps."""
    if isinstance(estimator, Pipeline):
        yield from ((step, True) for _, step in estimator.steps[:-1])
        yield estimator[-1], transforms
    elif isinstance(estimator, FeatureUnion | ColumnTransformer):
        parts = estimator.transformer_list if isinstance(estimator, FeatureUnion) else estimator.transformers_
        yield from ((part[1], True) for part in parts)
    else:  # stacking, voting and bagging; calibration
        parts = [*getattr(estimator, "estimators_", ()), *getattr(estimator, "calibrated_classifiers_", ())]
        yield from ((getattr(part, "estimator", part), False) for part in parts)


def _check_detectors(estimator: Any, transforms: bool = False) -> None:
    """Raise if a detector's codes are the input of other steps: skl2onnx would pass on its labels."""
    if isinstance(estimator, AutoencoderOutlierDetector) and transforms:
        raise NotImplementedError(
            "to_onnx converts an AutoencoderOutlierDetector as last step only. For codes, use an "
            "AutoencoderTransformer: see docs/saving.md."
        )
    for part, gives_input in _parts(estimator, transforms):
        _check_detectors(part, gives_input)


def _check_column_names(estimator: Any, X: Any) -> None:
    """Raise if columns are chosen by names, and the inputs of the graph would not have these names."""
    if isinstance(estimator, ColumnTransformer):
        # Without the remainder, which `transformers_` has at the end.
        chosen = [columns for _, _, columns in estimator.transformers_[: len(estimator.transformers)]]
        if any(isinstance(columns, slice) and isinstance(columns.start or columns.stop, str) for columns in chosen):
            raise NotImplementedError("to_onnx cannot convert a slice of column names. Use a list of them instead.")
        by_name = any(isinstance(column, str) for columns in chosen for column in np.atleast_1d(columns))
        if by_name and not hasattr(X, "iloc"):
            raise ValueError(
                "A ColumnTransformer chooses columns by name: pass X as a DataFrame of pandas, whose columns become the"
                f" graph's inputs. Got X of type {type(X).__name__} instead."
            )
    for part, _ in _parts(estimator):
        _check_column_names(part, X)


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
    if _REQUEST.get()[0] is model:
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
    (_, fill_missing), fitted = _REQUEST.get(), operator.raw_operator._fitted
    if fill_missing == "auto":
        fill_missing = fitted.takes_mask
    module = TransformerModule(fitted, fill_missing=bool(fill_missing), reconstruct=len(operator.outputs) > 1)
    add_module(module, scope, operator, container)


def _convert_detector(scope: Any, operator: Any, container: Any) -> None:
    detector = operator.raw_operator
    if detector.categories_:
        raise NotImplementedError(
            "to_onnx cannot convert a detector with categorical features. Save it with joblib or skops: see "
            "docs/saving.md."
        )
    scorer, calibration = detector._scorer, detector._calibration
    if type(scorer) not in COMPONENTS:
        raise NotImplementedError(
            f"to_onnx cannot convert a detector that scores by {type(scorer).__name__}. Save it with joblib or skops: "
            "see docs/saving.md."
        )
    fill_missing = _REQUEST.get()[1]
    if fill_missing == "auto":
        fill_missing = scorer.takes_missing
    components = COMPONENTS[type(scorer)](scorer, bool(fill_missing))
    module = DetectorModule(components, calibration, detector.offset_, bool(fill_missing))
    add_module(module, scope, operator, container)
