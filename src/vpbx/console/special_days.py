"""Special days for several numbers at once."""

from __future__ import annotations

from typing import Any

from vpbx.console.forms import Wrong, errors_of
from vpbx.console.texts import phone
from vpbx.console.visit import Visit
from vpbx.directory import NotFound

__all__ = ["put_also"]


async def put_also(visit: Visit, telnum: str, values: dict[str, Any]) -> list[str]:
    """Put a special day on the other numbers that were named, to their route of the same name, or
    a new one; return which do not take it, and why."""
    telnums, refused = visit.services.directory.telnums, []
    chosen = [each for each in dict.fromkeys(visit.values("also")) if each != telnum]
    if not chosen or visit.value("kind") == "hours":
        return []
    here = (await telnums.get(visit.company, telnum)).custom_routes
    names = {custom.id: custom.name for custom in here}
    name = names.get(values["route_id"] or "", values.get("route_name", ""))
    for each in chosen:
        try:
            there = (await telnums.get(visit.company, each)).custom_routes
            found = next((custom.id for custom in there if custom.name == name), None)
            await telnums.add_special_day(
                visit.company, each, {**values, "route_id": found, "route_name": name}
            )
        except Wrong as error:
            said = "; ".join(errors_of(error, visit.texts).values())
            refused.append(f"{phone(each)} ({said})")
        except NotFound:
            refused.append(phone(each))
    return refused
