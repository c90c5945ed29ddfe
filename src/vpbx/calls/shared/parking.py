"""The parking places of all companies: who waits at which.

A place is a number that any phone of the company can dial: 51 to 59, then 501 to 599, but none
that is an internal number there, or an emergency number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from vpbx.directory import DomainConfig, is_emergency

__all__ = ["ParkingLot", "is_place"]

Guest = TypeVar("Guest")

_FEW, _MANY = range(51, 60), range(501, 600)


class ParkingLot(Generic[Guest]):
    """In memory: a parked call lives no longer than this process."""

    def __init__(self) -> None:
        self._parked: dict[tuple[int, str], Guest] = {}

    def take(self, domain: DomainConfig, guest: Guest, wish: str = "") -> str:
        """Give `guest` a place, and return it; "" when all are taken. `wish`: a place that was
        told to somebody already, whoever has it."""
        free = (place for place in _places(domain) if (domain.id, place) not in self._parked)
        place = wish or next(free, "")
        if place:
            self._parked[domain.id, place] = guest
        return place

    def leave(self, domain_id: int, place: str, guest: Guest) -> None:
        """Give a place back, unless it is somebody else's by now."""
        if self._parked.get((domain_id, place)) is guest:
            del self._parked[domain_id, place]

    def at(self, domain_id: int, place: str) -> Guest | None:
        """Return who waits at a place."""
        return self._parked.get((domain_id, place))


def is_place(domain: DomainConfig, number: str) -> bool:
    """Say whether a dialled number can only be a parking place."""
    return number in (str(place) for place in _FEW) and number not in domain.by_ext


def _places(domain: DomainConfig) -> Iterator[str]:
    for number in (*_FEW, *_MANY):
        place = str(number)
        if place not in domain.by_ext and not is_emergency(place, domain.country):
            yield place
