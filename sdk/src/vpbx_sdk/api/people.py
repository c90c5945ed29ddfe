"""Employees and departments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vpbx_sdk import models as m
from vpbx_sdk.api.values import sent
from vpbx_sdk.operation import Listing, Operation, operation

__all__ = ["groups", "users"]


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
        body = sent(add=add, calls_disable=calls_disable, remove=remove, position=position)
        return cls._users(id=group_id, body=body)
