"""Parameters of header values and URIs, and the quoted strings and lists they stand in.

All walk each text once, and raise `ValueError`, and nothing else, for what breaks RFC 3261 §25
in a way that matters (see `grammar`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import sipmessage
from sipmessage import grammar as rfc3261

MAX_PARAMETERS = 100
"""More in one URI or header value help nobody: RFC 8599's push contacts have five."""
TOKEN = re.compile(f"[{re.escape(rfc3261.C_TOKEN)}]+").fullmatch
"""Matches what is a token of RFC 3261 §25.1."""


def is_token(text: str) -> bool:
    """Say whether `text` is a token of RFC 3261 §25.1."""
    return TOKEN(text) is not None


class Parameters(sipmessage.Parameters):
    """Parameters of a header value or a URI, kept as written.

    Names compare without regard to case (RFC 3261 §7.3.1) and are kept in lower case. Values
    are as they stood, quotes included; `text` gives one without its quotes.
    """

    def __init__(self, items: Iterable[tuple[str, str | None]] = (), /, **more: str | None) -> None:
        self._items: dict[str, str | None] = dict(items)
        self._items.update(more)

    @classmethod
    def of(cls, items: dict[str, str | None]) -> Parameters:
        """Wrap a dictionary whose keys are in lower case; it must not change afterwards."""
        made = cls.__new__(cls)
        made._items = items
        return made

    def __getitem__(self, key: str) -> str | None:
        return self._items[key.lower()]

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """Return a parameter's value, None where it has none, `default` when it is absent."""
        return self._items.get(key.lower(), default)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Parameters({self._items!r})"

    def __str__(self) -> str:
        if not self._items:
            return ""
        return "".join(f";{k}" if v is None else f";{k}={v}" for k, v in self._items.items())

    def text(self, key: str) -> str:
        """Return a parameter's value without quotes; empty when it has none or is absent."""
        return unquote(self._items.get(key.lower()) or "")

    def replace(self, **changes: str | None) -> Parameters:
        """Return a copy updated with `changes`."""
        return Parameters({**self._items, **changes}.items())


def proper(parts: list[str]) -> list[str]:
    """Drop what a semicolon at the end leaves; `ValueError` for more than anybody needs."""
    if len(parts) > MAX_PARAMETERS:
        raise ValueError(f"more than {MAX_PARAMETERS} parameters")
    if not parts[-1]:
        parts.pop()
    return parts


def unquote(text: str) -> str:
    """Take the quotes off a quoted string and resolve its backslashes; else return `text`."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    return _ESCAPED_CHAR(r"\1", inner) if "\\" in inner else inner


_ESCAPED_CHAR = re.compile(r"\\(.)", re.DOTALL).sub


_QUOTED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL).match


def end_of_quotes(text: str, start: int) -> int:
    """Return the index after the quoted string that opens at `start`."""
    found = _QUOTED(text, start)
    if found is None:
        raise ValueError("unterminated quoted string")
    return found.end()


def split_quoted(text: str, separator: str, *, brackets: bool = False) -> list[str]:
    """Split at `separator` outside of quotes (and of ``<>``), stripping each part."""
    if '"' not in text and not (brackets and "<" in text):
        return [part.strip() for part in text.split(separator)]
    parts: list[str] = []
    start = at = 0
    length = len(text)
    while at < length:
        char = text[at]
        if char == '"':
            at = end_of_quotes(text, at)
            continue
        if char == "<" and brackets:
            close = text.find(">", at)
            at = length if close < 0 else close
        elif char == separator:
            parts.append(text[start:at].strip())
            start = at + 1
        at += 1
    parts.append(text[start:].strip())
    return parts


def split_list(text: str) -> list[str]:
    """Split a comma-joined list (RFC 3261 §7.3.1) outside of quotes and angle brackets."""
    return split_quoted(text, ",", brackets=True) if "," in text else [text]


def parse_parameters(text: str) -> Parameters:
    """Parse ``;name[=value]…`` as after an address or a Via; names must be tokens."""
    if not text:
        return _NO_PARAMETERS
    if '"' in text or " " in text or "\t" in text:
        text = text.strip()
        if not text:
            return _NO_PARAMETERS
        parts = split_quoted(text[1:], ";")
    else:
        parts = text[1:].split(";")
    if text[0] != ";":
        raise ValueError("parameters must begin with a semicolon")
    items: dict[str, str | None] = {}
    if len(parts) > MAX_PARAMETERS or not parts[-1]:
        parts = proper(parts)
    for part in parts:
        name, equal, value = part.partition("=")
        if equal:
            name, value = name.rstrip(), value.lstrip()
            if not value or (value[0] != '"' and (" " in value or "," in value)):
                raise ValueError("parameter without a proper value")
        if name not in _COMMON_PARAMETERS:
            if not TOKEN(name):
                raise ValueError("parameter name is not a token")
            name = name.lower()
        items[name] = value if equal else None
    return Parameters.of(items)


_NO_PARAMETERS = Parameters()
_COMMON_PARAMETERS = frozenset(("tag", "branch", "rport", "received", "alias", "expires", "q"))
