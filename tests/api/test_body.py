"""How a request's query and body are read."""

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


CP1251 = "; charset=windows-1251"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"name=%C0%ED%ED%E0", FORM + CP1251),
        (b"name=" + "Анна".encode("cp1251"), FORM + '; charset="Windows-1251"'),
        (b"name=%E1%CE%CE%C1", FORM + "; charset=KOI8-R"),
        ("name=Анна".encode(), FORM),
        (b'{"name": "' + "Анна".encode("cp1251") + b'"}', JSON + CP1251),
        ('{"name": "Анна"}'.encode("utf-16"), JSON),
        ('{"name": "Анна"}'.encode("utf-16-le"), JSON + "; charset=utf-16le"),
        ('{"name": "Анна"}'.encode("utf-8-sig"), JSON),
        (
            b'--B\r\nContent-Disposition: form-data; name="name"\r\n\r\n'
            + "Анна".encode("cp1251")
            + b"\r\n--B--\r\n",
            "multipart/form-data; boundary=B; charset=windows-1251",
        ),
        (
            b'--B\r\nContent-Disposition: form-data; name="name"\r\n'
            b"Content-Type: text/plain; charset=windows-1251\r\n\r\n"
            + "Анна".encode("cp1251")
            + b"\r\n--B--\r\n",
            "multipart/form-data; boundary=B",
        ),
        (
            b'--B\r\nContent-Disposition: form-data; name="name"\r\n\r\n'
            + "Анна".encode("cp1251")
            + b'\r\n--B\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\n'
            b"windows-1251\r\n--B--\r\n",
            "multipart/form-data; boundary=B",
        ),
    ],
)
async def test_a_body_is_read_in_the_charset_it_names(body: bytes, kind: str) -> None:
    assert (await read(body, kind))["name"] == "Анна"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"name=%C0%ED%ED%E0", FORM),
        (b"name=" + "Анна".encode("cp1251"), FORM),
        (b"name=%C0", FORM + "; charset=utf-8"),
        (b"name=x", FORM + "; charset=klingon"),
        (b"name=x", FORM + "; charset=unicode_escape"),
        (b"name=x", FORM + "; charset=base64"),
        (b'{"name": "' + "Анна".encode("cp1251") + b'"}', JSON),
        (
            b'--B\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xc0\xed\r\n--B--\r\n',
            "multipart/form-data; boundary=B",
        ),
        (
            b'--B\r\nContent-Disposition: form-data; name="name"\r\n'
            b"Content-Type: text/plain; charset=klingon\r\n\r\nx\r\n--B--\r\n",
            "multipart/form-data; boundary=B",
        ),
    ],
)
async def test_what_is_no_text_in_its_charset_is_refused(body: bytes, kind: str) -> None:
    with pytest.raises(ApiError) as refused:
        await read(body, kind)
    assert refused.value.status == 400
    (error,) = refused.value.errors
    assert error.field == "body"
    assert "charset" in error.message


def test_a_query_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(ApiError) as refused:
        query_values(b"search=%C0%ED")
    assert [error.field for error in refused.value.errors] == ["query"]


async def test_parts_of_a_form_are_read_as_php_nests_them() -> None:
    assert await read(
        b"name=Sales&users[0][login]=ann&users[0][calls_enable]=1&users[1][login]=bob"
        b"&timeout[time]=30&timeout[target]=user",
        FORM,
    ) == {
        "name": "Sales",
        "users": [{"login": "ann", "calls_enable": "1"}, {"login": "bob"}],
        "timeout": {"time": "30", "target": "user"},
    }
    assert await read(b"a[b]=1&a=2&x[=3&[y]=4&a[c]=5", FORM) == {"a": "2", "x[": "3", "[y]": "4"}
    with pytest.raises(ApiError):
        await read(b"a" + b"[b]" * 50 + b"=1", FORM)


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


async def test_a_body_of_lists_alone_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vpbx.api.body._MAX_NESTED", 10)
    with pytest.raises(ApiError) as refused:
        await read(b"[" + b"[]," * 10 + b"[]]", JSON)
    assert refused.value.status == 400
    assert "too many lists" in refused.value.errors[0].message


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
