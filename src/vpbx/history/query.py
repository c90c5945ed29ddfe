"""What a history request asks for, as the one SQL statement that answers it page by page.

Pages are found by key (the last row's start and callid), newest first: each page is a short
read of its own, so a slow client holds neither a connection nor a snapshot, and page 4,000
costs what page 1 does. Every statement is scoped by domain here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Select,
    and_,
    bindparam,
    literal_column,
    or_,
    select,
    tuple_,
)

from vpbx.events import Direction, Status
from vpbx.frozen import dataclass
from vpbx.history.period import InvalidQuery, Period
from vpbx.history.tables import call_history

EXTERNAL_TYPES = ("all", "in", "out", "missed")
INNER_TYPES = ("all", "success", "noanswer", "missed")


@dataclass(frozen=True, slots=True)
class Query:
    """One request for history (crm-api §4); empty text, no items: not asked for.

    `user` is a login, `diversion` and `client` are digits, E.164 without `+`; `limit` None: all
    rows.
    """

    domain_id: int
    domain: str
    period: Period
    type: str = "all"
    limit: int | None = None
    user: str = ""
    diversion: str = ""
    client: str = ""
    uids: tuple[int, ...] = ()
    groups: tuple[str, ...] = ()
    """Ids of departments that the call went through; any of them."""
    missed: tuple[int, ...] = ()
    """Values of `missed_status`; any of them."""
    has_ratings: bool = False
    """Whether CSV has the column for them."""
    link_base: str = ""
    """What links of recordings begin with: where the request came to; "" for the usual."""


_C = call_history.c

EXTERNAL_COLUMNS = (
    _C.started_ms,
    _C.callid,
    _C.direction,
    _C.status,
    _C.client,
    _C.account,
    _C.diversion,
    _C.destination,
    _C.user_login,
    _C.user_name,
    _C.group_name,
    _C.answered_ms,
    _C.ended_ms,
    _C.record,
    _C.rating,
    _C.telnum_name,
    _C.missed_status,
)
INNER_COLUMNS = (
    _C.started_ms,
    _C.callid,
    _C.status,
    _C.caller_login,
    _C.caller_name,
    _C.account,
    _C.user_login,
    _C.user_name,
    _C.group_name,
    _C.answered_ms,
    _C.ended_ms,
    _C.record,
)


class Kind(NamedTuple):
    """What of a query decides the statement; everything else is a value bound to it."""

    is_inner: bool
    type: str
    by_user: bool = False
    by_diversion: bool = False
    by_client: bool = False
    missed: tuple[int, ...] = ()
    uids: int = 0
    """How many ids there may be; more than are asked for, so that few kinds do for all."""
    groups: int = 0


def external(query: Query) -> Kind:
    """Return the kind of query for external calls. Raises InvalidQuery for an unknown type."""
    if query.type not in EXTERNAL_TYPES:
        raise InvalidQuery("type", "must be one of " + ", ".join(EXTERNAL_TYPES))
    return Kind(
        False,
        query.type,
        bool(query.user),
        bool(query.diversion),
        bool(query.client),
        tuple(sorted(set(query.missed))),
        _places(query.uids),
        _places(query.groups),
    )


def inner(query: Query) -> Kind:
    """Return the kind of query for inner calls. Raises InvalidQuery for an unknown type."""
    if query.type not in INNER_TYPES:
        raise InvalidQuery("type", "must be one of " + ", ".join(INNER_TYPES))
    return Kind(
        True,
        query.type,
        bool(query.user),
        uids=_places(query.uids),
        groups=_places(query.groups),
    )


def _places(asked: Sequence[object]) -> int:
    """Return how many places a list of `asked` takes: the next power of two."""
    return 1 << (len(asked) - 1).bit_length() if asked else 0


def values(query: Query) -> dict[str, Any]:
    """Return what is bound to the statement of a query, for its first page.

    Of the next page, `last_ms` and `last_callid` are those of the row it comes after; `page`,
    how many rows it has at most, belongs to every page.
    """
    lists = {
        **_bound("uid", query.uids),
        **_bound("group", query.groups),
    }
    return {
        **lists,
        "domain": query.domain_id,
        "since_ms": query.period.since_ms,
        "last_ms": query.period.until_ms,
        "last_callid": 0,
        "user": query.user,
        "diversion": query.diversion,
        "client": query.client,
    }


def _bound(name: str, asked: Sequence[object]) -> dict[str, Any]:
    """Return the values of a list; places that are left have the last one again."""
    return {f"{name}_{at}": asked[min(at, len(asked) - 1)] for at in range(_places(asked))}


def statement(kind: Kind) -> Select[Any]:
    """Return the statement that selects one page, newest first."""
    columns = INNER_COLUMNS if kind.is_inner else EXTERNAL_COLUMNS
    wanted = _inner_wanted(kind) if kind.is_inner else _external_wanted(kind)
    last = tuple_(
        bindparam("last_ms", type_=BigInteger), bindparam("last_callid", type_=BigInteger)
    )
    return (
        select(*columns)
        .where(
            _C.domain_id == bindparam("domain"),
            _C.is_inner == literal_column(str(int(kind.is_inner))),
            _C.started_ms >= bindparam("since_ms"),
            *wanted,
            *_listed(kind),
            tuple_(_C.started_ms, _C.callid) < last,
        )
        .order_by(_C.started_ms.desc(), _C.callid.desc())
        .limit(bindparam("page", type_=BigInteger))
    )


def _listed(kind: Kind) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if kind.uids:
        numbers = (bindparam(f"uid_{at}", type_=BigInteger) for at in range(kind.uids))
        wanted.append(_C.callid.in_(list(numbers)))
    if kind.groups:
        wanted.append(_C.group_id.in_([bindparam(f"group_{at}") for at in range(kind.groups)]))
    return wanted


def _external_wanted(kind: Kind) -> list[ColumnElement[bool]]:
    wanted = []
    if kind.type in ("in", "missed"):
        wanted.append(_is(_C.direction, Direction.IN.value))
    if kind.type == "out":
        wanted.append(_is(_C.direction, Direction.OUT.value))
    if kind.type == "missed":
        wanted.append(~_is(_C.status, Status.SUCCESS.value))
    if kind.missed:
        statuses: list[ColumnElement[Any]] = [literal_column(str(number)) for number in kind.missed]
        wanted.append(_C.missed_status.in_(statuses))
    if kind.by_user:
        wanted.append(_to_user())
    if kind.by_diversion:
        wanted.append(_C.diversion == bindparam("diversion"))
    if kind.by_client:
        wanted.append(_C.client == bindparam("client"))
    return wanted


def _inner_wanted(kind: Kind) -> list[ColumnElement[bool]]:
    wanted = []
    is_success = _is(_C.status, Status.SUCCESS.value)
    if kind.type == "success":
        wanted.append(is_success)
    elif kind.type != "all":
        wanted.append(~is_success)
    if kind.by_user:
        wanted.append(or_(_C.caller_login == bindparam("user"), _to_user()))
    return wanted


def _to_user() -> ColumnElement[bool]:
    return and_(_C.account == bindparam("user"), _C.user_login == bindparam("user"))


def _is(column: Column[Any], word: str) -> ColumnElement[bool]:
    """Compare with a word of our own, written into the statement so that plans know it."""
    return column == literal_column(f"'{word}'")
