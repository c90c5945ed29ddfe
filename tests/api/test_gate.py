"""What every request passes first: caller, HTTPS, headers, faults (crm-api §1)."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tests.api.conftest import Server, World
from vpbx.api import ApiConfig, create_app
from vpbx.api.gate import AUTHORITY, CLIENT, Gate, asked_base, asked_domain


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(scope[CLIENT] + " " + scope["path"])(scope, receive, send)


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("secret inside")


async def ask(
    gate: Gate,
    *,
    client: str = "127.0.0.1",
    scheme: str = "http",
    path: str = "/x",
    **headers: str,
) -> tuple[int, dict[str, str], bytes]:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "scheme": scheme,
        "client": (client, 1),
        "headers": raw,
    }
    await gate(scope, receive, send)
    found = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(m.get("body", b"") for m in sent[1:])


async def test_plain_http_is_refused_except_from_loopback() -> None:
    gate = Gate(echo)
    assert (await ask(gate, client="127.0.0.1"))[0] == 200
    assert (await ask(gate, client="::1"))[0] == 200
    assert (await ask(gate, client="203.0.113.9", scheme="https"))[0] == 200
    status, _, body = await ask(gate, client="203.0.113.9")
    assert (status, body) == (403, b'{"message": "HTTPS is required"}')


async def test_forwarded_headers_of_strangers_are_ignored() -> None:
    gate = Gate(echo, ["10.0.0.0/8"])
    headers = {"x_forwarded_for": "127.0.0.1", "x_forwarded_proto": "https"}
    assert (await ask(gate, client="203.0.113.9", **headers))[0] == 403
    _, _, body = await ask(gate, client="203.0.113.9", scheme="https", **headers)
    assert body == b"203.0.113.9 /x"


async def test_a_trusted_proxy_tells_who_calls_and_how() -> None:
    gate = Gate(echo, ["10.0.0.0/8", "192.0.2.1"])
    status, _, body = await ask(gate, client="10.1.1.1", x_forwarded_for="198.51.100.7")
    assert (status, body) == (200, b"198.51.100.7 /x")
    status, _, _ = await ask(gate, client="10.1.1.1", x_forwarded_proto="http")
    assert status == 403


@pytest.mark.parametrize(
    ("header", "caller"),
    [
        ("6.6.6.6, 198.51.100.7", "198.51.100.7"),
        ("6.6.6.6, 198.51.100.7, 192.0.2.1", "198.51.100.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("198.51.100.7:5060", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("198.51.100.7, rubbish", "10.1.1.1"),
        ("", "10.1.1.1"),
    ],
)
async def test_the_caller_is_the_last_hop_no_proxy_of_ours(header: str, caller: str) -> None:
    gate = Gate(echo, ["10.0.0.0/8", "192.0.2.1"])
    _, _, body = await ask(gate, client="10.1.1.1", x_forwarded_for=header)
    assert body == f"{caller} /x".encode()


async def test_answers_bear_security_headers() -> None:
    _, headers, _ = await ask(Gate(echo), scheme="https")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "max-age" in headers["strict-transport-security"]
    _, headers, _ = await ask(Gate(echo))
    assert "strict-transport-security" not in headers


async def test_a_fault_of_ours_shows_an_id_and_nothing_internal() -> None:
    status, headers, body = await ask(Gate(broken))
    assert status == 500
    assert body == b'{"message": "Internal error"}'
    assert len(headers["x-request-id"]) == 16


async def test_a_slash_at_the_end_of_a_path_does_not_matter() -> None:
    assert (await ask(Gate(echo), path="/crmapi/v1/users/"))[2] == b"127.0.0.1 /crmapi/v1/users"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("acme.vpbx.example", "acme.vpbx.example"),
        ("ACME.vpbx.example.:8443", "acme.vpbx.example"),
        ("localhost:8080", None),
        ("127.0.0.1:8080", None),
        ("192.0.2.7", None),
        ("[::1]:8080", None),
        ("", None),
    ],
)
async def test_the_host_names_a_domain_unless_it_is_an_address(host: str, name: str | None) -> None:
    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(str(asked_domain(scope)))(scope, receive, send)

    _, _, body = await ask(Gate(named), host=host)
    assert body.decode() == str(name)


PROXY = "10.1.1.1"


@pytest.mark.parametrize(
    ("asked", "base"),
    [
        ({"scheme": "https", "host": "acme.example"}, "https://acme.example"),
        ({"scheme": "https", "host": "acme.example:8443"}, "https://acme.example:8443"),
        ({"scheme": "https", "host": "ACME.example:443"}, "https://acme.example"),
        ({"scheme": "https", "host": "[2001:db8::1]:8443"}, "https://[2001:db8::1]:8443"),
        ({"host": "127.0.0.1:8080"}, "http://127.0.0.1:8080"),
        ({"host": "[::1]"}, "https://[::1]:9443"),
        ({"client": PROXY, "host": "acme.example"}, "https://acme.example"),
        (
            {"client": PROXY, "host": "upstream:8080", "x_forwarded_host": "acme.example"},
            "https://acme.example",
        ),
        (
            {
                "client": PROXY,
                "host": "upstream",
                "x_forwarded_host": "evil.example, acme.example",
                "x_forwarded_port": "8443",
                "x_forwarded_proto": "https",
            },
            "https://acme.example:8443",
        ),
        (
            {"client": "127.0.0.1", "host": "acme.example", "x_forwarded_host": "evil.example"},
            "https://acme.example:9443",
        ),
        ({"scheme": "https", "host": 'a.example"><x'}, ""),
        ({"scheme": "https", "host": "a.example/../x"}, ""),
        ({"scheme": "https"}, ""),
    ],
)
async def test_links_lead_to_where_the_request_came_to(asked: dict[str, str], base: str) -> None:
    async def linked(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(asked_base(scope, 9443))(scope, receive, send)

    status, _, body = await ask(Gate(linked, [PROXY]), **asked)
    assert (status, body.decode()) == (200, base)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Forwarded-Proto": "http", "X-Forwarded-For": "203.0.113.5"}, 403),
        ({"X-Forwarded-Proto": "http"}, 403),
        ({"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.5"}, 401),
        ({}, 401),
    ],
)
async def test_proxy_on_loopback_that_was_asked_in_clear_text_is_refused(
    world: World, headers: dict[str, str], status: int
) -> None:
    services = replace(world.services, config=ApiConfig(trusted_proxies=("127.0.0.1",)))
    async with (
        Server(create_app(services)) as base,
        aiohttp.ClientSession() as session,
        session.get(f"{base}/crmapi/v1/users", headers=headers) as answer,
    ):
        assert answer.status == status


def test_names_that_strangers_ask_for_are_not_kept() -> None:
    """They come before any key, as long as a head may be."""
    tracemalloc.start()
    try:
        for number in range(1000):
            host = f"{number:04}" + "a" * 60_000
            assert asked_domain({AUTHORITY: host}) == host
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000
