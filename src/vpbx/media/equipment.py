"""What all sessions of a media engine share: RTPProxy, the guards of its ports, the prompts."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from ipaddress import ip_address
from typing import Any

from vpbx.clock import Clock, LoopClock

from .gates import Gates
from .model import MediaConfig
from .names import Names
from .prompts import PromptLibrary
from .proxy import LocalProxy, Proxy, RemoteProxy
from .recorder import Recordings
from .sink import Sink
from .srtp import SrtpRelay

__all__ = ["Equipment"]


class Equipment:
    """Of one engine, which starts and stops it."""

    def __init__(self, config: MediaConfig, clock: Clock | None) -> None:
        self.config = config
        self._clock = clock
        self.proxy: Proxy = (
            RemoteProxy(config.remote, config.notify) if config.remote else LocalProxy(config)
        )
        self.names = Names()
        self.srtp = SrtpRelay(config)
        self.prompts = PromptLibrary(config.prompts_dir)
        self.recordings = Recordings(config)
        self.knows_sdes = config.remote is None or _is_here(config.remote, config.listen_host)
        """Whether our relay for SRTP stands beside RTPProxy: they speak by this machine's ports."""
        self.sink: Sink | None = None
        self.gates: Gates | None = None
        """Guards of the ports; None where RTPProxy has to guard them itself."""
        self.local_host = config.advertise or config.listen_host
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def clock(self) -> Clock:
        """The clock of the engine; that of the loop unless one was given."""
        if self._clock is None:
            self._clock = LoopClock()
        return self._clock

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside calls; it is kept in mind until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _is_here(remote: str, listen_host: str) -> bool:
    """Say whether an RTPProxy at `udp:H:P`, `tcp:H:P` or `unix:PATH` is on this machine."""
    kind, _, where = remote.partition(":")
    host = where.rpartition(":")[0].strip("[]")
    if kind == "unix" or host in ("localhost", listen_host):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
