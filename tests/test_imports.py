"""Imports go down only, torch and scikit-learn stay where they belong, and nothing private of theirs is used."""

import ast
from pathlib import Path

import pytest

import skae

PACKAGE = Path(skae.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the top down; a module may import from its own layer's folder and from those below.
LAYERS = [
    ["skae"],
    ["skae._displays", "skae._onnx"],
    ["skae._transformer", "skae._outlier_detector"],
    ["skae._estimator"],
    ["skae._saved_state"],
    ["skae._detector"],
    ["skae._defaults"],
    ["skae._autoencoder"],
    ["skae.networks"],
    ["skae._training"],
    ["skae._linalg"],
    ["skae._rows"],
    ["skae._support"],
]
# Where torch and scikit-learn are not imported.
NO_TORCH = {"_linalg", "_transformer.py", "_outlier_detector.py", "_estimator.py", "__init__.py"}
NO_SCIKIT_LEARN = {"_training", "_rows"}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.add(node.module)
    return found


def layer(module: str) -> int:
    for depth, names in enumerate(LAYERS):
        if any(module == name or (name != "skae" and module.startswith(name + ".")) for name in names):
            return depth
    raise AssertionError(f"{module} is in no layer: add it to LAYERS")


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_go_down(path):
    own = module_name(path)
    for module in imported_modules(path):
        if module.split(".")[0] == "skae":
            same_folder = module.rsplit(".", 1)[0] == own.rsplit(".", 1)[0] and own.count(".") > 1
            assert layer(module) > layer(own) or same_folder, f"{own} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_no_private_module_of_scikit_learn(path):
    for module in imported_modules(path):
        if module.split(".")[0] == "sklearn":
            assert not any(part.startswith("_") for part in module.split(".")), module


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_torch_and_scikit_learn_stay_where_they_belong(path):
    roots = {module.split(".")[0] for module in imported_modules(path)}
    assert "torch" not in roots or not NO_TORCH & {*path.parts}
    assert "sklearn" not in roots or not NO_SCIKIT_LEARN & {*path.parts}
