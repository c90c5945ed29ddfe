"""A real mail server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.mail import MailServer


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    made = MailServer()
    await made.start()
    yield made
    await made.stop()
