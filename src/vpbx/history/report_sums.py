"""Sums of reports, piece by piece: how a time is cut up, and what is kept of it.

A year is cut at UTC midnights into pieces of 32 days, of 8 and of one, and a beginning and an end
of less than a day. What was counted of a piece holds for as long as no day of it has changed,
which `call_days` tells: its version was read before the piece was counted, so what came meanwhile
is counted the next time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sized
from datetime import UTC, datetime
from typing import Any, Generic, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from vpbx.frozen import dataclass

__all__ = ["DAY_MS", "QUARTER_MS", "Kept", "LocalClock", "Piece", "Sums", "add", "pieces_of"]

DAY_MS = 24 * 3600 * 1000
QUARTER_MS = 15 * 60 * 1000
"""Calls are counted by quarters of an hour: local hours and days of every zone are made of them."""
_SPANS = (32, 8, 1)
_MOST_KEPT = 60_000
"""So many lines of pieces are kept (half a kilobyte each), those used last."""

T = TypeVar("T", bound=Sized)

Counts: TypeAlias = tuple[int, ...]
Sums: TypeAlias = dict[Any, tuple[str, Counts]]
"""Of what, with a name for people, and how much."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a time, and the UTC days it lies in."""

    since_ms: int
    until_ms: int

    @property
    def days(self) -> range:
        return range(self.since_ms // DAY_MS, (self.until_ms - 1) // DAY_MS + 1)


def pieces_of(since_ms: int, until_ms: int) -> Iterator[Piece]:
    """Cut a time up, so that most pieces are those of other times as well."""
    at_ms = since_ms
    while at_ms < until_ms:
        day, within = divmod(at_ms, DAY_MS)
        end_ms = min(until_ms, (day + 1) * DAY_MS)
        if not within:
            for span in _SPANS:
                if day % span == 0 and at_ms + span * DAY_MS <= until_ms:
                    end_ms = at_ms + span * DAY_MS
                    break
        yield Piece(at_ms, end_ms)
        at_ms = end_ms


def add(sums: Sums, key: Hashable, name: str, counts: Counts) -> None:
    """Add a line to sums; of several names the last one by the alphabet."""
    there = sums.get(key)
    if there is None:
        sums[key] = (name, counts)
    else:
        both = tuple(map(int.__add__, there[1], counts))
        sums[key] = (max(there[0], name), both)


class LocalClock:
    """What quarters of an hour (since 1970) are called in a zone. The zone is asked twice for
    a day, and for each quarter only where a day has a clock change: asking takes long."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._offsets: dict[int, int | None] = {}

    def hour(self, quarter: int) -> int:
        """Return the hour of the day."""
        return self._local_ms(quarter) // 3_600_000 % 24

    def day(self, quarter: int) -> int:
        """Return the day, as `date.toordinal` counts them."""
        return self._local_ms(quarter) // DAY_MS + _EPOCH_DAY

    def _local_ms(self, quarter: int) -> int:
        at_ms = int(quarter) * QUARTER_MS
        day = at_ms // DAY_MS
        if day not in self._offsets:
            first, last = self._offset_ms(day * DAY_MS), self._offset_ms((day + 1) * DAY_MS - 1)
            self._offsets[day] = first if first == last else None
        offset_ms = self._offsets[day]
        return at_ms + (self._offset_ms(at_ms) if offset_ms is None else offset_ms)

    def _offset_ms(self, at_ms: int) -> int:
        offset = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self._zone).utcoffset()
        return 0 if offset is None else round(offset.total_seconds() * 1000)


_EPOCH_DAY = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


class Kept(Generic[T]):
    """What was counted of pieces, for as long as it holds."""

    def __init__(self) -> None:
        self._found: OrderedDict[Hashable, tuple[int, T]] = OrderedDict()
        self._lines = 0

    def get(self, about: Hashable, version: int) -> T | None:
        """Return what was counted of a piece; None: it has changed, or was not counted."""
        there = self._found.get(about)
        if there is None or there[0] != version:
            return None
        self._found.move_to_end(about)
        return there[1]

    def keep(self, about: Hashable, version: int, sums: T) -> None:
        """Keep what was counted; it must not be changed any more."""
        self._drop(about)
        self._found[about] = (version, sums)
        self._lines += len(sums) + 1
        while self._lines > _MOST_KEPT:
            self._drop(next(iter(self._found)))

    def _drop(self, about: Hashable) -> None:
        there = self._found.pop(about, None)
        if there is not None:
            self._lines -= len(there[1]) + 1
