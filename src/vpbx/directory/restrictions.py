"""Call restrictions (crm-api §13): which directions may be called, by whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row

from vpbx.directory import tables
from vpbx.directory.directions import ALLOWED_DIRECTIONS
from vpbx.directory.errors import NotFound
from vpbx.directory.model import DomainConfig
from vpbx.directory.names import group_row, user_row
from vpbx.directory.policy import Restrictions
from vpbx.directory.scope import Tx
from vpbx.directory.store import Store
from vpbx.directory.values import Values


class RestrictionRules:
    """Operations on a domain's call restrictions. Posting adds directions, deleting takes some.

    A rule whose last direction is taken stays, empty: it forbids everything outside. Deleting
    with no direction named removes the rule itself, so that the next wider one holds again.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, domain: DomainConfig) -> Restrictions:
        """Return all rules."""
        return (await self._store.current(domain)).settings.restrictions

    async def add_main(self, domain: DomainConfig, allowed: Iterable[str]) -> tuple[str, ...]:
        """Allow directions to everyone; returns all that are now."""
        async with self._store.edit(domain) as tx:
            reader = Values({"allowed": list(allowed)})
            after = set(tx.domain.allowed) | _read(reader)
            reader.done()
            await tx.set_domain(allowed=list(ordered(after)))
        return ordered(after)

    async def set_main(self, domain: DomainConfig, allowed: Iterable[str]) -> None:
        """Allow everyone these directions and no others."""
        async with self._store.edit(domain) as tx:
            reader = Values({"allowed": list(allowed)})
            after = _read(reader)
            reader.done()
            await tx.set_domain(allowed=list(ordered(after)))

    async def delete_main(self, domain: DomainConfig, allowed: Iterable[str]) -> None:
        """Take directions from everyone."""
        async with self._store.edit(domain) as tx:
            reader = Values({"allowed": list(allowed)})
            gone = _read(reader)
            if not gone:
                reader.wrong("allowed", "is required")
            reader.done()
            await tx.set_domain(allowed=list(ordered(set(tx.domain.allowed) - gone)))

    async def add_users(
        self, domain: DomainConfig, rules: Iterable[Mapping[str, Any]]
    ) -> Mapping[str, frozenset[str]]:
        """Allow directions to employees: [{login*, allowed*[]}]; returns login → allowed of
        those named.
        """
        return (await self._add(domain, rules, "user_id")) or {}

    async def add_groups(
        self, domain: DomainConfig, rules: Iterable[Mapping[str, Any]]
    ) -> Mapping[str, frozenset[str]]:
        """Allow directions to departments: [{id* (or login), allowed*[]}]; returns id →
        allowed of those named.
        """
        return (await self._add(domain, rules, "group_id")) or {}

    async def set_users(self, domain: DomainConfig, rules: Iterable[Mapping[str, Any]]) -> None:
        """Make the rules of employees exactly these, as `add_users` takes them."""
        await self._add(domain, rules, "user_id", instead=True)

    async def set_groups(self, domain: DomainConfig, rules: Iterable[Mapping[str, Any]]) -> None:
        """Make the rules of departments exactly these, as `add_groups` takes them."""
        await self._add(domain, rules, "group_id", instead=True)

    async def delete_user(
        self, domain: DomainConfig, login: str, allowed: Iterable[str] = ()
    ) -> None:
        """Take directions from an employee's rule, or without any, the rule."""
        async with self._store.edit(domain) as tx:
            await self._take(tx, "user_id", await user_row(tx, login), allowed)

    async def delete_group(
        self, domain: DomainConfig, group_id: str, allowed: Iterable[str] = ()
    ) -> None:
        """Take directions from a department's rule, or without any, the rule."""
        async with self._store.edit(domain) as tx:
            await self._take(tx, "group_id", await group_row(tx, group_id), allowed)

    async def _add(
        self,
        domain: DomainConfig,
        rules: Iterable[Mapping[str, Any]],
        column: str,
        *,
        instead: bool = False,
    ) -> Mapping[str, frozenset[str]]:
        table = tables.call_rules
        named: dict[str, frozenset[str]] = {}
        async with self._store.edit(domain) as tx:
            reader = Values({"": list(rules)})
            for item in reader.objects(""):
                row = await self._party(tx, item, column)
                allowed = _read(item)
                if row is None or reader.errors:
                    continue
                before = await tx.first(table, table.c[column] == row.id)
                kept = before.allowed if before is not None and not instead else ()
                after = allowed | set(kept)
                await tx.delete(table, table.c[column] == row.id)
                await tx.insert(table, **{column: row.id}, allowed=list(ordered(after)))
                named[row.login if column == "user_id" else row.gid] = frozenset(after)
            reader.done()
        return named

    async def _party(self, tx: Tx, item: Values, column: str) -> Row[Any] | None:
        if column == "user_id":
            row = await user_row(tx, item.text("login", required=True))
            if row is None and item.raw("login"):
                item.wrong("login", "must be the login or internal number of an employee")
            return row
        field = "id" if item.has("id") or not item.has("login") else "login"
        row = await group_row(tx, item.text(field, required=True))
        if row is None and item.raw(field):
            item.wrong(field, "must be the id of a department")
        return row

    async def _take(
        self, tx: Tx, column: str, party: Row[Any] | None, allowed: Iterable[str]
    ) -> None:
        table = tables.call_rules
        rule = None
        if party is not None:
            rule = await tx.first(table, table.c[column] == party.id)
        if rule is None:
            raise NotFound("no such rule")
        reader = Values({"allowed": list(allowed)})
        gone = _read(reader)
        reader.done()
        if gone:
            after = ordered(set(rule.allowed) - gone)
            await tx.update(table, table.c.id == rule.id, allowed=list(after))
        else:
            await tx.delete(table, table.c.id == rule.id)


def ordered(directions: Iterable[str]) -> tuple[str, ...]:
    """Return directions in the order of crm-api §13."""
    held = set(directions)
    return tuple(each for each in ALLOWED_DIRECTIONS if each in held)


def _read(reader: Values) -> set[str]:
    allowed = {each.upper() for each in reader.texts("allowed", required=True)}
    if not allowed <= set(ALLOWED_DIRECTIONS):
        reader.wrong("allowed", f"must be of: {', '.join(ALLOWED_DIRECTIONS)}")
    return allowed
