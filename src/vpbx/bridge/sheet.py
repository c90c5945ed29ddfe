"""A spreadsheet of customers, saved as CSV, kept in our table `vpbx_customers`.

The file is looked at every few seconds; a changed one is taken as a whole or, where it cannot be
read, not at all: it may be half written, and will be right at the next look.
"""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import Iterator
from typing import TypeAlias

import structlog
from sqlalchemy import delete, insert

from vpbx.bridge.config import BridgeFault, Sheet
from vpbx.bridge.store import Store
from vpbx.bridge.tables import customers
from vpbx.bridge.values import digits_of

__all__ = ["Customers", "follow_sheet", "load_sheet", "read_sheet"]

log = structlog.get_logger("vpbx.bridge")

EVERY_S = 2.0
_CHUNK = 1000
_MOST_BYTES = 256 * 1024 * 1024
_SEVERAL = re.compile(r"[,;/\n|]")
"""Between several numbers of one customer."""
_LEAST_DIGITS = 3

Customers: TypeAlias = dict[str, tuple[str, str]]
"""Number → name and responsible employee."""


def read_sheet(sheet: Sheet) -> Customers:
    """Read the file; `BridgeFault` says what is wrong with it. Of two rows for a number the
    first counts."""
    try:
        if sheet.path.stat().st_size > _MOST_BYTES:
            raise BridgeFault(f"{sheet.path} is larger than 256 MB")
        text = sheet.path.read_text(sheet.encoding)
    except OSError as error:
        raise BridgeFault(f"{sheet.path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BridgeFault(
            f"{sheet.path} is not {sheet.encoding}; name its encoding in [customers], like cp1251"
        ) from error
    found: Customers = {}
    for phone, name, responsible in _rows(sheet, text):
        for part in _SEVERAL.split(phone):
            number = digits_of(part)
            if len(number) >= _LEAST_DIGITS:
                found.setdefault(number, (name, responsible))
    return found


def _rows(sheet: Sheet, text: str) -> Iterator[tuple[str, str, str]]:
    first = text.partition("\n")[0]
    delimiter = max(";,\t", key=first.count)
    rows = csv.reader(io.StringIO(text), delimiter=delimiter)
    header = [cell.strip().casefold() for cell in next(rows, [])]

    def place(column: str) -> int:
        try:
            return header.index(column.strip().casefold())
        except ValueError:
            known = ", ".join(cell for cell in header if cell) or "nothing"
            raise BridgeFault(
                f"{sheet.path} has no column '{column}' in its first line; it has {known}"
            ) from None

    at_phone, at_name = place(sheet.phone), place(sheet.name)
    at_responsible = header.index(r) if (r := sheet.responsible.casefold()) in header else -1
    for row in rows:
        if len(row) > max(at_phone, at_name):
            responsible = row[at_responsible] if -1 < at_responsible < len(row) else ""
            yield row[at_phone], row[at_name].strip()[:255], responsible.strip()[:64]


async def load_sheet(sheet: Sheet, store: Store) -> int:
    """Make the table hold what the sheet does; the number of phone numbers."""
    found = await asyncio.to_thread(read_sheet, sheet)
    rows = [
        {"phone": phone[:40], "name": name, "responsible": responsible}
        for phone, (name, responsible) in found.items()
    ]
    async with store.engine.begin() as connection:
        await connection.execute(delete(customers))
        for start in range(0, len(rows), _CHUNK):
            await connection.execute(insert(customers), rows[start : start + _CHUNK])
    return len(rows)


async def follow_sheet(sheet: Sheet, store: Store, *, every_s: float = EVERY_S) -> None:
    """Load the sheet now and whenever it has changed; never ends. Faults are logged once."""
    seen: object = None
    fault = ""
    while True:
        try:
            state = sheet.path.stat()
            now = (state.st_mtime_ns, state.st_size, state.st_ino)
            if now != seen:
                count = await load_sheet(sheet, store)
                seen, fault = now, ""
                log.info("the customers are as the sheet says", numbers=count)
        except Exception as error:  # the file, its contents, or the database
            if str(error) != fault:
                fault = str(error)
                log.warning("the sheet of customers cannot be taken", error=fault)
        await asyncio.sleep(every_s)
