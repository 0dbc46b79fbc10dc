"""The fields of dataclasses, for saved files."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


def fields_of(container: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, without its cached properties."""
    return {field.name: getattr(container, field.name) for field in fields(container)}
