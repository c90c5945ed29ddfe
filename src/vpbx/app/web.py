"""The HTTP ports of a server: bound before all else, answering when there is something to answer.

Beside the API and the console these are the bridge and what a certificate authority asks.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from vpbx.app.addresses import port_fault
from vpbx.app.fault import StartError
from vpbx.app.http import HttpListener
from vpbx.app.http_bounds import Bounds, Connections
from vpbx.app.lifetime import Lifetime
from vpbx.clock import Clock
from vpbx.config import Endpoint, ServeConfig

__all__ = ["Web"]

_HTTP_CONNECTIONS = Bounds().total
_HTTP_SHARE = 4
"""Of the files that may be open HTTP gets one in so many; calls, phones and disks the rest."""


class Web:
    """All HTTP ports; `files`: how many files may be open at once."""

    def __init__(
        self, life: Lifetime, config: ServeConfig, registry: CollectorRegistry, *, files: int
    ) -> None:
        self._life = life
        self._config = config
        self._registry = registry
        self._listeners: list[HttpListener] = []
        self._clients = Connections(
            Bounds(total=max(1, min(_HTTP_CONNECTIONS, files // _HTTP_SHARE))),
            trusted=config.trusted_proxies,
            registry=registry,
        )

    def bind(self, tls: ssl.SSLContext) -> ServeConfig:
        """Take the ports, and return the settings with the real ones."""
        http, https = self._config.http, self._config.https
        if http is not None:
            self._listeners.append(self._bind(http, "--http", None))
            self._config = replace(self._config, http=self._listeners[-1].endpoint)
        if https is not None:
            self._listeners.append(self._bind(https, "--https", tls))
            self._config = replace(self._config, https=self._listeners[-1].endpoint)
        return self._config

    async def answer(self, app: Any) -> None:
        """Have all that comes answered by `app`."""
        for listener in self._listeners:
            await listener.start(app)
            self._life.later(listener.stop, 1.2)  # before the parts that it asks

    def _bind(self, endpoint: Endpoint, option: str, tls: ssl.SSLContext | None) -> HttpListener:
        listener = HttpListener(endpoint, tls=tls, connections=self._clients)
        try:
            listener.bind()
        except OSError as error:
            raise port_fault(error, "tcp", endpoint, option) from error
        self._life.later(listener.stop, 0.1)
        return listener

    async def serve_bridge(self, file: Path) -> None:
        """Run the bridge whose settings are in `file`."""
        from vpbx.bridge import BridgeFault, Store, follow_sheet, make_app, read

        try:
            settings = read(file)
            store = Store(settings, self._registry)
            await store.open()
        except BridgeFault as fault:
            raise StartError(f"--bridge: {fault}") from fault
        self._life.later(store.close, 0.3)
        listener = self._bind(Endpoint(settings.host, settings.port), "--bridge", None)
        await listener.start(make_app(settings, store))
        if settings.sheet is not None:
            self._life.spawn(follow_sheet(settings.sheet, store))

    async def ask_for_certificates(
        self, tls: Path, names: Callable[[], Iterable[str]], clock: Clock
    ) -> None:
        """Keep certificates by ACME in the folder `tls`, for the names of our companies."""
        from vpbx.app.acme import Acme, Challenges  # loads much that few servers need

        config = self._config
        challenges = Challenges()
        listener = self._bind(config.acme_http, "--acme-http", None)
        await listener.start(challenges)
        acme = Acme(
            email=config.acme,
            directory=config.acme_directory,
            trust=config.acme_trust,
            tls=tls,
            names=names,
            challenges=challenges,
            clock=clock,
        )
        self._life.spawn(acme.run())
