"""What operations of all sections make of their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Json", "list_of", "sent"]

Json = Mapping[str, Any]


def sent(**values: Any) -> dict[str, Any]:
    """Return the parameters that were given."""
    return {name: value for name, value in values.items() if value is not None}


def list_of(values: Sequence[str]) -> list[str]:
    """Return a list of them, where the name `list` means another thing."""
    return [*values]
