"""JSON as it is really sent: unquoted names, single quotes, commas too many (crm-api §2 contact).

Strict JSON is read by `json`; this is for the rest, of which only the members of the outermost
object that are text or numbers are wanted. One pass of one expression, linear in the length.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

from vpbx.charsets import known_charset

__all__ = ["read_object"]

_TOKEN = re.compile(
    r"""[\s\ufeff]*(?:
        (?P<mark>[{}\[\],:=;]|\Z)
      | "(?P<double>(?:[^"\\]|\\.)*)"
      | '(?P<single>(?:[^'\\]|\\.)*)'
      | (?P<bare>[^\s{}\[\],:=;"']+)
      | (?P<broken>["'])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "undefined": None}
_NUMBER = re.compile(r"-?\d{1,15}")


def read_object(body: bytes, charset: str = "") -> dict[str, Any] | None:
    """Return the object that an answer holds, or None. `charset`: as its content type says."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return _read(_text(body, charset))
    return found if isinstance(found, dict) else None


def _text(body: bytes, charset: str) -> str:
    for name in (known_charset(charset), "utf-8"):
        with contextlib.suppress(UnicodeError):
            if name is not None:
                return body.decode(name)
    return body.decode("windows-1251", "replace")


def _read(text: str) -> dict[str, Any] | None:
    tokens = _tokens(text)
    if next(tokens, None) != ("{", True):
        return None
    found: dict[str, Any] = {}
    name = ""
    value: list[Any] = []
    depth = 1
    for token, is_mark in tokens:
        if not is_mark:
            if depth == 1:
                value.append(token)
        elif token in ("{", "["):
            depth += 1
        elif token in ("}", "]"):
            depth -= 1
            if not depth:
                _keep(found, name, value)
                return found
        elif depth > 1:
            continue
        elif token in (":", "=") and not name and value:
            name, value = str(_joined(value)), []
        elif token in (",", ";"):
            _keep(found, name, value)
            name, value = "", []
        elif token:
            value.append(token)  # within a value without quotes: a time, an address
    return None


def _keep(found: dict[str, Any], name: str, value: list[Any]) -> None:
    if name and value:
        found[name] = _joined(value)


def _joined(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else " ".join(str(part) for part in parts)


def _tokens(text: str) -> Iterator[tuple[Any, bool]]:
    """Yield what stands in the text, and whether it is a mark; ends at what makes no sense."""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "mark":
            yield match["mark"], True
        elif kind == "bare":
            word = match["bare"]
            number = int(word) if _NUMBER.fullmatch(word) and not word.startswith("0") else word
            yield _WORDS.get(word, number), False
        elif kind == "broken":
            return
        elif kind is not None:
            yield _ESCAPE.sub(_unescaped, match[kind]), False


def _unescaped(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16)).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _SHORT.get(match[2], match[2])
