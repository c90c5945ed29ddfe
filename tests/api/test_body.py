"""How a request's query and body are read (crm-api D5, D6)."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from vpbx.api.body import MAX_FIELDS, query_values, read_body
from vpbx.api.errors import ApiError

MAX = 10_000


def request(body: bytes, content_type: str | None = None, *, chunk: int = 7) -> Request:
    headers = [(b"content-length", str(len(body)).encode())]
    if content_type is not None:
        headers.append((b"content-type", content_type.encode()))
    parts = [body[i : i + chunk] for i in range(0, len(body), chunk)] or [b""]

    async def receive() -> dict[str, Any]:
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


async def read(body: bytes, content_type: str | None = None) -> Any:
    return (await read_body(request(body, content_type), MAX)).value


JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("kind", [JSON, FORM, "text/plain", "multipart/form-data", None])
async def test_an_empty_body_is_an_empty_object(kind: str | None) -> None:
    assert await read(b"", kind) == {}
    assert await read(b" \r\n", kind) == {}


@pytest.mark.parametrize(
    "kind", [JSON, "application/json; charset=utf-8", "text/json", FORM, "text/plain", None]
)
async def test_json_is_read_under_any_content_type(kind: str | None) -> None:
    assert await read('{"name": "Анна", "n": [1]}'.encode(), kind) == {"name": "Анна", "n": [1]}
    assert await read(b'[{"telnum": "1"}]', kind) == [{"telnum": "1"}]


@pytest.mark.parametrize("kind", [FORM, JSON, "text/plain", "application/octet-stream", None])
async def test_a_form_is_read_under_any_content_type(kind: str | None) -> None:
    assert await read(b"phone=%2B7+910&user=admin&clid=", kind) == {
        "phone": "+7 910",
        "user": "admin",
        "clid": "",
    }


async def test_lists_in_a_form_are_gathered_as_php_writes_them() -> None:
    assert await read(b"add[]=a&add[]=b&remove[0]=c&x=1&x=2", FORM) == {
        "add": ["a", "b"],
        "remove": ["c"],
        "x": "2",
    }


async def test_multipart_fields_are_read_and_files_are_not() -> None:
    body = (
        b'--B\r\nContent-Disposition: form-data; name="phone"\r\n\r\n79101234567\r\n'
        b'--B\r\nContent-Disposition: form-data; name="user"\r\n\r\n\xd0\x90\r\n'
        b'--B\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\nhello\r\n--B--\r\n"
    )
    assert await read(body, "multipart/form-data; boundary=B") == {
        "phone": "79101234567",
        "user": "А",
    }


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", JSON),
        (b'{"a": NaN}', JSON),
        (b'"text"', JSON),
        (b"12", JSON),
        (b"hello", "text/plain"),
        (b"\xff\xfe\x00", JSON),
        (b"[" * 9000, JSON),
        (b'{"a":' + b"1" * 9000 + b"}", JSON),
        (b"no boundary", "multipart/form-data"),
        (b"&".join(b"a=1" for _ in range(MAX_FIELDS + 1)), FORM),
    ],
)
async def test_what_cannot_be_read_is_a_validation_error(body: bytes, kind: str) -> None:
    with pytest.raises(ApiError) as refused:
        await read(body, kind)
    assert refused.value.status == 400
    assert refused.value.errors[0].field == "body"


async def test_a_body_that_is_too_large_is_refused_by_its_announced_length() -> None:
    asked = request(b"x" * (MAX + 1), JSON)
    with pytest.raises(ApiError) as refused:
        await read_body(asked, MAX)
    assert refused.value.status == 413


async def test_a_body_without_a_length_is_refused_once_it_is_too_large() -> None:
    asked = request(b"x" * (MAX + 1), JSON)
    asked.scope["headers"][0] = (b"transfer-encoding", b"chunked")
    with pytest.raises(ApiError) as refused:
        await read_body(asked, MAX)
    assert refused.value.status == 413


def test_query_parameters_repeat() -> None:
    assert query_values(b"telnum=1&telnum=2&u[]=a&u[1]=b&search=%D0%90+b") == {
        "telnum": ["1", "2"],
        "u": ["a", "b"],
        "search": ["А b"],
    }
    assert query_values(b"") == {}
