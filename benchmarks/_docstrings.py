"""A corpus of documentation: docstrings in the source of installed packages, labelled by public subpackage."""

from __future__ import annotations

import ast
import importlib.util
from collections import Counter
from pathlib import Path

import numpy as np

PACKAGES = ("numpy", "scipy", "sklearn", "pandas", "torch")
SKIPPED = {"tests", "test", "testing", "externals", "_vendor"}
MIN_WORDS = 30
# Labels with fewer documents say little about retrieval; more than that of one label would drown the others.
MIN_DOCUMENTS, MAX_DOCUMENTS = 60, 250


def load(seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Docstrings of functions and classes, and their subpackage such as "scipy.stats"; both in random order."""
    labels_of = {}
    for package in PACKAGES:
        root = Path(importlib.util.find_spec(package).origin).parent
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).parts
            if len(parts) < 2 or parts[0].startswith("_") or not SKIPPED.isdisjoint(parts):
                continue
            for text in docstrings(path):
                labels_of.setdefault(text, f"{package}.{parts[0]}")
    texts, labels = np.array(list(labels_of), dtype=object), np.array(list(labels_of.values()))
    order = np.random.RandomState(seed).permutation(len(texts))
    counts, kept = Counter(labels), []
    taken = Counter()
    for i in order:
        taken[labels[i]] += 1
        if counts[labels[i]] >= MIN_DOCUMENTS and taken[labels[i]] <= MAX_DOCUMENTS:
            kept.append(i)
    return list(texts[kept]), labels[kept]


def docstrings(path: Path) -> list[str]:
    """Docstrings of some length in a source file; examples' code and its results are left in."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return []
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds))
    return [text for text in found if text and len(text.split()) >= MIN_WORDS]
