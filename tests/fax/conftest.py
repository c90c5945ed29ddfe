"""A whole server with a mail server and a CRM, for all faxes of this folder."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.fax.caller import FaxScene
from tests.support.crm import Receiver
from tests.support.mail import MailServer
from tests.support.ports import rtp_ports
from vpbx.app.server import App
from vpbx.config import ServeConfig

_serial = iter(range(500, 1000))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let all tests share a server: starting and stopping one takes seconds."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and inspect.iscoroutinefunction(
            getattr(item, "function", None)
        ):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mail() -> AsyncIterator[MailServer]:
    made = MailServer()
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(mail: MailServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[App]:
    """A running server."""
    app = App(
        ServeConfig.parse(
            data=tmp_path_factory.mktemp("fax") / "data",
            http="127.0.0.1:0",
            https="off",
            sip="127.0.0.1:0",
            sip_tls="off",
            rtp_ports=rtp_ports(),
            advertise="127.0.0.1",
            allow_private_crm=True,
            smtp=mail.url,
            mail_from="pbx@vpbx.example",
        )
    )
    await app.start()
    yield app
    await app.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def scene(server: App, mail: MailServer) -> AsyncIterator[FaxScene]:
    """A company whose office number takes faxes for ann."""
    mail.letters.clear()
    mail.recipients.clear()
    async with Receiver() as crm, aiohttp.ClientSession() as http:
        made = FaxScene(server, crm, http, next(_serial))
        made.mail = mail
        try:
            await made.start()
            yield made
        finally:
            await asyncio.wait_for(made.stop(), 30)
