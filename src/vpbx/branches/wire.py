"""What two PBXs tell each other: the people of a company, and where it takes calls. Pure.

    POST {url}/branch/v1/challenge  {"from": A, "to": B}
        200 {"challenge": c}
    POST {url}/branch/v1/exchange   {"from": A, "to": B, "challenge": c, "counter": n,
                                     "proof": p, "content": text}
        200 {"proof": q, "content": text}
    or  {"reason": text}: 404 the other side has not added us, 403 its key is another one

What is asked is an object of texts, and nothing else is read.

`content` is a JSON object as text, the very bytes that the proof is made over; "" only proves.
`counter` ends in what was seen of the certificate: ".ca", ".plain", or its SHA-256 in hex.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from vpbx.directory import BranchUser, DomainConfig

__all__ = ["Malformed", "digest", "read_content", "write_content"]

MAX_PEOPLE = 20_000
_MAX_TEXT = 255
_KINDS = ("user", "group")


class Malformed(ValueError):
    """What came is not what was agreed."""


def write_content(domain: DomainConfig, sip: str) -> str:
    """Return what a company tells; `sip` says where it takes calls, "" leaves that to DNS."""
    people = [_row("user", e.login, e.name, e.ext) for e in domain.employees.values()]
    people += [_row("group", d.id, d.name, d.ext) for d in domain.departments.values()]
    return json.dumps({"people": people, "sip": sip}, ensure_ascii=False, separators=(",", ":"))


def digest(content: str) -> str:
    """Return what tells one content from another."""
    return hashlib.sha256(content.encode()).hexdigest()


def read_content(text: str) -> tuple[list[BranchUser], str]:
    """Return who is there and where they take calls; raises Malformed."""
    if text.count("{") + text.count("[") > 2 * MAX_PEOPLE:  # reading it would take a while
        raise Malformed("too long a list of people")
    try:
        content = json.loads(text)
        people, sip = content["people"], content.get("sip", "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Malformed("no directory in it") from error
    if not isinstance(people, list) or len(people) > MAX_PEOPLE:
        raise Malformed("no list of people in it, or too long a one")
    return list(_unique(_person(row) for row in people)), _text(sip)


def _row(kind: str, login: str, name: str, ext: str) -> dict[str, str]:
    return {"kind": kind, "login": login, "name": name, "ext": ext}


def _person(row: Any) -> BranchUser:
    if not isinstance(row, dict):
        raise Malformed("a person is no object")
    kind = row.get("kind", "user")
    login, ext = _text(row.get("login")), _text(row.get("ext"))
    if kind not in _KINDS or not login or (ext and not (ext.isascii() and ext.isdigit())):
        raise Malformed("a person has no login, or no ext of digits")
    return BranchUser(login, _text(row.get("name")), ext, kind)


def _unique(people: Iterable[BranchUser]) -> Iterable[BranchUser]:
    return {(each.kind, each.login): each for each in people}.values()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _MAX_TEXT or not value.isprintable():
        raise Malformed("a text is none, or too long")
    return value
