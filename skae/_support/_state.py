"""The contents of containers, for files."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


def fields_of(container: Any) -> dict[str, Any]:
    """The fields of a dataclass by their names, without what it has cached."""
    return {field.name: getattr(container, field.name) for field in fields(container)}
