"""What a report is asked for, and the figures it tells."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import astuple

from vpbx.frozen import dataclass
from vpbx.history.browse import Seen
from vpbx.history.period import InvalidQuery, Period

__all__ = ["Figures", "ReportAsked"]

_LONGEST_MS = 400 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class ReportAsked:
    """Which calls a report is of. Times are epoch milliseconds; `seen` None: all may be seen.

    `in_time_s`: how quickly a call has to be answered to count for the service level.
    """

    domain_id: int
    since_ms: int
    until_ms: int
    seen: Seen | None
    group: str = ""
    in_time_s: int = 20

    @classmethod
    def of(
        cls,
        domain_id: int,
        period: Period,
        now: float,
        *,
        seen: Seen | None = None,
        group: str = "",
        in_time_s: int = 20,
    ) -> ReportAsked:
        """Return what is asked of a period up to `now` (epoch seconds); InvalidQuery says why
        a period is too long."""
        until_ms = min(period.until_ms, round(now * 1000))
        if until_ms - period.since_ms > _LONGEST_MS:
            raise InvalidQuery("start", "must be at most a year before the end")
        return cls(domain_id, period.since_ms, until_ms, seen, group, in_time_s)

    def key(self) -> Hashable:
        """Return what tells it from others."""
        seen = self.seen
        may = seen and (seen.logins, seen.groups, tuple(sorted(seen.since_ms.items())))
        times = (self.since_ms, self.until_ms)
        return (self.domain_id, *times, may, self.group, self.in_time_s)


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over external calls. Times in milliseconds."""

    incoming: int = 0
    answered: int = 0
    in_time: int = 0
    """Of the incoming: answered within the time asked for."""
    abandoned: int = 0
    """Of the incoming: not answered, and no message was left."""
    waited_ms: int = 0
    """Until the answer, of the answered ones."""
    talked_ms: int = 0
    """Of all calls, incoming and outgoing."""
    outgoing: int = 0
    reached: int = 0
    """Of the outgoing: answered."""
    rated: int = 0
    stars: int = 0
    """The sum of the ratings."""

    def __add__(self, other: Figures) -> Figures:
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Figures(*(one + another for one, another in pairs))

    @property
    def missed(self) -> int:
        return self.incoming - self.answered

    @property
    def service_level(self) -> int | None:
        """Percent of the incoming calls that were answered in time; None: there were none."""
        return round(100 * self.in_time / self.incoming) if self.incoming else None

    @property
    def wait_s(self) -> int | None:
        """How long an answered call waited, on average."""
        return round(self.waited_ms / self.answered / 1000) if self.answered else None

    @property
    def talk_s(self) -> int | None:
        """How long was talked, on average of the calls that were answered."""
        talks = self.answered + self.reached
        return round(self.talked_ms / talks / 1000) if talks else None

    @property
    def rating(self) -> float | None:
        return round(self.stars / self.rated, 2) if self.rated else None
