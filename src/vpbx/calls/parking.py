"""Parking: `*5`, and what is dialled to take a parked call back.

dialled         | and
*5              | in a talk: the other side waits at a place, which is announced to who pressed it
*5              | as a call, or the target of a transfer: the same for who calls, or is passed on
a place         | who waits there is taken back, by any phone of the company
*5 and a place  | the same
"""

from __future__ import annotations

from vpbx.calls.switch import Picked, Switch
from vpbx.directory import DomainConfig

__all__ = ["PARK", "find_parked", "parked_at"]

PARK = "*5"


def parked_at(dialled: str) -> str:
    """Return the place that `*5` and a place name; "" for anything else."""
    place = dialled.removeprefix(PARK)
    return place if dialled.startswith(PARK) and place.isascii() and place.isdigit() else ""


def find_parked(switch: Switch, domain: DomainConfig, dialled: str) -> Picked | None:
    """Return who waits at the place that was dialled; None: it is none, or empty."""
    return switch.parked.at(domain.id, parked_at(dialled) or dialled)
