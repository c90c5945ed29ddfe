"""Calls: those that go on, those that are over, what is told of them."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from vpbx_sdk import models as m
from vpbx_sdk.api.values import list_of, sent
from vpbx_sdk.operation import Listing, Operation, operation

__all__ = ["calls", "events", "history", "make_call", "notes"]


_MAKECALL = operation[m.MadeCall]("POST", "/makecall", m.MadeCall)


def make_call(
    *,
    phone: str,
    user: str | None = None,
    group: str | None = None,
    clid: str | None = None,
    show_phone: bool | None = None,
) -> Operation[m.MadeCall]:
    """Ring an employee's phones (or the first free of a department) and then call `phone`."""
    body = sent(phone=phone, user=user, group=group, clid=clid, show_phone=show_phone)
    return _MAKECALL(body=body)


class calls:
    """Calls in progress (beyond the original interface)."""

    _list = operation[Any]("GET", "/calls", list[m.LiveCall])
    _hangup = operation[None]("POST", "/calls/{callid}/hangup")
    _transfer = operation[None]("POST", "/calls/{callid}/transfer")
    _supervise = operation[m.Supervision]("POST", "/calls/{callid}/supervise", m.Supervision)
    _pickup = operation[None]("POST", "/calls/{callid}/pickup")

    @classmethod
    def list(cls) -> Listing[m.LiveCall]:
        """All calls of the company that are going on."""
        return cls._list.listing(m.LiveCall)

    @classmethod
    def hangup(cls, callid: str) -> Operation[None]:
        """End a call."""
        return cls._hangup(callid=callid)

    @classmethod
    def transfer(cls, callid: str, to: str, mode: str | None = None) -> Operation[None]:
        """Pass a call on: to a login, ext, department or outside number; `mode` `blind` (as
        without it) or `attended`."""
        return cls._transfer(callid=callid, body=sent(to=to, mode=mode))

    @classmethod
    def supervise(cls, callid: str, user: str, mode: str | None = None) -> Operation[m.Supervision]:
        """Let a supervisor hear a call; `mode` `listen` (as without it), `whisper` or `barge`.
        Again while they are at it: change the mode."""
        return cls._supervise(callid=callid, body=sent(user=user, mode=mode))

    @classmethod
    def pickup(cls, callid: str, user: str) -> Operation[None]:
        """Ring a supervisor's phones too for a call that rings elsewhere."""
        return cls._pickup(callid=callid, body=sent(user=user))


class history:
    """Calls that are over, newest first."""

    _external = operation[Any]("GET", "/history/json", list[m.ExternalCall])
    _inner = operation[Any]("GET", "/history/inner/json", list[m.InnerCall])

    @classmethod
    def external(
        cls,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        period: str | None = None,
        type: str | None = None,
        user: str | None = None,
        diversion: str | None = None,
        client: str | None = None,
        uid: str | Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        missed_status: int | Sequence[int] | None = None,
        limit: int | None = None,
    ) -> Listing[m.ExternalCall]:
        """Calls with the outside; by default today's."""
        params = sent(
            start=start,
            end=end,
            period=period,
            type=type,
            user=user,
            diversion=diversion,
            client=client,
            uid=uid,
            groups=groups,
            missedStatus=missed_status,
            limit=limit,
        )
        return cls._external.listing(m.ExternalCall, params=params)

    @classmethod
    def inner(
        cls,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        period: str | None = None,
        type: str | None = None,
        user: str | None = None,
        limit: int | None = None,
    ) -> Listing[m.InnerCall]:
        """Calls between employees; by default today's."""
        params = sent(start=start, end=end, period=period, type=type, user=user, limit=limit)
        return cls._inner.listing(m.InnerCall, params=params)


class notes:
    """Notes and tags on calls that are over."""

    _list = operation[Any]("GET", "/history/notes", list[m.CallNote])
    _write = operation[m.CallNote]("PUT", "/history/notes/{uid}", m.CallNote)
    _delete = operation[None]("DELETE", "/history/notes/{uid}")
    _tags = operation[Any]("GET", "/history/tags", list[str])

    @classmethod
    def list(cls, *uids: str) -> Operation[Any]:
        """Of these calls, those that have one."""
        return cls._list(params={"uid": list_of(uids)})

    @classmethod
    def write(
        cls, uid: str, *, note: str | None = None, tags: Sequence[str] | None = None
    ) -> Operation[m.CallNote]:
        """Write to a call; what is None stays as it is."""
        body = sent(note=note, tags=None if tags is None else list_of(tags))
        return cls._write(uid=uid, body=body)

    @classmethod
    def delete(cls, uid: str) -> Operation[None]:
        """Take note and tags off a call."""
        return cls._delete(uid=uid)

    @classmethod
    def tags(cls) -> Operation[Any]:
        """The tags in use, those of most calls first."""
        return cls._tags()


class events:
    """What was told to the CRM, to be fetched or sent again (beyond the original interface)."""

    _list = operation[Any]("GET", "/events", list[m.SentCommand])
    _replay = operation[None]("POST", "/events/{id}/replay")

    @classmethod
    def list(
        cls,
        *,
        after: str | None = None,
        limit: int | None = None,
        callid: str | None = None,
        cmd: str | None = None,
        state: str | None = None,
        address: str | None = None,
    ) -> Listing[m.SentCommand]:
        """Commands after the one with this id, in the order they came; without it the newest.

        address: of another than the main one; `all`: of every one.
        """
        params = sent(
            after=after, limit=limit, callid=callid, cmd=cmd, state=state, address=address
        )
        return cls._list.listing(m.SentCommand, params=params)

    @classmethod
    def page(
        cls, *, after: str | None = None, limit: int | None = None, address: str | None = None
    ) -> Operation[builtins.list[m.SentCommand]]:
        """The same at once, as `vpbx_sdk.Poller` fetches them."""
        made: Operation[builtins.list[m.SentCommand]]
        made = cls._list(params=sent(after=after, limit=limit, address=address))
        return made

    @classmethod
    def replay(cls, event_id: str) -> Operation[None]:
        """Send one to the CRM once more."""
        return cls._replay(id=event_id)
