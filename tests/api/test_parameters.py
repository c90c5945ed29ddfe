"""Where parameters may stand: query, body, forms, repeated, single."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api, World
from tests.api.raw import ask_raw

OLGA = {"name": "Olga", "login": "olga", "ext": "707"}


async def test_a_post_with_an_empty_body_is_read_from_its_query(api: Api) -> None:
    made = await api.post("/users", params={"login": "olga", "name": "Ольга", "ext": "707"})
    assert (made["login"], made["name"], made["ext"]) == ("olga", "Ольга", "707")


async def test_a_put_changes_what_its_query_says(api: Api) -> None:
    await api.post("/users", json=OLGA)
    for kwargs in ({}, {"json": {}}, {"data": b""}):
        changed = await api.put("/users/olga", params={"name": "X", "position": "Boss"}, **kwargs)
        assert (changed["name"], changed["position"]) == ("X", "Boss")
        await api.put("/users/olga", json={"name": "Olga", "position": "Manager"})


async def test_what_the_body_lacks_is_read_from_the_query_and_the_body_comes_first(
    api: Api,
) -> None:
    await api.post("/users", json=OLGA)
    changed = await api.put(
        "/users/olga",
        params={"name": "Query", "position": "Query", "email": "q@x.example"},
        json={"name": "Body", "position": None},
    )
    assert [changed[name] for name in ("name", "position", "email")] == [
        "Body",
        "Query",
        "q@x.example",
    ]
    changed = await api.put("/users/olga", params={"name": "Query"}, data={"name": "Form"})
    assert changed["name"] == "Form"


async def test_a_query_can_empty_a_text_and_says_what_is_wrong(api: Api) -> None:
    await api.post("/users", json={**OLGA, "email": "olga@x.example"})
    assert (await api.put("/users/olga", params={"email": ""}))["email"] == ""
    assert await api.refused("PUT", "/users/olga", params={"role": "king"}) == {"role"}
    assert await api.refused("POST", "/users", params={"login": "olga2"}) == {"name"}


async def test_parts_of_an_object_may_stand_in_a_query_or_form(api: Api) -> None:
    await api.post("/users", json=OLGA)
    redirect = "mobile_redirect[enabled]=true&mobile_redirect[delay]=5"
    changed = await api.put(f"/users/olga?mobile=79105550001&{redirect}")
    assert changed["mobile_redirect"] == {"enabled": True, "forward": False, "delay": 5}
    form = {"mobile_redirect": '{"enabled": true, "forward": true}'}
    assert (await api.put("/users/olga", data=form))["mobile_redirect"]["forward"] is True


async def test_a_form_may_repeat_a_list(api: Api, world: World) -> None:
    for login, ext in (("olga", "707"), ("petr", "708")):
        await api.post("/users", json={"name": login, "login": login, "ext": ext})
    group = await api.post("/groups", json={"name": "Sales"})
    path = f"/groups/{group['id']}/users"
    await api.post(path, data=b"add=olga&add=petr")
    assert await logins(api, group["id"]) == ["olga", "petr"]
    await api.post(f"{path}?remove=olga&remove=petr")
    assert await logins(api, group["id"]) == []
    await api.post(path, data=b"add[]=petr&add[]=olga")
    assert await logins(api, group["id"]) == ["petr", "olga"]


async def logins(api: Api, group_id: str) -> list[str]:
    return [user["login"] for user in (await api.get(f"/groups/{group_id}"))["users"]]


@pytest.mark.parametrize(
    "sent",
    [
        {"json": [{"telnum": "79105550001", "comment": "spam"}]},
        {"json": {"telnum": "79105550001", "comment": "spam"}},
        {"data": {"telnum": "79105550001", "comment": "spam"}},
        {"params": {"telnum": "79105550001", "comment": "spam"}},
        {"data": b"0[telnum]=79105550001&0[comment]=spam"},
    ],
)
async def test_a_list_of_objects_takes_a_single_one(api: Api, sent: dict[str, Any]) -> None:
    await api.post("/blacklist/telnums", **sent)
    assert await api.get("/blacklist/telnums") == [{"telnum": "79105550001", "comment": "spam"}]


async def test_a_list_of_objects_may_be_parameters_that_repeat(api: Api) -> None:
    await api.post("/blacklist/telnums?telnum=79105550001&telnum=79105550002&comment=spam")
    assert await api.get("/blacklist/telnums") == [
        {"telnum": "79105550001", "comment": "spam"},
        {"telnum": "79105550002", "comment": "spam"},
    ]


@pytest.mark.parametrize(
    "sent",
    [
        {"json": ["admin"]},
        {"json": {"user": "admin"}},
        {"json": {"user": ["701"]}},
        {"data": {"user": "admin"}},
        {"params": {"user": "admin"}},
        {"data": b"0=admin"},
        {"data": b"user[]=admin"},
    ],
)
async def test_a_list_of_logins_takes_a_single_one(api: Api, sent: dict[str, Any]) -> None:
    await api.post("/blf/users", **sent)
    assert [user["login"] for user in await api.get("/blf/users")] == ["admin"]


async def test_a_list_of_logins_that_is_something_else_is_refused(api: Api) -> None:
    assert await api.refused("POST", "/blf/users", json={"what": 1}) == {"[0]"}
    assert await api.refused("POST", "/blf/users") == {"body"}
    assert await api.refused("POST", "/blacklist/telnums") == {"body"}
    assert await api.refused("POST", "/blacklist/telnums", json=["admin"]) == {"[0]"}


@pytest.mark.parametrize(
    "sent",
    [
        {"params": {"user": "admin"}},
        {"json": {"user": "admin"}},
        {"json": {"user": ["admin"]}},
        {"json": ["admin"]},
        {"data": {"user": "admin"}},
    ],
)
async def test_a_delete_takes_its_list_from_query_or_body(api: Api, sent: dict[str, Any]) -> None:
    await api.post("/blf/users", json=["admin"])
    await api.delete("/blf/users", **sent)
    assert await api.get("/blf/users") == []


async def test_a_get_reads_json_where_the_query_lacks_a_parameter(api: Api) -> None:
    await api.post("/users", json=OLGA)
    page = await api.get("/users", json={"search": "olg", "limit": "5", "with": "status"})
    assert [user["login"] for user in page["items"]] == ["olga"]
    assert page["items"][0]["status"] == "offline"
    page = await api.get("/users", params={"search": "admin"}, json={"search": "olg"})
    assert [user["login"] for user in page["items"]] == ["admin"]


async def test_a_subscription_names_its_department_in_body_or_query(api: Api) -> None:
    await api.post("/users", json=OLGA)
    member = {"login": "olga", "calls_enable": False}
    group = await api.post("/groups", json={"name": "Sales", "users": [member]})
    path, which = "/users/olga/subscription", {"group_id": group["id"]}
    for sent in ({"params": which}, {"json": which}, {"data": which}):
        await api.post(path, **sent)
        assert await api.get(path, params=which) == {"state": True}
        await api.delete(path, **sent)
        assert await api.get(path, json=which) == {"state": False}


@pytest.mark.parametrize(
    "path",
    ["//crmapi/v1/users", "/crmapi//v1///users", "/crmapi/v1/users/", "//crmapi/v1/users//admin/"],
)
async def test_doubled_slashes_are_one_and_one_at_the_end_is_none(api: Api, path: str) -> None:
    raw = f"GET {path} HTTP/1.1\r\nHost: x\r\nX-API-KEY: {api.key}\r\n\r\n"
    assert (await ask_raw(api.base, raw.encode())).status == 200


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/users", [], {"body"}),
        ("/users", [{"name": "Ann"}], {"body"}),
        ("/groups", {"name": "A", "timeout": "soon"}, {"timeout"}),
        ("/groups", {"name": "A", "users": ["admin"]}, {"users[0]"}),
        ("/groups", {"name": "A", "users": "admin"}, {"users"}),
        ("/groups", {"name": "A", "call_order": "RANDOM"}, {"call_order"}),
        ("/users", {"name": "a" * 5000}, {"name"}),
        ("/users", {"name": "A", "mobile_redirect": {"enabled": True, "delay": "x"}}, None),
        ("/caller-ids/users", {"telnum": [], "login": {}}, {"telnum", "login"}),
        ("/calls-restrictions/main", {"allowed": ["MOON"]}, {"allowed[0]"}),
    ],
)
async def test_a_refusal_is_in_words_and_names_a_field(
    api: Api, path: str, body: Any, fields: set[str] | None
) -> None:
    answer = await api("POST", path, json=body)
    assert answer.status == 400
    errors = answer.json()["errors"]
    assert fields is None or {error["field"] for error in errors} == fields
    for error in errors:
        assert error["field"]
        for word in ("Input", "instance", "dictionary", "Setting", "Addition", "Change", "valid "):
            assert word not in error["message"], error


async def test_text_is_kept_composed_and_found_in_either_form(api: Api) -> None:
    pieces, whole = "Сергеи\u0306", "Сергей"
    made = await api.post("/users", json={"name": pieces, "login": "sergey"})
    assert made["name"] == whole
    for search in (pieces, whole, "ргеи\u0306", "СЕРГЕЙ"):
        page = await api.get("/users", params={"search": search})
        assert [user["login"] for user in page["items"]] == ["sergey"], search
