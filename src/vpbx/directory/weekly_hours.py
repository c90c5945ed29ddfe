"""A number's week, given to other numbers of the company."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from vpbx.directory.consistency import keep_document
from vpbx.directory.errors import FieldError, Invalid, NotFound
from vpbx.directory.model import DomainConfig, NumberType
from vpbx.directory.store import Store
from vpbx.directory.telnums import number_row

__all__ = ["WeeklyHours"]


class WeeklyHours:
    """Operations on the business hours of several numbers at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def copy(self, domain: DomainConfig, telnum: str, to: Sequence[str]) -> list[str]:
        """Give the business hours of a number to others, whose routes, special days and extra
        hours stay; return those that have them now.

        All of them go by the hours (type scheduler): Invalid names in `telnum` or `to` those that
        do not, or are none of the company, and nothing is changed. NotFound: there is no `telnum`.
        """
        async with self._store.edit(domain) as tx:
            source = await number_row(tx, telnum)
            if source.type != NumberType.SCHEDULER:
                raise Invalid.one("telnum", f"{source.telnum} does not go by the hours")
            rows, wrong = {}, []
            for each in dict.fromkeys(to):
                try:
                    row = await number_row(tx, each)
                except NotFound:
                    wrong.append(FieldError("to", f"there is no number {each}"))
                    continue
                if row.type != NumberType.SCHEDULER:
                    wrong.append(FieldError("to", f"{row.telnum} does not go by the hours"))
                rows[row.telnum] = row
            rows.pop(source.telnum, None)
            if not rows and not wrong:
                wrong.append(FieldError("to", "must name at least one other number"))
            if wrong:
                raise Invalid(wrong)
            for row in rows.values():
                week = copy.deepcopy(source.route["schedule"])
                await keep_document(tx, row.id, {**row.route, "schedule": week})
        return list(rows)
