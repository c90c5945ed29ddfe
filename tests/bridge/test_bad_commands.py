"""What comes to the bridge from a stranger, or with times that no calendar has."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from vpbx.bridge import Store, make_app, read
from vpbx.bridge.values import values_of


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'{"crm_token": "\\ud800"}',
        b'{"crm_token": "t", "\\ud800": 1}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[]",
    ],
    ids=["deep", "half a character", "as a name", "long number", "list"],
)
async def test_what_is_no_text_is_refused_and_breaks_nothing(tmp_path: Path, body: bytes) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text("[database]\nurl = 'sqlite://'\n[receiver]\ntoken = 't'\n")
    config = read(file)
    app = make_app(config, Store(config))
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    headers = [(b"content-type", b"application/json")]
    await app({"type": "http", "method": "POST", "headers": headers}, receive, send)
    assert said[0]["status"] == 400


def test_a_time_that_no_calendar_has_is_none() -> None:
    last = {"start": "9999-12-31T23:59:59Z", "wait": "5", "duration": "1"}
    found = values_of(last)
    assert (found["answered"], found["end"]) == (None, None)
    assert found["start"] is not None
    assert values_of(last, ZoneInfo("Asia/Tokyo"))["start"] is None
    first = {"start": "0001-01-01T00:00:00Z"}
    assert values_of(first, ZoneInfo("America/New_York"))["start"] is None
