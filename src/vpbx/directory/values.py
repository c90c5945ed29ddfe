"""Reading what a client sent: one small reader for all operations.

    values = Values({"name": "Ann", "delay": "5"})
    name = values.text("name", required=True)
    delay = values.choice("delay", (0, 5, 10, 15), default=0)
    values.done()            # raises Invalid with everything that was wrong

A reader returns its default and notes an error when a value is wrong. `has` tells whether the
field was sent at all, for edits that change only what is there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from vpbx.directory.errors import FieldError, Invalid
from vpbx.directory.numbering import normalize
from vpbx.directory.text import composed_if_short

T = TypeVar("T")

MAX_TEXT = 255
_MAX_INT = 2**31 - 1
_EMAIL = re.compile(r"[^@\s<>\",;:]+@[^@\s<>\",;:]+\.[^@\s<>\",;:]+")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\ud800-\udfff]")
_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


def as_boolean(value: Any) -> bool | None:
    """Read a boolean as people and clients write it: JSON's own, 1 and 0, true and false, yes and
    no, on and off in any case; None for anything else."""
    if isinstance(value, bool | int):
        return bool(value) if value in (0, 1) else None
    return _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else None


class Values:
    """The fields of one object, read one by one; errors are gathered until `done`.

    `path` stands before field names in messages (`timeout.` or `users[0].`).
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        path: str = "",
        errors: list[FieldError] | None = None,
        country: str = "RU",
    ) -> None:
        self._values = values
        self._path = path
        self.errors: list[FieldError] = [] if errors is None else errors
        self.country = country

    def has(self, field: str) -> bool:
        """Say whether the field was sent (null counts as not sent)."""
        return self._values.get(field) is not None

    def raw(self, field: str) -> Any:
        """Return the value as it was sent, None when it was not."""
        return self._values.get(field)

    def wrong(self, field: str, message: str) -> None:
        """Note that `field` is wrong."""
        self.errors.append(FieldError(self._path + field, message))

    def done(self) -> None:
        """Raise Invalid when anything was wrong."""
        if self.errors:
            raise Invalid(self.errors)

    def text(
        self, field: str, default: str = "", *, required: bool = False, max_length: int = MAX_TEXT
    ) -> str:
        """Read a line of text, trimmed; numbers are taken as their digits."""
        value = self.raw(field)
        if value is None:
            if required:
                self.wrong(field, "is required")
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.wrong(field, "must be text")
            return default
        result = composed_if_short(str(value).strip(), max_length).strip()
        if required and not result:
            self.wrong(field, "must not be empty")
        elif len(result) > max_length:
            self.wrong(field, f"must be at most {max_length} characters long")
        elif not result.isprintable() and CONTROL.search(result):
            self.wrong(field, "must not contain control characters")
        else:
            return result
        return default

    def matching(
        self, field: str, check: Callable[[str], str], default: str = "", *, required: bool = False
    ) -> str:
        """Read text through `check`, which returns it or raises ValueError with the message."""
        value = self.text(field, default, required=required)
        if not value or not self.has(field):
            return value
        try:
            return check(value)
        except ValueError as error:
            self.wrong(field, str(error))
            return default

    def boolean(self, field: str, default: bool = False, *, required: bool = False) -> bool:
        """Read true or false (`as_boolean`)."""
        value = self.raw(field)
        if value is None:
            if required:
                self.wrong(field, "is required")
            return default
        found = as_boolean(value)
        if found is None:
            self.wrong(field, "must be true or false")
            return default
        return found

    def integer(
        self,
        field: str,
        default: int = 0,
        *,
        required: bool = False,
        low: int | None = None,
        high: int | None = None,
    ) -> int:
        """Read a whole number, also from digits; low and high are allowed.

        Without them it is what every database keeps as an INTEGER.
        """
        low, high = -_MAX_INT if low is None else low, _MAX_INT if high is None else high
        value = self.raw(field)
        if value is None:
            if required:
                self.wrong(field, "is required")
            return default
        try:
            if isinstance(value, bool) or (isinstance(value, float) and value != int(value)):
                raise ValueError
            result = int(value)
        except (TypeError, ValueError, OverflowError):
            self.wrong(field, "must be a whole number")
            return default
        if not low <= result <= high:
            self.wrong(field, f"must be from {low} to {high}")
            return default
        return result

    def choice(self, field: str, allowed: Iterable[T], default: T, *, required: bool = False) -> T:
        """Read one of `allowed` (texts, numbers or a StrEnum's members)."""
        choices = tuple(allowed)
        value = self.raw(field)
        if value is None:
            if required:
                self.wrong(field, f"is required; one of: {_words(choices)}")
            return default
        for choice in choices:
            if not isinstance(value, bool) and str(value).strip() == str(choice):
                return choice
        self.wrong(field, f"must be one of: {_words(choices)}")
        return default

    def phone(self, field: str, default: str = "", *, required: bool = False) -> str:
        """Read a phone number as normalised digits."""
        value = self.text(field, default, required=required)
        if not value or not self.has(field):
            return value
        try:
            return normalize(value, self.country, self._path + field)
        except Invalid as error:
            self.errors.extend(error.errors)
            return default

    def email(self, field: str, default: str = "") -> str:
        """Read an e-mail address or nothing."""
        value = self.text(field, default)
        if value and self.has(field) and not _EMAIL.fullmatch(value):
            self.wrong(field, "must be an e-mail address")
            return default
        return value

    def object(self, field: str, *, required: bool = False) -> Values | None:
        """Read a nested object; None when it was not sent or is none."""
        value = self.raw(field)
        if value is None:
            if required:
                self.wrong(field, "is required")
            return None
        if not isinstance(value, Mapping):
            self.wrong(field, "must be an object")
            return None
        return self.below(value, field)

    def objects(self, field: str, *, max_items: int = 1000) -> list[Values]:
        """Read a list of objects; [] when it was not sent or is none."""
        return [
            self.below(item, f"{field}[{index}]")
            for index, item in enumerate(self._list(field, max_items))
            if self._is_object(field, index, item)
        ]

    def texts(self, field: str, *, required: bool = False, max_items: int = 10_000) -> list[str]:
        """Read a list of texts (a single one counts as a list); [] when it was not sent."""
        if required and not self.has(field):
            self.wrong(field, "is required")
        value = self.raw(field)
        items = [value] if isinstance(value, str | int) else self._list(field, max_items)
        result = []
        for index, item in enumerate(items):
            if isinstance(item, bool) or not isinstance(item, str | int):
                self.wrong(f"{field}[{index}]", "must be text")
            else:
                result.append(composed_if_short(str(item).strip(), MAX_TEXT))
        return result

    def below(self, values: Mapping[str, Any], field: str) -> Values:
        """Return a reader of an object inside this one; its errors are ours."""
        return Values(values, f"{self._path}{field}.", self.errors, self.country)

    def _list(self, field: str, max_items: int) -> list[Any]:
        value = self.raw(field)
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            self.wrong(field, "must be a list")
            return []
        if len(value) > max_items:
            self.wrong(field, f"must have at most {max_items} items")
            return []
        return list(value)

    def _is_object(self, field: str, index: int, item: Any) -> bool:
        if isinstance(item, Mapping):
            return True
        self.wrong(f"{field}[{index}]", "must be an object")
        return False


def _words(choices: Iterable[object]) -> str:
    return ", ".join(str(choice) for choice in choices)
