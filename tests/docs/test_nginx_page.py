"""The page's text for nginx, given to a real nginx before a real server."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from tests.support.pbx import Pbx
from tests.support.ports import free_port

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


class Front(NamedTuple):
    """acme.example behind nginx: its address, one who trusts its certificate, and a key."""

    base: str
    trusting: ssl.SSLContext
    key: str
    pbx: Pbx


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    assert NGINX is not None
    folder = tmp_path_factory.mktemp("nginx")
    certificate, private, port = folder / "c.pem", folder / "k.pem", free_port()
    run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-keyout", str(private), "-out", str(certificate), "-days", "2"),
        *("-subj", "/CN=acme.example", "-addext", "subjectAltName=DNS:acme.example"),
    )
    pbx = Pbx(folder / "data", more=_options_of_the_page())
    pbx.vpbx("domain", "add", "acme.example")
    key = pbx.vpbx("key", "add", "acme.example")["key"]
    pbx.start()
    block = re.search(r"^```nginx\n(.*?)^```$", PAGE, re.M | re.S)
    assert block is not None
    text = block[1].replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    text = text.replace("/etc/ssl/acme.example.pem", str(certificate))
    text = text.replace("/etc/ssl/acme.example.key", str(private))
    text = text.replace("http://127.0.0.1:8080", pbx.api.removesuffix("/crmapi/v1"))
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in TEMPORARY)
    (folder / "nginx.conf").write_text(
        f"pid {folder}/pid;\nerror_log {folder}/error.log;\ndaemon off;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{paths}{text}}}\n"
    )
    nginx = subprocess.Popen([NGINX, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"])
    try:
        trusting = ssl.create_default_context(cafile=str(certificate))
        yield Front(f"https://acme.example:{port}", trusting, key, pbx)
    finally:
        nginx.terminate()
        nginx.wait(10)
        pbx.kill()


def _options_of_the_page() -> tuple[str, ...]:
    found = re.search(r"^vpbx serve (--https off --trusted-proxies .*)$", PAGE, re.M)
    assert found is not None
    return tuple(word.strip("'") for word in found[1].split())


class Everywhere(aiohttp.abc.AbstractResolver):
    """Finds every name on this machine."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:  # type: ignore[override]
        found = {"hostname": host, "host": "127.0.0.1", "port": port}
        return [{**found, "family": 2, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        pass


def visitor(front: Front) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(ssl=front.trusting, resolver=Everywhere())
    return aiohttp.ClientSession(front.base, connector=connector)


async def test_the_api_the_console_and_its_phone_are_reached_through_nginx(front: Front) -> None:
    async with visitor(front) as http:
        async with asyncio.timeout(30):
            while True:
                try:
                    await http.get("/")
                    break
                except aiohttp.ClientConnectionError:  # it begins to listen
                    await asyncio.sleep(0.05)
        key = {"X-API-KEY": front.key}
        async with http.get("/crmapi/v1/users", headers=key) as users:
            assert (await users.json())["info"]["total"] == 1
        async with http.get("/crmapi/v1/openapi.json", headers=key) as document:
            servers = (await document.json(content_type=None))["servers"]
        assert servers[0]["url"].startswith("https://acme.example")
        async with http.get("/login") as page:
            assert (page.status, page.content_type) == (200, "text/html")
        events = http.get("/crmapi/v1/events/stream", headers=key)
        async with events as stream, asyncio.timeout(30):
            assert await stream.content.readline() == b": hello\n"
        for origin, code in ((front.base, 101), ("https://elsewhere.example", 403)):
            asked = {
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Origin": origin,
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Protocol": "sip",
                "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            }
            async with http.get("/sip", headers=asked) as phone:
                assert phone.status == code
        # An upload of 3 MB reaches us, who know no such page; nginx alone would say 413.
        async with http.post("/nothing", data=b"x" * 3_000_000) as upload:
            assert upload.status != 413
        invited = await asyncio.to_thread(front.pbx.vpbx, "user", "invite", "acme.example", "admin")
        assert invited["link"].startswith("https://acme.example/invite/")
