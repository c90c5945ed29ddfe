"""Numbers of the company: who answers them, which are seen, where they come from."""

from __future__ import annotations

from typing import Any

from vpbx_sdk import models as m
from vpbx_sdk.api.values import list_of
from vpbx_sdk.operation import Listing, Operation, operation

__all__ = [
    "blacklist",
    "caller_ids",
    "restrictions",
    "sip_registrations",
    "sipuri_transfers",
    "telnums",
]


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
