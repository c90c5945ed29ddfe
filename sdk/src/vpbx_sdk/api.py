"""What can be asked of the API, section by section; a client carries it out.

    pbx(api.users.add(name="Olga", mobile="79101234567"))
    pbx.each(api.telnums.list(search="495"))

Names of parameters are the API's own. A parameter that is None is not sent.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from vpbx_sdk import models as m
from vpbx_sdk.operation import Listing, Operation, operation

__all__ = [
    "am",
    "blacklist",
    "blf",
    "branches",
    "caller_ids",
    "calls",
    "domain",
    "events",
    "groups",
    "history",
    "make_call",
    "media_catalog",
    "music",
    "notes",
    "record",
    "restrictions",
    "sip_registrations",
    "sipuri_transfers",
    "telnums",
    "users",
    "webhooks",
]

Json = Mapping[str, Any]


def _sent(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


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
    body = _sent(phone=phone, user=user, group=group, clid=clid, show_phone=show_phone)
    return _MAKECALL(body=body)


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
        params = _sent(
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
        params = _sent(start=start, end=end, period=period, type=type, user=user, limit=limit)
        return cls._inner.listing(m.InnerCall, params=params)


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
        return cls._transfer(callid=callid, body=_sent(to=to, mode=mode))

    @classmethod
    def supervise(cls, callid: str, user: str, mode: str | None = None) -> Operation[m.Supervision]:
        """Let a supervisor hear a call; `mode` `listen` (as without it), `whisper` or `barge`.
        Again while they are at it: change the mode."""
        return cls._supervise(callid=callid, body=_sent(user=user, mode=mode))

    @classmethod
    def pickup(cls, callid: str, user: str) -> Operation[None]:
        """Ring a supervisor's phones too for a call that rings elsewhere."""
        return cls._pickup(callid=callid, body=_sent(user=user))


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
        params = _sent(
            after=after, limit=limit, callid=callid, cmd=cmd, state=state, address=address
        )
        return cls._list.listing(m.SentCommand, params=params)

    @classmethod
    def page(
        cls, *, after: str | None = None, limit: int | None = None, address: str | None = None
    ) -> Operation[builtins.list[m.SentCommand]]:
        """The same at once, as `vpbx_sdk.Poller` fetches them."""
        made: Operation[builtins.list[m.SentCommand]]
        made = cls._list(params=_sent(after=after, limit=limit, address=address))
        return made

    @classmethod
    def replay(cls, event_id: str) -> Operation[None]:
        """Send one to the CRM once more."""
        return cls._replay(id=event_id)


class users:
    """Employees; a login may also be an internal number."""

    _list = operation[Any]("GET", "/users", m.Page[m.User])
    _get = operation[m.User]("GET", "/users/{login}", m.User)
    _add = operation[m.NewUser]("POST", "/users", m.NewUser)
    _edit = operation[m.User]("PUT", "/users/{login}", m.User)
    _delete = operation[None]("DELETE", "/users/{login}")
    _groups = operation[Any]("GET", "/users/{login}/groups", list[m.GroupRef])
    _subscription = operation[m.State]("GET", "/users/{login}/subscription", m.State)
    _subscribe = operation[None]("POST", "/users/{login}/subscription")
    _unsubscribe = operation[None]("DELETE", "/users/{login}/subscription")
    _receives = operation[m.State]("GET", "/users/{login}/dnd", m.State)
    _receive = operation[None]("POST", "/users/{login}/dnd")
    _disturb_not = operation[None]("DELETE", "/users/{login}/dnd")

    @classmethod
    def list(cls, *, search: str | None = None, status: bool = False) -> Listing[m.User]:
        """Employees whose login, name, position, email, ext or number has `search` in it."""
        params = {"search": search, "with": "status" if status else None}
        return cls._list.listing(m.User, params=params, paged=True)

    @classmethod
    def get(cls, login: str, *, status: bool = False) -> Operation[m.User]:
        """One employee; `status`: whether a phone of theirs is registered."""
        return cls._get(login=login, params={"with": "status" if status else None})

    @classmethod
    def add(cls, *, name: str, **values: Any) -> Operation[m.NewUser]:
        """Add one: login, password, position, email, ext, role, mobile, mobile_redirect."""
        return cls._add(body={"name": name, **values})

    @classmethod
    def edit(cls, login: str, **values: Any) -> Operation[m.User]:
        """Change what is given."""
        return cls._edit(login=login, body=values)

    @classmethod
    def delete(cls, login: str) -> Operation[None]:
        """Delete one."""
        return cls._delete(login=login)

    @classmethod
    def groups(cls, login: str) -> Listing[m.GroupRef]:
        """The departments they are members of."""
        return cls._groups.listing(m.GroupRef, login=login)

    @classmethod
    def subscription(cls, login: str, group_id: str | None = None) -> Operation[m.State]:
        """Whether they receive calls in a department, or in all of theirs."""
        return cls._subscription(login=login, params={"group_id": group_id})

    @classmethod
    def subscribe(
        cls, login: str, group_id: str | None = None, *, on: bool = True
    ) -> Operation[None]:
        """Switch that."""
        switch = cls._subscribe if on else cls._unsubscribe
        return switch(login=login, params={"group_id": group_id})

    @classmethod
    def receives(cls, login: str) -> Operation[m.State]:
        """Whether they receive calls at all (the API calls it dnd, and means the opposite)."""
        return cls._receives(login=login)

    @classmethod
    def receive(cls, login: str, *, on: bool = True) -> Operation[None]:
        """Switch that; off is "do not disturb"."""
        return (cls._receive if on else cls._disturb_not)(login=login)


class groups:
    """Departments."""

    _list = operation[Any]("GET", "/groups", m.Page[m.Group])
    _get = operation[m.Group]("GET", "/groups/{id}", m.Group)
    _add = operation[m.Group]("POST", "/groups", m.Group)
    _edit = operation[m.Group]("PUT", "/groups/{id}", m.Group)
    _delete = operation[None]("DELETE", "/groups/{id}")
    _users = operation[None]("POST", "/groups/{id}/users")

    @classmethod
    def list(cls, *, search: str | None = None) -> Listing[m.Group]:
        """Departments whose id, name or ext has `search` in it."""
        return cls._list.listing(m.Group, params={"search": search}, paged=True)

    @classmethod
    def get(cls, group_id: str) -> Operation[m.Group]:
        """One department."""
        return cls._get(id=group_id)

    @classmethod
    def add(cls, *, name: str, **values: Any) -> Operation[m.Group]:
        """Add one: ext, call_order, call_duration, timeout, advanced, queue_position, users."""
        return cls._add(body={"name": name, **values})

    @classmethod
    def edit(cls, group_id: str, **values: Any) -> Operation[m.Group]:
        """Change what is given; `users` replaces the list."""
        return cls._edit(id=group_id, body=values)

    @classmethod
    def delete(cls, group_id: str) -> Operation[None]:
        """Delete one."""
        return cls._delete(id=group_id)

    @classmethod
    def change_users(
        cls,
        group_id: str,
        *,
        add: Sequence[str] | None = None,
        calls_disable: Sequence[str] | None = None,
        remove: Sequence[str] | None = None,
        position: int | None = None,
    ) -> Operation[None]:
        """First add (receiving on), then calls_disable, then remove."""
        body = _sent(add=add, calls_disable=calls_disable, remove=remove, position=position)
        return cls._users(id=group_id, body=body)


class telnums:
    """Numbers, and what answers them."""

    _list = operation[Any]("GET", "/telnums", m.Page[m.Telnum])
    _get = operation[m.Telnum]("GET", "/telnums/{telnum}", m.Telnum)
    _post = operation[m.Telnum]("POST", "/telnums/{telnum}", m.Telnum)
    _edit = operation[m.Telnum]("PUT", "/telnums/{telnum}", m.Telnum)
    _enable = operation[None]("POST", "/telnums/{telnum}/enabled")
    _disable = operation[None]("DELETE", "/telnums/{telnum}/enabled")
    _add_interval = operation[m.Telnum]("POST", "/telnums/{telnum}/interval-schedule", m.Telnum)
    _edit_interval = operation[m.Telnum](
        "PUT", "/telnums/{telnum}/interval-schedule/{id}", m.Telnum
    )
    _delete_interval = operation[None]("DELETE", "/telnums/{telnum}/interval-schedule/{id}")
    _add_day = operation[m.Telnum]("POST", "/telnums/{telnum}/calendar-schedule", m.Telnum)
    _edit_day = operation[m.Telnum]("PUT", "/telnums/{telnum}/calendar-schedule/{id}", m.Telnum)
    _delete_day = operation[None]("DELETE", "/telnums/{telnum}/calendar-schedule/{id}")

    @classmethod
    def list(cls, *, search: str | None = None) -> Listing[m.Telnum]:
        """Numbers whose telnum, name, user or group has `search` in it."""
        return cls._list.listing(m.Telnum, params={"search": search}, paged=True)

    @classmethod
    def get(cls, telnum: str) -> Operation[m.Telnum]:
        """One number."""
        return cls._get(telnum=telnum)

    @classmethod
    def edit(cls, telnum: str, **values: Any) -> Operation[m.Telnum]:
        """Change what is given: type, greeting, name, user, group, ivr, work, other, …"""
        return cls._edit(telnum=telnum, body=values)

    @classmethod
    def enable(cls, telnum: str, *, on: bool = True) -> Operation[None]:
        """Receive calls on it, or not."""
        return (cls._enable if on else cls._disable)(telnum=telnum)

    @classmethod
    def add_interval(cls, telnum: str, **values: Any) -> Operation[m.Telnum]:
        """Add extra hours: days, start, end, and route_id or route_name."""
        return cls._add_interval(telnum=telnum, body=values)

    @classmethod
    def edit_interval(cls, telnum: str, interval_id: str, **values: Any) -> Operation[m.Telnum]:
        """Change extra hours."""
        return cls._edit_interval(telnum=telnum, id=interval_id, body=values)

    @classmethod
    def delete_interval(cls, telnum: str, interval_id: str) -> Operation[None]:
        """Delete extra hours."""
        return cls._delete_interval(telnum=telnum, id=interval_id)

    @classmethod
    def add_special_day(cls, telnum: str, **values: Any) -> Operation[m.Telnum]:
        """Add special days: start and end, or calendar_predefined; route_id or route_name."""
        return cls._add_day(telnum=telnum, body=values)

    @classmethod
    def edit_special_day(cls, telnum: str, day_id: str, **values: Any) -> Operation[m.Telnum]:
        """Change special days."""
        return cls._edit_day(telnum=telnum, id=day_id, body=values)

    @classmethod
    def delete_special_day(cls, telnum: str, day_id: str) -> Operation[None]:
        """Delete special days."""
        return cls._delete_day(telnum=telnum, id=day_id)


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
        body = _sent(note=note, tags=None if tags is None else list_of(tags))
        return cls._write(uid=uid, body=body)

    @classmethod
    def delete(cls, uid: str) -> Operation[None]:
        """Take note and tags off a call."""
        return cls._delete(uid=uid)

    @classmethod
    def tags(cls) -> Operation[Any]:
        """The tags in use, those of most calls first."""
        return cls._tags()


class blacklist:
    """Callers that are refused."""

    _list = operation[Any]("GET", "/blacklist/telnums", list[m.BlackListEntry])
    _add = operation[None]("POST", "/blacklist/telnums")
    _delete = operation[None]("DELETE", "/blacklist/telnums")
    _anonymous = operation[m.State]("GET", "/blacklist/block-anonymous", m.State)
    _block = operation[None]("POST", "/blacklist/block-anonymous")
    _unblock = operation[None]("DELETE", "/blacklist/block-anonymous")

    @classmethod
    def list(cls, *, statistics: bool = False) -> Listing[m.BlackListEntry]:
        """Numbers and ranges (`7900800*`)."""
        params = {"with": "statistics" if statistics else None}
        return cls._list.listing(m.BlackListEntry, params=params)

    @classmethod
    def add(cls, *telnums: str, comment: str = "") -> Operation[None]:
        """Refuse them."""
        return cls._add(body=[{"telnum": each, "comment": comment} for each in telnums])

    @classmethod
    def delete(cls, *telnums: str) -> Operation[None]:
        """Let them call again."""
        return cls._delete(params={"telnum": list_of(telnums)})

    @classmethod
    def anonymous(cls) -> Operation[m.State]:
        """Whether callers that hide their number are refused."""
        return cls._anonymous()

    @classmethod
    def block_anonymous(cls, *, on: bool = True) -> Operation[None]:
        """Switch that."""
        return (cls._block if on else cls._unblock)()


def list_of(values: Sequence[str]) -> list[str]:
    """Return a list of them, where the name `list` means another thing."""
    return [*values]


_DOMAIN = operation[m.Domain]("GET", "/domain", m.Domain)


def domain() -> Operation[m.Domain]:
    """Time zone, limits and services of the company."""
    return _DOMAIN()


class music:
    """What callers hear while they wait."""

    _get = operation[m.Music]("GET", "/music", m.Music)
    _set = operation[None]("POST", "/music/{type}")

    @classmethod
    def get(cls) -> Operation[m.Music]:
        """Ringback and music on hold."""
        return cls._get()

    @classmethod
    def set(cls, kind: str, file: str) -> Operation[None]:
        """Choose `ringback` or `holdmusic`."""
        return cls._set(type=kind, body={"file": file})


_MEDIA = operation[Any]("GET", "/media-catalog/{type}", list[m.Named])


def media_catalog(kind: str) -> Listing[m.Named]:
    """Sounds that can be chosen: `greeting`, `music`, `ivr`, `ringback`, `holdmusic`."""
    return _MEDIA.listing(m.Named, type=kind)


class record:
    """What is recorded."""

    _get = operation[m.Record]("GET", "/record", m.Record)
    _except = operation[None]("POST", "/record/users-exception")
    _delete = operation[None]("DELETE", "/record/users-exception")

    @classmethod
    def get(cls) -> Operation[m.Record]:
        """What is recorded, and who never is."""
        return cls._get()

    @classmethod
    def add_exceptions(cls, *logins: str) -> Operation[None]:
        """Never record them."""
        return cls._except(body=[*logins])

    @classmethod
    def delete_exceptions(cls, *logins: str) -> Operation[None]:
        """Record them again."""
        return cls._delete(params={"user": [*logins]})


class blf:
    """Whose phones may watch others."""

    _list = operation[Any]("GET", "/blf/users", list[m.LoginName])
    _add = operation[None]("POST", "/blf/users")
    _delete = operation[None]("DELETE", "/blf/users")

    @classmethod
    def list(cls) -> Listing[m.LoginName]:
        """Who may."""
        return cls._list.listing(m.LoginName)

    @classmethod
    def add(cls, *logins: str) -> Operation[None]:
        """Let them."""
        return cls._add(body=[*logins])

    @classmethod
    def delete(cls, *logins: str) -> Operation[None]:
        """Not any more."""
        return cls._delete(params={"user": [*logins]})


class am:
    """Who has voicemail."""

    _get = operation[m.Am]("GET", "/am", m.Am)
    _add_users = operation[None]("POST", "/am/users")
    _delete_users = operation[None]("DELETE", "/am/users")
    _add_groups = operation[None]("POST", "/am/groups")
    _delete_groups = operation[None]("DELETE", "/am/groups")

    @classmethod
    def get(cls) -> Operation[m.Am]:
        """Who has it."""
        return cls._get()

    @classmethod
    def add_users(cls, *logins: str) -> Operation[None]:
        """Give it to employees."""
        return cls._add_users(body=[*logins])

    @classmethod
    def delete_users(cls, *logins: str) -> Operation[None]:
        """Take it from employees."""
        return cls._delete_users(params={"user": [*logins]})

    @classmethod
    def add_groups(cls, *ids: str) -> Operation[None]:
        """Give it to departments."""
        return cls._add_groups(body=[*ids])

    @classmethod
    def delete_groups(cls, *ids: str) -> Operation[None]:
        """Take it from departments."""
        return cls._delete_groups(params={"group": [*ids]})


class caller_ids:
    """Outgoing numbers."""

    _get = operation[m.CallerIds]("GET", "/caller-ids", m.CallerIds)
    _telnums = operation[Any]("GET", "/caller-ids/telnums", list[m.NumberState])
    _main = operation[None]("POST", "/caller-ids/main")
    _user = operation[None]("POST", "/caller-ids/users")
    _delete_user = operation[None]("DELETE", "/caller-ids/users/{user}")
    _group = operation[None]("POST", "/caller-ids/groups")
    _delete_group = operation[None]("DELETE", "/caller-ids/groups/{id}")
    _regions = operation[Any]("GET", "/caller-ids/regions", list[m.Named])
    _region = operation[None]("POST", "/caller-ids/regions")
    _delete_region = operation[None]("DELETE", "/caller-ids/regions/{id}")

    @classmethod
    def get(cls) -> Operation[m.CallerIds]:
        """What is set."""
        return cls._get()

    @classmethod
    def telnums(cls) -> Listing[m.NumberState]:
        """Numbers, and whether calls may leave with them."""
        return cls._telnums.listing(m.NumberState)

    @classmethod
    def regions(cls) -> Listing[m.Named]:
        """Regions a number may be set for."""
        return cls._regions.listing(m.Named)

    @classmethod
    def set_main(cls, telnum: str) -> Operation[None]:
        """The company's number."""
        return cls._main(body={"telnum": telnum})

    @classmethod
    def set_user(cls, login: str, telnum: str) -> Operation[None]:
        """An employee's number."""
        return cls._user(body={"telnum": telnum, "login": login})

    @classmethod
    def delete_user(cls, login: str) -> Operation[None]:
        """Not any more."""
        return cls._delete_user(user=login)

    @classmethod
    def set_group(cls, group_id: str, telnum: str) -> Operation[None]:
        """A department's number."""
        return cls._group(body={"telnum": telnum, "id": group_id})

    @classmethod
    def delete_group(cls, group_id: str) -> Operation[None]:
        """Not any more."""
        return cls._delete_group(id=group_id)

    @classmethod
    def set_region(cls, region_id: str, telnum: str) -> Operation[None]:
        """The number for calls to a region."""
        return cls._region(body={"telnum": telnum, "id": region_id})

    @classmethod
    def delete_region(cls, region_id: str) -> Operation[None]:
        """Not any more."""
        return cls._delete_region(id=region_id)


class restrictions:
    """Where employees may call."""

    _get = operation[m.Restrictions]("GET", "/calls-restrictions", m.Restrictions)
    _main = operation[m.Rule]("POST", "/calls-restrictions/main", m.Rule)
    _delete_main = operation[None]("DELETE", "/calls-restrictions/main")
    _users = operation[Any]("POST", "/calls-restrictions/users", list[m.Rule])
    _delete_user = operation[None]("DELETE", "/calls-restrictions/users/{login}")
    _groups = operation[Any]("POST", "/calls-restrictions/groups", list[m.Rule])
    _delete_group = operation[None]("DELETE", "/calls-restrictions/groups/{id}")

    @classmethod
    def get(cls) -> Operation[m.Restrictions]:
        """All rules."""
        return cls._get()

    @classmethod
    def allow(cls, *allowed: str) -> Operation[m.Rule]:
        """Allow directions to everybody; answers all that are now."""
        return cls._main(body={"allowed": [*allowed]})

    @classmethod
    def forbid(cls, *allowed: str) -> Operation[None]:
        """Take directions from everybody."""
        return cls._delete_main(params={"allowed": [*allowed]})

    @classmethod
    def allow_user(cls, login: str, *allowed: str) -> Operation[Any]:
        """Allow directions to an employee."""
        return cls._users(body=[{"login": login, "allowed": [*allowed]}])

    @classmethod
    def forbid_user(cls, login: str, *allowed: str) -> Operation[None]:
        """Take directions from an employee."""
        return cls._delete_user(login=login, params={"allowed": [*allowed]})

    @classmethod
    def allow_group(cls, group_id: str, *allowed: str) -> Operation[Any]:
        """Allow directions to a department."""
        return cls._groups(body=[{"id": group_id, "allowed": [*allowed]}])

    @classmethod
    def forbid_group(cls, group_id: str, *allowed: str) -> Operation[None]:
        """Take directions from a department."""
        return cls._delete_group(id=group_id, params={"allowed": [*allowed]})


class sip_registrations:
    """Numbers of other operators, at which the PBX registers."""

    _list = operation[Any]("GET", "/sip-registrations", m.Page[m.SipRegistration])
    _get = operation[m.SipRegistration]("GET", "/sip-registrations/{telnum}", m.SipRegistration)
    _add = operation[m.SipRegistration]("POST", "/sip-registrations", m.SipRegistration)
    _edit = operation[m.SipRegistration]("PUT", "/sip-registrations/{telnum}", m.SipRegistration)
    _delete = operation[None]("DELETE", "/sip-registrations/{telnum}")

    @classmethod
    def list(cls, *, search: str | None = None) -> Listing[m.SipRegistration]:
        """Those whose telnum, name or domain has `search` in it."""
        return cls._list.listing(m.SipRegistration, params={"search": search}, paged=True)

    @classmethod
    def get(cls, telnum: str) -> Operation[m.SipRegistration]:
        """One."""
        return cls._get(telnum=telnum)

    @classmethod
    def add(
        cls, *, telnum: str, name: str, domain: str, login: str, password: str, **values: Any
    ) -> Operation[m.SipRegistration]:
        """Add one: active, auth_name, expires, proxy, outgoing too."""
        body = {"telnum": telnum, "name": name, "domain": domain, "login": login, **values}
        return cls._add(body={**body, "password": password})

    @classmethod
    def edit(cls, telnum: str, **values: Any) -> Operation[m.SipRegistration]:
        """Change what is given."""
        return cls._edit(telnum=telnum, body=values)

    @classmethod
    def delete(cls, telnum: str) -> Operation[None]:
        """Delete one."""
        return cls._delete(telnum=telnum)


class sipuri_transfers:
    """SIP addresses to which other operators send a number's calls."""

    _list = operation[Any]("GET", "/sipuri-transfers", m.Page[m.SipuriTransfer])
    _get = operation[m.SipuriTransfer]("GET", "/sipuri-transfers/{telnum}", m.SipuriTransfer)
    _add = operation[m.SipuriTransfer]("POST", "/sipuri-transfers", m.SipuriTransfer)
    _edit = operation[m.SipuriTransfer]("PUT", "/sipuri-transfers/{telnum}", m.SipuriTransfer)
    _delete = operation[None]("DELETE", "/sipuri-transfers/{telnum}")

    @classmethod
    def list(cls, *, search: str | None = None) -> Listing[m.SipuriTransfer]:
        """Those whose telnum or uri has `search` in it."""
        return cls._list.listing(m.SipuriTransfer, params={"search": search}, paged=True)

    @classmethod
    def get(cls, telnum: str) -> Operation[m.SipuriTransfer]:
        """One."""
        return cls._get(telnum=telnum)

    @classmethod
    def add(cls, telnum: str, *, active: bool = True) -> Operation[m.SipuriTransfer]:
        """Make an address for a number."""
        return cls._add(body={"telnum": telnum, "active": active})

    @classmethod
    def edit(cls, telnum: str, *, active: bool) -> Operation[m.SipuriTransfer]:
        """Take calls to it, or not."""
        return cls._edit(telnum=telnum, body={"active": active})

    @classmethod
    def delete(cls, telnum: str) -> Operation[None]:
        """Delete one."""
        return cls._delete(telnum=telnum)


class branches:
    """Connected PBXs."""

    _list = operation[Any]("GET", "/branches", m.Page[m.Branch])
    _get = operation[m.Branch]("GET", "/branches/{domain}", m.Branch)
    _add = operation[m.Branch]("POST", "/branches", m.Branch)
    _edit = operation[m.Branch]("PUT", "/branches/{domain}", m.Branch)
    _delete = operation[None]("DELETE", "/branches/{domain}")
    _sync = operation[m.Branch]("POST", "/branches/{domain}/sync", m.Branch)

    @classmethod
    def list(cls, *, search: str | None = None) -> Listing[m.Branch]:
        """Those whose name or domain has `search` in it."""
        return cls._list.listing(m.Branch, params={"search": search}, paged=True)

    @classmethod
    def get(cls, domain: str) -> Operation[m.Branch]:
        """One."""
        return cls._get(domain=domain)

    @classmethod
    def add(cls, *, domain: str, name: str, key: str) -> Operation[m.Branch]:
        """Connect one: the other side must add this domain with the same key."""
        return cls._add(body={"domain": domain, "name": name, "key": key})

    @classmethod
    def edit(cls, domain: str, *, name: str) -> Operation[m.Branch]:
        """Call it otherwise."""
        return cls._edit(domain=domain, body={"name": name})

    @classmethod
    def delete(cls, domain: str) -> Operation[None]:
        """Disconnect it."""
        return cls._delete(domain=domain)

    @classmethod
    def sync(cls, domain: str) -> Operation[m.Branch]:
        """Exchange directories now."""
        return cls._sync(domain=domain)


class webhooks:
    """Who is told of what is no call."""

    _list = operation[Any]("GET", "/webhook", list[m.Webhook])
    _add = operation[m.Webhook]("POST", "/webhook", m.Webhook)
    _delete = operation[None]("DELETE", "/webhook/{id}")

    @classmethod
    def list(cls) -> Listing[m.Webhook]:
        """All subscriptions."""
        return cls._list.listing(m.Webhook)

    @classmethod
    def add(cls, url: str, *, kind: str = "sipregs_error") -> Operation[m.Webhook]:
        """Subscribe."""
        return cls._add(body={"type": kind, "url": url})

    @classmethod
    def delete(cls, webhook_id: str) -> Operation[None]:
        """Unsubscribe."""
        return cls._delete(id=webhook_id)
