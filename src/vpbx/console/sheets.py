"""Tables as XLSX, in which every text is a text: neither a formula nor a link."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import xlsxwriter

__all__ = ["Cell", "write_sheet"]

Cell: TypeAlias = str | int | datetime
"""Moments are the company's wall clock, without a zone: spreadsheets know none."""

_WIDTH = 20
_LONGEST = 32_767
"""Characters a cell may have in Excel."""


async def write_sheet(
    name: str, head: Sequence[str], parts: AsyncIterator[Sequence[Sequence[Cell]]]
) -> Path:
    """Write rows, as they come in parts, into a file and return it; whoever asked removes it.

    Each part is written in a thread, and rows go to the disk at once: a long table takes neither
    the loop nor memory.
    """
    with tempfile.NamedTemporaryFile(suffix=".xlsx", delete=False) as file:
        path = Path(file.name)
    sheet = _Sheet(path, name, head)
    try:
        async for rows in parts:
            await asyncio.to_thread(sheet.add, rows)
        await asyncio.to_thread(sheet.close)
    except BaseException:
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - an instant
        raise
    return path


class _Sheet:
    def __init__(self, path: Path, name: str, head: Sequence[str]) -> None:
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book = xlsxwriter.Workbook(path, options)
        self._sheet = self._book.add_worksheet(name[:31])
        self._sheet.freeze_panes(1, 0)
        self._moment = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        bold = self._book.add_format({"bold": True})
        self._sheet.set_column(0, len(head) - 1, _WIDTH)
        for column, word in enumerate(head):
            self._sheet.write_string(0, column, word, bold)
        self._row = 1

    def add(self, rows: Sequence[Sequence[Cell]]) -> None:
        for row in rows:
            for column, cell in enumerate(row):
                if isinstance(cell, datetime):
                    self._sheet.write_datetime(self._row, column, cell, self._moment)
                elif isinstance(cell, int):
                    self._sheet.write_number(self._row, column, cell)
                elif cell:
                    self._sheet.write_string(self._row, column, cell[:_LONGEST])
            self._row += 1

    def close(self) -> None:
        self._book.close()
