"""Values as clients send them, for request models.

Numbers arrive as numbers or digit strings, booleans also as `true/false/1/0`, texts also as
numbers (an ext or a phone). The JSON schema of each type says so, which keeps the OpenAPI
document honest. `null` counts as "not sent" (C# clients write every unset property).
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError

from vpbx.directory import as_boolean, composed_if_short

__all__ = [
    "Flag",
    "Name",
    "Natural",
    "Number",
    "Positive",
    "Request",
    "Text",
    "Texts",
    "as_list",
    "as_text",
    "is_uid",
    "one_or_more",
]

MAX_TEXT = 4096
LAST = 999_999_999
"""No position, count or time in a request is beyond it."""
_UID_DIGITS = 18
_DIGITS = re.compile(r"-?[0-9]{1,15}\Z")


def is_uid(text: str) -> bool:
    """Say whether a text can be a call's uid: digits, no more than fit."""
    return text.isascii() and text.isdecimal() and len(text) <= _UID_DIGITS


class Request(BaseModel):
    """Base of all request models: unknown parameters are ignored, null is "not sent"."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if value is not None}
        return data

    def sent(self) -> dict[str, Any]:
        """Return only what the client sent, by field name: a partial edit."""
        return self.model_dump(exclude_unset=True)


def _flag(value: Any, info: ValidationInfo) -> bool:
    found = as_boolean(value)
    if found is not None:
        return found
    if isinstance(value, str) and not value.strip() and (info.context or {}).get("form"):
        return False  # PHP writes false as an empty field of a form
    raise PydanticCustomError("flag", "must be true or false")


def _number(value: Any) -> int:
    if isinstance(value, bool):
        pass
    elif isinstance(value, int):
        if abs(value) < 10**15:
            return value
    elif isinstance(value, float):
        if value.is_integer() and abs(value) < 1e15:
            return int(value)
    elif isinstance(value, str) and _DIGITS.match(value.strip()):
        return int(value)
    raise PydanticCustomError("number", "must be a whole number")


def as_text(value: Any) -> str:
    """Take a text, or a whole number as one."""
    if isinstance(value, bool):
        pass
    elif isinstance(value, str):
        if "\x00" in value or not _is_utf8(value):
            raise PydanticCustomError("characters", "has characters that are not text")
        return composed_if_short(value.strip(), MAX_TEXT)
    elif isinstance(value, int):
        return str(value) if abs(value) < 10**30 else as_text(None)
    elif isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    raise PydanticCustomError("text", "must be text")


def _is_utf8(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_list(value: Any) -> Any:
    """Take a single value as a list of one."""
    return value if isinstance(value, list) else [value]


def one_or_more(value: Any) -> Any:
    """Take a single object where a list of objects is meant."""
    return [value] if isinstance(value, dict) else value


Flag = Annotated[
    bool,
    BeforeValidator(_flag),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "boolean"},
                {"type": "string", "enum": ["true", "false", "1", "0"]},
                {"type": "integer", "enum": [0, 1]},
            ]
        }
    ),
]
"""true or false."""


def _whole(minimum: int, pattern: str) -> WithJsonSchema:
    integer = {"type": "integer", "minimum": minimum, "maximum": LAST}
    return WithJsonSchema({"anyOf": [integer, {"type": "string", "pattern": pattern}]})


Number = Annotated[
    int,
    BeforeValidator(_number),
    Field(ge=-LAST, le=LAST),
    _whole(-LAST, "^-?[0-9]{1,9}$"),
]
"""A whole number."""

Natural = Annotated[int, BeforeValidator(_number), Field(ge=0, le=LAST), _whole(0, "^[0-9]{1,9}$")]
"""0 or more."""

Positive = Annotated[
    int, BeforeValidator(_number), Field(ge=1, le=LAST), _whole(1, "^[1-9][0-9]{0,8}$")
]
"""1 or more."""

Text = Annotated[
    str,
    BeforeValidator(as_text),
    Field(max_length=MAX_TEXT),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": MAX_TEXT}, {"type": "integer"}]}),
]
"""Text without NUL and lone surrogates, outer spaces cut off."""

Name = Annotated[
    str,
    BeforeValidator(as_text),
    Field(max_length=MAX_TEXT),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "maxLength": MAX_TEXT, "pattern": r"\S"},
                {"type": "integer"},
            ]
        }
    ),
]
"""Text that is not blank; the directory refuses it, together with whatever else is wrong."""

Texts = Annotated[list[Text], BeforeValidator(as_list)]
"""A list of texts; a single one is a list of one."""
