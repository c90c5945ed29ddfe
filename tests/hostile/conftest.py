"""Hostile clients meet the loop that the server runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Let uvloop run the tests of this folder."""
    return {"uvloop": uvloop.new_event_loop}
