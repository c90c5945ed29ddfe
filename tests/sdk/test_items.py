"""Long arrays read item by item, cut wherever the network cuts them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpbx_sdk import Client, ServerFault, Unreachable, VpbxError, api
from vpbx_sdk.items import Items

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda each: st.lists(each, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(values, max_size=8), st.integers(1, 9), st.sampled_from([None, 1]))
def test_the_items_are_the_array_s_however_it_is_cut(
    array: list[Any], size: int, indent: int | None
) -> None:
    text, items, found = json.dumps(array, indent=indent), Items(), []
    for start in range(0, len(text), size):
        found += items.feed(text[start : start + size])
    items.done()
    assert found == array


@pytest.mark.parametrize("text", ["", "[", "[1", "[1,", '["a', "{}", '{"a": [1]}', "[1 2]"])
def test_what_is_no_whole_array_is_an_error(text: str) -> None:
    items = Items()

    def read() -> None:
        items.feed(text)
        items.done()

    with pytest.raises(VpbxError):
        read()


class Rows(httpx.SyncByteStream):
    """A million rows, of which somebody counts how many were asked for."""

    def __init__(self, fails_after: int = 1_000_000) -> None:
        self.given = 0
        self._fails_after = fails_after

    def __iter__(self) -> Any:
        yield b"["
        row = {"uid": "1", "type": "in", "status": "success", "start": "2026-01-01T00:00:00Z"}
        while self.given < self._fails_after:
            self.given += 1
            yield json.dumps(row).encode() + b","
        raise httpx.ReadError("gone")


def client_of(answers: list[httpx.Response]) -> Client:
    client = Client("http://fake.invalid", "KEY")
    client._http = httpx.Client(transport=httpx.MockTransport(lambda request: answers.pop(0)))
    return client


def test_history_is_read_as_it_is_used() -> None:
    rows = Rows()
    first = next(iter(client_of([httpx.Response(200, stream=rows)]).each(api.history.external())))
    assert first.uid == "1"
    assert rows.given < 10


def test_an_answer_that_breaks_off_is_tried_again_only_if_nothing_of_it_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vpbx_sdk.client._PAUSES_S", (0.0, 0.0, 0.0))
    whole = httpx.Response(200, json=[])
    nothing = client_of([httpx.Response(503, json={}), httpx.Response(200, stream=Rows(0)), whole])
    assert list(nothing.each(api.history.external())) == []
    broken = client_of([httpx.Response(200, stream=Rows(3)), whole])
    rows = broken.each(api.history.external())
    assert [next(rows).uid for _ in range(3)] == ["1", "1", "1"]
    with pytest.raises(Unreachable):
        next(rows)
    with pytest.raises(ServerFault):
        list(client_of([httpx.Response(500, json={})] * 4).each(api.history.external()))
