"""Between forms and operations: what is wrong, by field, in the reader's language."""

from __future__ import annotations

from vpbx.accounts import Refused
from vpbx.console.texts import Texts
from vpbx.directory import Invalid
from vpbx.history import InvalidNote

__all__ = ["Wrong", "errors_of"]

Wrong = (Invalid, InvalidNote, Refused)
"""What operations raise for values that somebody can mend."""


def errors_of(error: Exception, texts: Texts) -> dict[str, str]:
    """Return what such an error says, by field."""
    if isinstance(error, Refused | InvalidNote):
        return {error.field: texts.error(error.message)}
    assert isinstance(error, Invalid)
    return {each.field: texts.error(each.message) for each in reversed(error.errors)}
