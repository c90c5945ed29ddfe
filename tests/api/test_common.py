"""What holds for every endpoint: keys, errors, encodings, parameters (crm-api §0, §3)."""

from __future__ import annotations

import json

import aiohttp
import pytest

from tests.api.conftest import DOMAIN, Api, Server, World
from vpbx.api import PREFIX, ApiConfig, ApiServices, create_app


async def test_a_key_opens_the_door(api: Api) -> None:
    page = await api.get("/users")
    assert [user["login"] for user in page["items"]] == ["admin"]


@pytest.mark.parametrize("key", [None, "wrong", "vpbx_" + "x" * 43, "é"])
async def test_no_key_or_a_wrong_one_is_an_invalid_token(api: Api, key: str | None) -> None:
    answer = await api("GET", "/users", key=key)
    assert (answer.status, answer.json()) == (401, {"message": "Invalid token"})


async def test_the_key_of_another_domain_does_not_fit_the_host(api: Api, world: World) -> None:
    await world.directory.companies.add("globex.vpbx.example")
    other = await world.key(domain="globex.vpbx.example")
    answer = await api("GET", "/users", key=other)
    assert (answer.status, answer.json()) == (401, {"message": "Invalid token"})
    assert (await api("GET", "/users", key=other, host="globex.vpbx.example")).status == 200
    assert (await api("GET", "/users", key=other, host="GLOBEX.vpbx.example:8443")).status == 200


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080", "pbx.example"])
async def test_where_the_host_names_no_domain_the_key_alone_does(api: Api, host: str) -> None:
    assert (await api("GET", "/users", host=host)).status == 200


async def test_a_revoked_key_is_an_invalid_token(api: Api, world: World) -> None:
    domain = await world.domain()
    made = await world.directory.keys.add(domain)
    assert (await api("GET", "/users", key=made.key)).status == 200
    await world.directory.keys.revoke(domain, made.id)
    answer = await api("GET", "/users", key=made.key)
    assert (answer.status, answer.json()) == (401, {"message": "Invalid token"})


async def test_a_domain_switched_off_says_crm_disabled(api: Api, world: World) -> None:
    await world.directory.companies.switch(await world.domain(), False)
    answer = await api("GET", "/users")
    assert (answer.status, answer.json()) == (401, {"message": "CRM disabled"})


async def test_an_integration_switched_off_says_so(api: Api, world: World) -> None:
    crm = {"url": "https://crm.example/", "token": "t", "enabled": False}
    await world.directory.integrations.set(await world.domain(), crm)
    answer = await api("GET", "/users")
    assert (answer.status, answer.json()) == (401, {"message": "CRM switched off"})


async def test_an_address_that_is_not_allowed_is_an_invalid_token(api: Api, world: World) -> None:
    crm = {"url": "https://crm.example/", "token": "t", "networks": ["203.0.113.0/24"]}
    await world.directory.integrations.set(await world.domain(), crm)
    answer = await api("GET", "/users")
    assert (answer.status, answer.json()) == (401, {"message": "Invalid token"})
    crm["networks"] = ["127.0.0.0/8"]
    await world.directory.integrations.set(await world.domain(), crm)
    assert (await api("GET", "/users")).status == 200


async def test_a_key_without_the_right_is_forbidden(api: Api, world: World) -> None:
    key = await world.key("Employees:View")
    answer = await api("POST", "/users", key=key, json={"name": "Ann"})
    assert (answer.status, answer.json()) == (
        403,
        {"message": "Don't have permission to access"},
    )
    assert (await api("GET", "/users", key=key)).status == 200


async def test_guessing_keys_is_slowed_down(world: World) -> None:
    config = ApiConfig(wrong_keys_per_minute=3)
    s = world.services
    app = create_app(ApiServices(s.directory, s.history, s.calls, s.clock, config))
    async with Server(app) as base, aiohttp.ClientSession() as session:
        api = Api(base, await world.key(), session)
        statuses = [(await api("GET", "/users", key=f"k{i}")).status for i in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        answer = await api("GET", "/users", key="again")
        assert answer.headers["Retry-After"] == "60"
        assert (await api("GET", "/users")).status == 200, "a right key is not locked out"


@pytest.mark.parametrize("path", ["/nothing", "/users/admin/nothing", "", "/users/a%2Fb"])
async def test_an_unknown_path_is_not_found(api: Api, path: str) -> None:
    answer = await api("GET", path)
    assert (answer.status, answer.json()) == (404, {"message": "Not found"})


@pytest.mark.parametrize("login", ["nobody", "%00", "%ff", "799", "a b", "😀"])
async def test_an_unknown_object_is_not_found(api: Api, login: str) -> None:
    answer = await api("GET", f"/users/{login}")
    assert (answer.status, answer.json()) == (404, {"message": "Not found"})


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PATCH", "/users", "GET, POST"),
        ("DELETE", "/users", "GET, POST"),
        ("POST", "/users/admin", "DELETE, GET, PUT"),
        ("GET", "/makecall", "POST"),
        ("OPTIONS", "/makecall", "POST"),
    ],
)
async def test_a_wrong_method_names_all_that_are_allowed(
    api: Api, method: str, path: str, allow: str
) -> None:
    answer = await api(method, path)
    assert (answer.status, answer.json()) == (405, {"message": "Method Not Allowed"})
    assert answer.headers["Allow"] == allow


async def test_a_wrong_body_names_the_field(api: Api) -> None:
    answer = await api("POST", "/users", json={"position": "x", "role": "king"})
    assert answer.status == 400
    errors = {e["field"]: e["message"] for e in answer.json()["errors"]}
    assert answer.json()["message"] == "Validation error"
    assert errors.keys() == {"name", "role"}
    assert errors["name"] == "is required"


@pytest.mark.parametrize(
    "body",
    [b"{", b"[1]", b'"x"', b'{"name": {}}', b'{"name": "\\ud800"}', b'{"name": "a\\u0000"}'],
)
async def test_rubbish_is_a_validation_error(api: Api, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert await api.refused("POST", "/users", data=body, headers=headers)


async def test_a_huge_body_is_refused(api: Api) -> None:
    body = json.dumps({"name": "x" * 2_000_000})
    answer = await api("POST", "/users", data=body)
    assert answer.status == 413


@pytest.mark.parametrize("encoding", ["json", "form", "multipart"])
async def test_flat_bodies_come_in_three_encodings(api: Api, encoding: str) -> None:
    fields = {"name": "Анна Ли", "ext": "750"}
    if encoding == "json":
        user = await api.post("/users", json={"name": "Анна Ли", "ext": 750})
    elif encoding == "form":
        user = await api.post("/users", data=fields)
    else:
        form = aiohttp.FormData(fields, default_to_multipart=True)
        user = await api.post("/users", data=form)
    assert (user["name"], user["ext"], user["login"]) == ("Анна Ли", "750", "u750")


async def test_parameters_of_a_get_come_from_the_query_or_else_from_the_body(api: Api) -> None:
    for name in ("Zoe", "Zoya", "Bob"):
        await api.post("/users", json={"name": name})
    by_body = await api.get("/users", json={"search": "zo", "limit": 1})
    assert by_body["info"] == {"search": "zo", "total": 2, "start": 0, "limit": 1, "next": 1}
    both = await api.get("/users?search=bob", json={"search": "zo"})
    assert both["info"]["total"] == 1
    assert (await api.get("/users", json={}))["info"]["total"] == 4


async def test_unknown_parameters_are_ignored(api: Api) -> None:
    await api.get("/users?colour=red&with=status")
    user = await api.post("/users", json={"name": "Ann", "colour": "red", "email": None})
    assert user["email"] == ""


async def test_paging_to_the_end_sees_everybody_once(api: Api) -> None:
    for number in range(7):
        await api.post("/users", json={"name": f"Employee {number}"})
    seen: list[str] = []
    start: int | None = 0
    while start is not None:
        page = await api.get(f"/users?start={start}&limit=3")
        assert page["info"]["limit"] == 3
        seen += [user["login"] for user in page["items"]]
        start = page["info"].get("next")
    assert len(seen) == len(set(seen)) == 8
    whole = await api.get("/users")
    assert whole["info"] == {"search": "", "total": 8, "start": 0, "limit": 8}


@pytest.mark.parametrize(
    "query", ["start=-1", "limit=0", "limit=x", "start=1e9", "limit=" + "9" * 99]
)
async def test_wrong_paging_is_refused(api: Api, query: str) -> None:
    assert await api.refused("GET", f"/users?{query}") == {query.partition("=")[0]}


async def test_cors_is_off_unless_the_integration_names_the_origin(api: Api, world: World) -> None:
    origin = {"Origin": "https://crm.example"}
    asks = {**origin, "Access-Control-Request-Method": "POST"}
    answer = await api("GET", "/users", headers=origin)
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert (await api("OPTIONS", "/makecall", key=None, headers=asks)).status == 405
    crm = {"url": "https://crm.example/", "token": "t", "origins": ["https://crm.example"]}
    await world.directory.integrations.set(await world.domain(), crm)
    answer = await api("OPTIONS", "/users/admin", key=None, headers=asks)
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "https://crm.example"
    assert answer.headers["Access-Control-Allow-Methods"] == "DELETE, GET, PUT"
    assert "X-API-KEY" in answer.headers["Access-Control-Allow-Headers"]
    answer = await api("POST", "/users", headers=origin, json={})
    assert answer.status == 400
    assert answer.headers["Access-Control-Allow-Origin"] == "https://crm.example"
    answer = await api("GET", "/users", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_the_document_and_its_page_need_no_key(api: Api) -> None:
    answer = await api("GET", "/openapi.json", key=None)
    assert answer.status == 200
    assert f"{PREFIX}/users" in answer.json()["paths"]
    page = await api("GET", "/docs", key=None)
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    text = page.body.decode()
    assert "/crmapi/v1/makecall" in text
    assert "src=" not in text
    assert "//cdn" not in text
    assert "script-src 'sha256-" in page.headers["Content-Security-Policy"]


async def test_a_body_that_never_comes_is_not_waited_for_where_none_is_needed(api: Api) -> None:
    assert (await api("POST", "/users/admin/dnd", data=b"rubbish")).status == 204


async def test_hosts_are_compared_with_this_domain_only(api: Api) -> None:
    assert (await api("GET", "/users", host=DOMAIN.upper())).status == 200
