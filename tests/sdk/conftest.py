"""A company on a running server, and the SDK's clients to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.ports import rtp_ports
from vpbx.app.server import App
from vpbx.config import ServeConfig
from vpbx_sdk import AsyncClient, Client

DOMAIN = "acme.example"
PASSWORD = "correct horse 42"


@dataclass
class Cloud:
    """Where the company is, and its key."""

    app: App
    url: str
    key: str

    def client(self, key: str = "") -> Client:
        return Client(self.url, key or self.key, host=DOMAIN)

    def async_client(self) -> AsyncClient:
        return AsyncClient(self.url, self.key, host=DOMAIN)


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    app = App(
        ServeConfig.parse(
            data=tmp_path / "data",
            http="127.0.0.1:0",
            https="127.0.0.1:0",
            sip="127.0.0.1:0",
            sip_tls="127.0.0.1:0",
            rtp_ports=rtp_ports(),
        )
    )
    await app.start()
    domain, _ = await app.directory.companies.add(DOMAIN, "Europe/Moscow", PASSWORD)
    await app.directory.users.add(
        domain, {"name": "Olga", "login": "olga", "password": PASSWORD, "ext": "702"}
    )
    await app.directory.telnums.add(domain, "74951234567", user="olga", name="Main")
    key = (await app.directory.keys.add(domain)).key
    assert app.config.http is not None
    yield Cloud(app, f"http://127.0.0.1:{app.config.http.port}", key)
    await app.stop()
