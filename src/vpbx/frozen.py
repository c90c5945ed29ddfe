"""Dataclasses for values that every call makes many of.

`@dataclass(frozen=True, slots=True)` as in the standard library, but it is the type checker that
forbids to change one. At run time they are plain: the standard library's frozen ones set each
field of each value by a call, which made values two to three times as dear, and a call makes
some eighty.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool = False, eq: bool = True, **how: Any) -> Callable[[type], type]:
        """Return what makes a class a dataclass; equal ones have one hash where `frozen`."""

        def made(cls: type) -> type:
            hashed = frozen and eq and "__hash__" not in vars(cls)
            return dataclasses.dataclass(eq=eq, unsafe_hash=hashed, **how)(cls)

        return made
