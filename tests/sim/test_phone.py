"""A simulated phone at a real PBX: registers by every transport, is refused, calls, is called."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.ports import rtp_ports
from vpbx.app.server import App
from vpbx.config import ServeConfig
from vpbx.sim import CallFailed, Phone, answering
from vpbx.sip import Hop

PASSWORD = "correct horse"


@pytest.fixture
async def pbx(tmp_path: Path) -> AsyncIterator[App]:
    app = App(
        ServeConfig.parse(
            data=tmp_path / "data",
            http="127.0.0.1:0",
            https="off",
            sip="127.0.0.1:0",
            sip_tls="127.0.0.1:0",
            rtp_ports=rtp_ports(),
        )
    )
    await app.start()
    company = (await app.directory.companies.add("acme.example", password=PASSWORD)).domain
    await app.directory.users.add(company, {"name": "Olga", "login": "olga", "password": PASSWORD})
    yield app
    await app.stop()


def way(app: App, transport: str) -> Hop:
    endpoint = app.config.sip_tls if transport == "tls" else app.config.sip
    assert endpoint is not None
    return Hop(transport, endpoint.host, endpoint.port)


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_phones_call_each_other_by_ext(pbx: App, transport: str) -> None:
    olga = Phone(
        *("olga", PASSWORD, "acme.example", way(pbx, transport)), behaviour=answering(1000)
    )
    admin = Phone("701", PASSWORD, "acme.example", way(pbx, transport))
    async with olga, admin:
        call = await admin.call("702", tone_hz=440)
        await call.answered()
        await call.heard(1000)
        theirs = await olga.rings()
        assert theirs.caller == ("Administrator", "701")
        await theirs.heard(440)
        call.hangup()
        await theirs.ended()


async def test_wrong_password_is_refused(pbx: App) -> None:
    with pytest.raises(CallFailed, match="401"):
        async with Phone("olga", "guess", "acme.example", way(pbx, "udp")):
            pass


async def test_phone_that_left_is_not_rung(pbx: App) -> None:
    async with Phone("olga", PASSWORD, "acme.example", way(pbx, "udp")) as olga:
        assert pbx.directory.locations.online(1, "olga")
        await olga.unregister()
        assert not pbx.directory.locations.online(1, "olga")
