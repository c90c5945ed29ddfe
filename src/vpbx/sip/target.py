"""Where a request is meant to go."""

from __future__ import annotations

from vpbx.frozen import dataclass
from vpbx.sip.transport import Hop


@dataclass(frozen=True, slots=True)
class Target:
    """A Request-URI, the place it is sent to, and the Route values it carries on the way."""

    uri: str
    hop: Hop
    route: tuple[str, ...] = ()
