"""What happens to whatever named something that is deleted (docs/consistency.md).

Each function frees one row of every reference that would hold or outlive it, inside the
transaction that then deletes the row; the foreign keys of `tables.py` refuse the deletion if a
reference was forgotten. In short: a route goes to the first administrator, so that no call is
lost; a menu loses the button; a time limit falls back to voicemail; list entries just go.
"""

from __future__ import annotations

from typing import Any

from vpbx.directory import documents, tables
from vpbx.directory.documents import Document
from vpbx.directory.scope import Tx


async def keep_document(tx: Tx, number_id: int, document: Document) -> None:
    """Store a number's route document together with the references it makes."""
    refs = tables.number_refs
    await tx.update(tables.numbers, tables.numbers.c.id == number_id, route=document)
    await tx.delete(refs, refs.c.number_id == number_id)
    await tx.insert_many(
        refs,
        [
            {
                "number_id": number_id,
                "user_id": row_id if kind == "user" else None,
                "group_id": row_id if kind == "group" else None,
                "media_id": row_id if kind == "media" else None,
            }
            for kind, row_id in sorted(documents.references(document))
        ],
    )


async def free_user(tx: Tx, user_id: int, heir_id: int) -> None:
    """Free an employee; routes to them go to `heir_id`."""
    numbers, groups = tables.numbers, tables.groups
    await _free_routes(tx, "user", user_id, heir_id)
    await tx.update(numbers, numbers.c.user_id == user_id, user_id=heir_id)
    await tx.update(numbers, numbers.c.crm_user_id == user_id, crm_user_id=None)
    await tx.update(
        groups,
        groups.c.timeout_user_id == user_id,
        timeout_user_id=None,
        timeout_target="voicemail",
    )


async def free_group(tx: Tx, group_id: int, heir_id: int) -> None:
    """Free a department; routes to it go to the employee `heir_id`."""
    numbers, groups = tables.numbers, tables.groups
    await _free_routes(tx, "group", group_id, heir_id)
    await tx.update(
        numbers, numbers.c.group_id == group_id, group_id=None, user_id=heir_id, type="user"
    )
    await tx.update(numbers, numbers.c.crm_group_id == group_id, crm_group_id=None)
    await tx.update(
        groups,
        groups.c.timeout_group_id == group_id,
        timeout_group_id=None,
        timeout_target="voicemail",
    )


async def free_media(tx: Tx, media_id: int) -> None:
    """Free an uploaded file; greetings fall back to the built-in one."""
    numbers = tables.numbers
    await tx.update(numbers, numbers.c.greeting_media_id == media_id, greeting_media_id=None)
    for row in await _numbers_naming(tx, "media", media_id):
        for menu in documents.menus_in(row.route):
            if menu.get("media") == media_id:
                menu["media"] = None
        await keep_document(tx, row.id, row.route)


async def free_number(tx: Tx, number_id: int) -> None:
    """Free a number; its registration or SIP address at other operators goes with it."""
    for table in (tables.sip_registrations, tables.sipuri_transfers):
        await tx.delete(table, table.c.number_id == number_id)


async def _free_routes(tx: Tx, kind: str, row_id: int, heir_id: int) -> None:
    for row in await _numbers_naming(tx, kind, row_id):
        for route in documents.routes_in(row.route):
            if route.get(kind) == row_id:
                route.pop(kind)
                route.update(subtype="user", user=heir_id)
        for menu in documents.menus_in(row.route):
            menu["items"] = [item for item in menu["items"] if item.get(kind) != row_id]
        await keep_document(tx, row.id, row.route)


async def _numbers_naming(tx: Tx, kind: str, row_id: int) -> list[Any]:
    refs = tables.number_refs
    named = await tx.all(refs, refs.c[f"{kind}_id"] == row_id)
    ids = {ref.number_id for ref in named}
    return list(await tx.all(tables.numbers, tables.numbers.c.id.in_(ids))) if ids else []
