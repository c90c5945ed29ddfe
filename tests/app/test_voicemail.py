"""A caller leaves a message: it is mailed, kept, heard again by phone, and deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import av
import pytest

from tests.support.mail import MailServer
from vpbx.app.server import App
from vpbx.config import ServeConfig
from vpbx.directory import DomainConfig
from vpbx.sim import Carrier, Phone
from vpbx.sim.call import Call
from vpbx.sip import Hop

PASSWORD = "correct horse 42"
OFFICE = "74951234567"


@pytest.fixture
async def app(config: ServeConfig, server: MailServer) -> AsyncIterator[App]:
    made = App(replace(config, smtp=server.url, mail_from="pbx@acme.example"))
    await made.start()
    yield made
    await made.stop()


def hop(app: App) -> Hop:
    assert app.config.sip is not None
    return Hop("udp", "127.0.0.1", app.config.sip.port)


async def company(app: App, carrier: Carrier, language: str = "ru") -> DomainConfig:
    directory = app.directory
    domain, _ = await directory.companies.add(
        "acme.example", "Asia/Yekaterinburg", PASSWORD, language=language
    )
    await directory.users.add(
        domain,
        {"name": "Ольга", "login": "olga", "email": "olga@acme.example", "password": PASSWORD},
    )
    await directory.trunk_rules.add("main", carrier.address)
    await directory.telnums.add(domain, OFFICE, user="olga", trunk="main")
    await directory.am_users.add(domain, ["olga"])
    return await directory.current(domain)


async def leave_message(carrier: Carrier, seconds: float, tone_hz: float = 700) -> Call:
    call = await carrier.call(OFFICE, caller="79101112233")
    await call.answered()
    assert call.rtp is not None
    await call.rtp.hear(10)
    call.dial("#")  # straight to the tone
    await call.heard(1000, timeout_s=30)
    call.say(tone_hz)
    await asyncio.sleep(seconds)
    return call


async def test_message_is_mailed_played_by_phone_and_deleted(
    app: App,
    server: MailServer,
    tmp_path: Path,
) -> None:
    async with Carrier(hop(app)) as carrier:
        domain = await company(app, carrier)
        call = await leave_message(carrier, 4)
        call.hangup()
        await server.until(1)
        [letter] = server.letters
        assert server.recipients == ["olga@acme.example"]
        assert letter["Subject"] == "Голосовое сообщение от +79101112233"
        body = letter.get_body()
        assert body is not None
        text = body.get_content()
        assert "+79101112233" in text
        assert "Asia/Yekaterinburg" in text
        [sound] = letter.iter_attachments()
        file = tmp_path / "message.mp3"
        file.write_bytes(sound.get_content())
        with av.open(str(file)) as opened:
            assert opened.duration is not None
            assert 3 < opened.duration / 1_000_000 < 8

        phone = Phone("olga", PASSWORD, "acme.example", hop(app))
        await phone.start()
        box = app.boxes
        assert await box.counts(domain.id, "olga") == (1, 0)
        own = await phone.call("*97")
        await own.answered()
        await own.heard(700, timeout_s=40)
        async with asyncio.timeout(20):
            own.dial("3")
            while await box.counts(domain.id, "olga") != (0, 0):
                await asyncio.sleep(0.05)
        assert (await own.ended(30)).cause == "bye"
        again = await phone.call("*97")
        await again.answered()
        assert (await again.ended(20)).cause == "bye"
        await phone.stop()


async def test_silence_ends_a_message_and_too_short_a_one_is_none(
    app: App,
    server: MailServer,
) -> None:
    async with Carrier(hop(app)) as carrier:
        domain = await company(app, carrier, "en")
        call = await leave_message(carrier, 3)
        call.hush()
        assert (await call.ended(12)).cause == "bye"
        await server.until(1)
        short = await leave_message(carrier, 0.6, 500)
        short.hangup()
        await asyncio.sleep(1)
        [message] = await app.boxes.messages(domain.id, "olga")
        assert message.client == "79101112233"
        assert 2 <= message.seconds <= 12
        assert letter_subject(server) == "Voice message from +79101112233"
    left = list(app.data.recorded.rglob("*.rtp"))
    assert left == []


def letter_subject(server: MailServer) -> str:
    assert len(server.letters) == 1
    return str(server.letters[0]["Subject"])
