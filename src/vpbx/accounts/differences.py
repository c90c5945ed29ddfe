"""What a change came to: two snapshots of a company compared, in words, without secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, NamedTuple

from vpbx.directory import DomainConfig, Ha1Pair

__all__ = ["Change", "differences"]

_LONGEST = 500
_SECRET = "•••"  # noqa: S105 - what stands in a secret's place
_NOT_SHOWN = frozenset({"revision", "by_ext", "zone", "row_id", "id", "learned_format"})
_NAMES = ("name", "telnum", "login", "domain")


class Change(NamedTuple):
    """One thing that changed: `employees.ann.mobile`, and its value before and after."""

    what: str
    before: str
    after: str


def differences(before: DomainConfig, after: DomainConfig) -> list[Change]:
    """Return what is different; of secrets only that they are."""
    return list(_compared("", before, after))


def _compared(path: str, before: Any, after: Any) -> Iterator[Change]:
    if before == after and not isinstance(before, Ha1Pair):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _compared(_below(path, str(key)), before.get(key), after.get(key))
    elif is_dataclass(before) and type(before) is type(after) and not isinstance(before, Ha1Pair):
        yield from _fields(path, before, after)
    else:
        yield Change(path, _shown(before), _shown(after))


def _fields(path: str, before: Any, after: Any) -> Iterator[Change]:
    is_whole = isinstance(before, DomainConfig)
    for field in fields(before):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old == new or field.name in _NOT_SHOWN:
            continue
        if isinstance(old, Ha1Pair):
            if field.name == "ha1_login":
                yield Change(_below(path, "password"), _SECRET, _SECRET)
        elif not field.repr and not is_whole:
            yield Change(_below(path, field.name), _SECRET if old else "", _SECRET if new else "")
        else:
            inner = "" if is_whole and field.name == "settings" else _below(path, field.name)
            yield from _compared(inner, old, new)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(value: Any) -> str:
    return _text(value)[:_LONGEST]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, frozenset | set):
        return ", ".join(sorted(_text(each) for each in value))
    if isinstance(value, tuple | list):
        return ", ".join(_text(each) for each in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(each)}" for key, each in value.items())
    if is_dataclass(value):
        return _object(value)
    return str(value)


def _object(value: Any) -> str:
    """Return an object by its name, else by what is set in it."""
    named = [str(getattr(value, name)) for name in _NAMES if getattr(value, name, "")]
    if named and not hasattr(value, "subtype"):
        return " ".join(dict.fromkeys(named))
    told = (
        (field.name, getattr(value, field.name))
        for field in fields(value)
        if field.repr and field.name not in _NOT_SHOWN
    )
    return " ".join(f"{name}={_text(each)}" for name, each in told if each not in (None, "", ()))
