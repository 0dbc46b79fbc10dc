"""The link from an estimator's display in a notebook to its page of the documentation."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, metadata


def documentation_address() -> str:
    """Where `pyproject.toml` says the documentation is ("Documentation" under `project.urls`), "" where it does not."""
    try:
        entries = metadata("skae").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    named = dict(entry.split(", ", 1) for entry in entries)
    return named.get("Documentation", "").rstrip("/")


class DocumentationLinkMixin:
    """Sets what scikit-learn's displays of estimators link by; see its developers' guide."""

    _doc_link_module = "skae"

    @property
    def _doc_link_template(self) -> str:
        address = documentation_address()
        return f"{address}/generated/{{estimator_module}}.{{estimator_name}}.html" if address else ""
