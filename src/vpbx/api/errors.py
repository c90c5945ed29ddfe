"""What a refused request is answered with (crm-api §3).

Every refusal is JSON `{"message": ...}`; a 400 adds `errors`, a list of
`{"field", "message"}`, so that a client can show the fault beside its field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.responses import Response

from vpbx.directory import FieldError

__all__ = [
    "FORBIDDEN",
    "VALIDATION_ERROR",
    "ApiError",
    "field_errors",
    "not_found",
    "refuse",
    "refuse_fields",
]

VALIDATION_ERROR = "Validation error"
FORBIDDEN = "Don't have permission to access"
NOT_FOUND = "Not found"
METHOD_NOT_ALLOWED = "Method Not Allowed"

_MESSAGES = {
    "missing": "is required",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} items",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "string_type": "must be text",
    "string_too_long": "must be at most {max_length} characters long",
    "string_too_short": "must be at least {min_length} characters long",
    "literal_error": "must be one of: {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "recursion_loop": "must not contain itself",
}
"""What pydantic finds, in words that name no class; others are words of the models' own."""
_WHOLE = "body"


class ApiError(Exception):
    """A request that is answered with `status` and nothing else done."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.headers = headers


def refuse_fields(*errors: FieldError) -> ApiError:
    """Return the 400 that names these fields."""
    return ApiError(400, VALIDATION_ERROR, errors)


def not_found() -> ApiError:
    """Return the 404 of an unknown object or path."""
    return ApiError(404, NOT_FOUND)


def refuse(error: ApiError) -> Response:
    """Return the answer for `error`."""
    body: dict[str, Any] = {"message": error.message}
    if error.status == 400:
        body["errors"] = [{"field": e.field or _WHOLE, "message": e.message} for e in error.errors]
    return Response(
        json.dumps(body, ensure_ascii=False).encode(),
        status_code=error.status,
        media_type="application/json",
        headers=error.headers,
    )


def field_errors(error: ValidationError) -> list[FieldError]:
    """Return pydantic's findings in the API's words: dotted field, one short sentence."""
    found: dict[str, FieldError] = {}
    for item in error.errors(include_url=False, include_input=False):
        name = _dotted([part for part in item["loc"] if not _is_type_name(part)]) or _WHOLE
        found.setdefault(name, FieldError(name, _words(item)))
    return list(found.values())


def _dotted(path: Sequence[str | int]) -> str:
    """Return `users[0].login` for ("users", 0, "login")."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _is_type_name(part: str | int) -> bool:
    """Tell pydantic's names for the arms of a union from names of fields."""
    return isinstance(part, str) and ("[" in part or part.startswith("function-"))


def _words(item: ErrorDetails) -> str:
    """Return one finding as a short sentence."""
    message = _MESSAGES.get(item["type"])
    if message is None:
        text = item["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        return text[:1].lower() + text[1:]
    context = dict(item.get("ctx", {}))
    if "expected" in context:  # 'a', 'b' or 'c'
        context["expected"] = context["expected"].replace("' or '", "', '").replace("'", "")
    return message.format(**context)
