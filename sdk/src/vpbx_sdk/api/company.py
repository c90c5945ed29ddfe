"""The company: what it has set, and what it is connected to."""

from __future__ import annotations

from typing import Any

from vpbx_sdk import models as m
from vpbx_sdk.operation import Listing, Operation, operation

__all__ = ["am", "blf", "branches", "domain", "media_catalog", "music", "record", "webhooks"]


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
