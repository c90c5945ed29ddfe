"""What can go wrong: a small family, `VpbxError` above all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = [
    "ApiError",
    "FieldFault",
    "Forbidden",
    "NotFound",
    "RateLimited",
    "ServerFault",
    "Unauthorized",
    "Unreachable",
    "ValidationFault",
    "VpbxError",
    "error_of",
]


class VpbxError(Exception):
    """Base of all errors of this package."""


class Unreachable(VpbxError):
    """The PBX did not answer: no connection, or not in time. Whether it acted is not known."""


@dataclass(frozen=True)
class FieldFault:
    """What is wrong with one field."""

    field: str
    message: str


class ApiError(VpbxError):
    """The PBX refused. `status` is that of HTTP, `message` what it says."""

    def __init__(self, status: int, message: str, fields: tuple[FieldFault, ...] = ()) -> None:
        told = "; ".join(f"{fault.field}: {fault.message}" for fault in fields)
        super().__init__(f"{status} {message}" + (f" ({told})" if told else ""))
        self.status = status
        self.message = message
        self.fields = fields


class ValidationFault(ApiError):
    """400: `fields` says what is wrong with which."""


class Unauthorized(ApiError):
    """401: the key is wrong, or the service or API access is off."""


class Forbidden(ApiError):
    """403: the key lacks the right."""


class NotFound(ApiError):
    """404: there is no such object."""


class RateLimited(ApiError):
    """429: too many requests; `retry_after_s` says when to try again."""

    retry_after_s: float = 1.0


class ServerFault(ApiError):
    """5xx: the PBX cannot do it now."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: ValidationFault,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    429: RateLimited,
}


def error_of(status: int, body: Any, retry_after: str = "") -> ApiError:
    """Return the error that an answer means."""
    body = body if isinstance(body, dict) else {}
    fields = tuple(
        FieldFault(str(fault.get("field", "")), str(fault.get("message", "")))
        for fault in body.get("errors") or ()
        if isinstance(fault, dict)
    )
    kind = _BY_STATUS.get(status, ServerFault if status >= 500 else ApiError)
    error = kind(status, str(body.get("message") or body.get("error") or ""), fields)
    if isinstance(error, RateLimited) and retry_after.isdigit():
        error.retry_after_s = float(retry_after)
    return error
