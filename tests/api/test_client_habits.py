"""Clients that exist, each with the raw requests it sends."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
from typing import Any

import httpx
import pytest

from tests.api.conftest import DOMAIN, Api, World
from tests.api.raw import ask_raw
from vpbx.events import Direction


def request(api: Api, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [
        f"{method} /crmapi/v1{path} HTTP/1.1",
        f"Host: {DOMAIN}",
        f"X-API-KEY: {api.key}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.mark.parametrize(
    "path",
    [
        "/users",
        "/users/admin",
        "/users/admin/groups",
        "/users/admin/dnd",
        "/groups",
        "/telnums",
        "/history/json",
        "/history/inner/json",
        "/openapi.json",
    ],
)
async def test_ruby_sends_an_empty_object_with_every_get(api: Api, path: str) -> None:
    """It accepts 200 and 204 only."""
    raw = request(api, "GET", path, b"{}", Content_Type="application/json", User_Agent="Ruby")
    answer = await ask_raw(api.base, raw)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"


async def test_ruby_deletes_and_posts_with_an_empty_object(api: Api) -> None:
    kind = {"Content_Type": "application/json"}
    for method, status in (("DELETE", 204), ("POST", 204)):
        raw = request(api, method, "/users/admin/dnd", b"{}", **kind)
        assert (await ask_raw(api.base, raw)).status == status
    raw = request(api, "POST", "/users", b'{"name": "Ann"}', **kind)
    assert (await ask_raw(api.base, raw)).status == 200


async def test_csharp_reads_strictly_and_sends_iso_times(api: Api, world: World) -> None:
    """System.Text.Json: known names only, nulls for what is not set, `o` format of times."""
    from tests.api.test_history import Past

    past = Past(world, (await world.domain()).id)
    await past.writer.start()
    await past.call(Direction.IN, rating=5)
    await past.writer.stop()
    span = "start=2023-11-14T00:00:00.0000000Z&end=2023-11-15T23:59:59Z"
    for path in (f"/history/json?{span}", "/history/json?period=this_week"):
        answer = await ask_raw(api.base, request(api, "GET", path, Accept="application/json"))
        assert answer.status == 200
    (row,) = (await ask_raw(api.base, request(api, "GET", f"/history/json?{span}"))).json()
    assert isinstance(row["uid"], str)
    assert isinstance(row["wait"], int)
    assert row["start"].endswith("Z")
    body = {"name": "Ann", "login": None, "mobile": None, "mobile_redirect": None, "role": "user"}
    raw = request(
        api,
        "POST",
        "/users",
        json.dumps(body).encode(),
        Content_Type="application/json; charset=utf-8",
        Expect="100-continue",
    )
    answer = await ask_raw(api.base, raw)
    assert answer.status in (100, 200)


async def test_a_cron_importer_pages_to_the_end(api: Api) -> None:
    for number in range(5):
        await api.post("/users", json={"name": f"Employee {number}"})
    start, seen, requests = 0, [], 0
    while True:
        path = f"/users?start={start}&limit=4"
        page: Any = (await ask_raw(api.base, request(api, "GET", path))).json()
        requests += 1
        seen += page["items"]
        if "next" not in page["info"]:
            break
        start = page["info"]["next"]
    assert (requests, len(seen), page["info"]["total"]) == (2, 6, 6)


async def test_a_browser_fetch_from_the_crm_works_where_allowed(api: Api, world: World) -> None:
    origin = "https://crm.example"
    crm = {"url": "https://crm.example/", "token": "t", "origins": [origin]}
    await world.directory.integrations.set(await world.domain(), crm)
    preflight = (
        f"OPTIONS /crmapi/v1/users HTTP/1.1\r\nHost: {DOMAIN}\r\nOrigin: {origin}\r\n"
        "Access-Control-Request-Method: GET\r\n"
        "Access-Control-Request-Headers: x-api-key\r\n\r\n"
    )
    answer = await ask_raw(api.base, preflight.encode())
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == origin
    assert "x-api-key" in answer.headers["access-control-allow-headers"].lower()
    answer = await ask_raw(api.base, request(api, "GET", "/users", Origin=origin))
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["vary"] == "Origin"


async def test_old_clients_speak_http_1_0(api: Api) -> None:
    raw = f"GET /crmapi/v1/users HTTP/1.0\r\nX-API-KEY: {api.key}\r\n\r\n".encode()
    answer = await ask_raw(api.base, raw)
    assert (answer.status, answer.json()["info"]["total"]) == (200, 1)


PHP = """
$c = curl_init($argv[1] . '/crmapi/v1/users');
curl_setopt_array($c, [CURLOPT_RETURNTRANSFER => true, CURLOPT_POST => true,
    CURLOPT_HTTPHEADER => ['X-API-KEY: ' . $argv[2]],
    CURLOPT_POSTFIELDS => $argv[3] === 'array' ? ['name' => 'Анна', 'login' => 'php1']
        : http_build_query(['name' => 'Анна', 'login' => 'php2'])]);
$body = curl_exec($c);
echo curl_getinfo($c, CURLINFO_HTTP_CODE), ' ', json_decode($body)->name;
"""
NODE = """
const [base, key, kind] = process.argv.slice(1);
const fields = { name: 'Анна', login: 'node-' + kind };
const bodies = {
  json: () => ({ body: JSON.stringify(fields), headers: { 'Content-Type': 'application/json' } }),
  text: () => ({ body: JSON.stringify(fields) }),
  params: () => ({ body: new URLSearchParams(fields) }),
  stream: () => ({ body: new Blob([JSON.stringify(fields)]).stream(), duplex: 'half' }),
};
const { headers, ...sent } = bodies[kind]();
fetch(base + '/crmapi/v1/users', {
  method: 'POST', headers: { 'X-API-KEY': key, ...headers }, ...sent,
}).then(async (got) => console.log(got.status, (await got.json()).name));
"""
CURLS = {
    "form": ["-d", "name=Анна", "-d", "login=curl"],
    "JSON under the type of forms": ["-d", '{"name": "Анна", "login": "curl"}'],
    "a form under the type of JSON": ["-H", "Content-Type: application/json", "-d", "name=Анна"],
    "JSON as text": ["-H", "Content-Type: text/plain", "-d", '{"name": "Анна"}'],
    "no type": ["-H", "Content-Type:", "-d", "name=Анна"],
    "a type of its own": ["-H", "Content-Type: application/vnd.api+json", "-d", '{"name": "Анна"}'],
    "HTTP/1.0": ["--http1.0", "-d", "name=Анна"],
    "asking first": ["-H", "Expect: 100-continue", "-d", "name=Анна"],
    "chunked": ["-H", "Transfer-Encoding: chunked", "-d", "name=Анна"],
    "multipart": ["-F", "name=Анна"],
    "a mark before it": ["--data-binary", '\ufeff{"name": "Анна"}\r\n'],
    "two types": ["-H", "Content-Type: text/plain", "-H", "Content-Type: x/y", "-d", "name=Анна"],
    "the query": ["-X", "POST", "--url-query", "name=Анна"],
    "a proxy's way": ["--request-target", "{base}/crmapi/v1/users", "-d", "name=Анна"],
}


async def says(*command: str) -> str:
    """Run a program and return what it prints."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    return out.decode().strip()


@pytest.mark.parametrize("way", CURLS)
async def test_curl_adds_somebody_in_every_way_it_is_used(api: Api, way: str) -> None:
    options = [option.replace("{base}", api.base) for option in CURLS[way]]
    command = ["curl", "-sS", "-H", f"X-API-KEY: {api.key}", "-w", " %{http_code}", *options]
    said = await says(*command, f"{api.base}/crmapi/v1/users")
    if "--url-query: is unknown" in said:
        pytest.skip("this curl knows no --url-query")
    assert said.endswith(" 200"), said
    assert json.loads(said.rpartition(" ")[0])["name"] == "Анна"


async def test_curl_asks_for_history_with_a_body_or_with_a_query(api: Api) -> None:
    command = ["curl", "-sS", "-H", f"X-API-KEY: {api.key}", f"{api.base}/crmapi/v1/history/json"]
    for options in (["-G", "-d", "period=today"], ["-X", "GET", "-d", '{"period": "today"}']):
        assert await says(*command, *options) == "[]"
    wrong = await says(*command, "-X", "GET", "-d", '{"period": "tomorrow"}')
    assert json.loads(wrong)["errors"][0]["field"] == "period"


async def test_a_compressed_body_is_refused_in_words(api: Api) -> None:
    body = gzip.compress(b'{"name": "Ann"}')
    kind = {"Content_Type": "application/json", "Content_Encoding": "gzip"}
    answer = await ask_raw(api.base, request(api, "POST", "/users", body, **kind))
    [error] = answer.json()["errors"]
    assert (answer.status, error["field"]) == (400, "body")
    assert "Content-Encoding: gzip" in error["message"]


@pytest.mark.parametrize("fields", ["array", "query"])
async def test_php_sends_an_array_or_a_query(api: Api, fields: str) -> None:
    if "curl" not in await says("php", "-m"):
        pytest.skip("PHP has no curl")
    assert await says("php", "-r", PHP, api.base, api.key, fields) == "200 Анна"


@pytest.mark.parametrize("kind", ["json", "text", "params", "stream"])
async def test_node_fetches_with_every_kind_of_body(api: Api, kind: str) -> None:
    if await says("node", "-p", "typeof fetch") != "function":
        pytest.skip("this Node has no fetch")
    assert await says("node", "-e", NODE, api.base, api.key, kind) == "200 Анна"


@pytest.mark.parametrize("body", [{"json": {"name": "Анна"}}, {"data": {"name": "Анна"}}])
async def test_requests_and_httpx_send_what_they_call_json_and_data(
    api: Api, body: dict[str, Any]
) -> None:
    requests = pytest.importorskip("requests")  # comes with other tools of the tests
    url, headers = f"{api.base}/crmapi/v1/users", {"X-API-KEY": api.key}
    answer = await asyncio.to_thread(requests.post, url, headers=headers, timeout=30, **body)
    assert (answer.status_code, answer.json()["name"]) == (200, "Анна")
    async with httpx.AsyncClient(headers=headers) as client:
        assert (await client.post(url, **body)).json()["name"] == "Анна"
        files = {"name": (None, "Анна")}
        assert (await client.post(url, files=files)).json()["name"] == "Анна"
