"""A server to try things with: on the usual ports or, where somebody has them, the next free."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vpbx import config
from vpbx.app import ports
from vpbx.app.fault import PortTaken
from vpbx.app.running import settle
from vpbx.app.server import App
from vpbx.config import Endpoint, ServeConfig

__all__ = ["start_trial"]

_TRIES = 5


async def start_trial(
    data: Path, tell: Callable[[str], None], prepare: Callable[[App], None] = lambda app: None
) -> App:
    """Start a server on `data`; `tell` hears which ports it is not the usual ones of.

    `prepare` is given each server before its start. `StartError` says why there is none.
    """
    for left in reversed(range(_TRIES)):
        app = App(_settings(data, tell))
        prepare(app)
        try:
            await app.start()
        except PortTaken:  # between our look and our start
            if not left:
                raise
        else:
            settle()
            return app
    raise AssertionError("unreachable")


def _settings(data: Path, tell: Callable[[str], None]) -> ServeConfig:
    usual = ServeConfig()
    found: dict[str, Endpoint] = {}
    wanted: tuple[tuple[str, Endpoint | None, tuple[ports.Transport, ...]], ...] = (
        ("sip", usual.sip, ("udp", "tcp")),
        ("sip_tls", usual.sip_tls, ("tcp",)),
        ("http", usual.http, ("tcp",)),
        ("https", usual.https, ("tcp",)),
    )
    taken: set[int] = set()
    for name, endpoint, transports in wanted:
        assert endpoint is not None
        port = ports.free_port(endpoint.host, transports, endpoint.port)
        while port in taken:  # by another of our own, which does not listen yet
            port = ports.free_port(endpoint.host, transports, port + 1)
        taken.add(port)
        if port != endpoint.port:
            tell(f"Port {endpoint.port} ({name.replace('_', '-')}) is taken: {port} it is")
        found[name] = Endpoint(endpoint.host, port)
    return ServeConfig(
        allow_private_crm=True,  # the CRM of who tries it is on their own machine
        data=data,
        sip=found["sip"],
        sip_tls=found["sip_tls"],
        http=found["http"],
        https=found["https"],
        rtp=config.PortRange.parse(config.DEFAULT_RTP, "--rtp-ports"),
    )
