"""What the directory's operations raise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field; the message names the field's allowed values."""

    field: str
    message: str


class DirectoryError(Exception):
    """Base of what the directory's operations raise on purpose."""


class Invalid(DirectoryError):
    """Wrong values (400). Nothing was changed."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = tuple(errors)

    @classmethod
    def one(cls, field: str, message: str) -> Invalid:
        """Return the error of a single field."""
        return cls([FieldError(field, message)])


class NotFound(DirectoryError):
    """No such object in this domain (404)."""


class AuthFailure(DirectoryError):
    """The API key does not open the door (401); the message is one of crm-api §3's table."""


INVALID_TOKEN = "Invalid token"  # noqa: S105 - the message of crm-api §3
CRM_DISABLED = "CRM disabled"
CRM_SWITCHED_OFF = "CRM switched off"
