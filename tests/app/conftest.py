"""A server inside the test's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.mail import MailServer
from tests.support.ports import rtp_ports
from vpbx.config import ServeConfig


@pytest.fixture
def config(tmp_path: Path) -> ServeConfig:
    """Settings that take any free ports."""
    return ServeConfig.parse(
        data=tmp_path / "data",
        http="127.0.0.1:0",
        https="127.0.0.1:0",
        sip="127.0.0.1:0",
        sip_tls="127.0.0.1:0",
        rtp_ports=rtp_ports(),
    )


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    """A real mail server."""
    made = MailServer()
    await made.start()
    yield made
    await made.stop()
