"""Public docstrings follow numpydoc and name every parameter and fitted attribute."""

import inspect

import pytest
from sklearn.base import BaseEstimator

import skae
import skae.networks

docscrape = pytest.importorskip("numpydoc.docscrape")
validate = pytest.importorskip("numpydoc.validate").validate

# ES01 extended summary, SA01 See Also, EX01 Examples, RT03: asked of classes, not of every method.
OPTIONAL_FOR_METHODS = {"ES01", "SA01", "EX01"}
# GL08 is an inherited object's; GL01 and SS06 contradict the one-line summaries that ruff's convention asks for.
NEVER = {"GL01", "SS06"}


def public_objects(kind):
    modules = (skae, skae.networks)
    return [item for module in modules for item in map(module.__dict__.get, module.__all__) if kind(item)]


def public_classes():
    return public_objects(inspect.isclass)


def errors_of(item, method=""):
    return validate(".".join(filter(None, (item.__module__, item.__qualname__, method))))["errors"]


def own_methods(cls):
    # A class method, looked up on the class, is a bound method.
    for name, value in inspect.getmembers(cls, lambda member: inspect.isfunction(member) or inspect.ismethod(member)):
        if not name.startswith("_") and value.__module__.startswith("skae"):
            yield name


@pytest.mark.parametrize("item", public_classes() + public_objects(inspect.isfunction))
def test_docstring(item):
    assert [(code, text) for code, text in errors_of(item) if code not in NEVER] == []


@pytest.mark.parametrize(("cls", "method"), [(cls, name) for cls in public_classes() for name in own_methods(cls)])
def test_method_docstring(cls, method):
    assert [e for e in errors_of(cls, method) if e[0] not in NEVER | OPTIONAL_FOR_METHODS] == []
    assert docscrape.FunctionDoc(getattr(cls, method))["Summary"]


@pytest.mark.parametrize("cls", public_classes())
def test_parameters_are_documented(cls):
    documented = [entry.name for entry in documentation(cls)["Parameters"]]
    assert documented == list(inspect.signature(cls.__init__).parameters)[1:]


@pytest.mark.parametrize("cls", [cls for cls in public_classes() if issubclass(cls, BaseEstimator)])
def test_fitted_attributes_are_documented(cls, digits):
    estimator = cls(random_state=0).fit(digits[0][:60])
    fitted = {name for name in vars(estimator) if name.endswith("_") and not name.startswith("_")}
    listed = {entry.name for entry in documentation(cls)["Attributes"]}
    assert fitted - listed == set()
    assert listed - fitted <= {"feature_names_in_"}


def documentation(cls):
    return docscrape.NumpyDocString(inspect.cleandoc(cls.__doc__))
