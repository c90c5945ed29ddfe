"""Black list, domain settings, outgoing numbers and restrictions over HTTP (§10–§13)."""

from __future__ import annotations

import pytest

from tests.api.conftest import Api, World

NUMBER = "79007775555"


@pytest.fixture
async def company(api: Api, world: World) -> Api:
    await world.directory.telnums.add(await world.domain(), NUMBER)
    await api.post("/users", json={"name": "Ivan", "login": "ivan"})
    return api


@pytest.fixture
async def group_id(company: Api) -> str:
    made = await company.post("/groups", json={"name": "Sales"})
    group: str = made["id"]
    return group


async def test_the_black_list(api: Api, world: World) -> None:
    path = "/blacklist/telnums"
    assert await api.get(path) == []
    await api.post(path, json=[{"telnum": "8 999 888-00-11", "comment": "Spam"}])
    await api.post(path, data={"telnum": "7900800*"})
    entries = [
        {"telnum": "7900800*", "comment": ""},
        {"telnum": "79998880011", "comment": "Spam"},
    ]
    assert await api.get(path) == entries
    domain = await world.domain()
    world.directory.blacklist.blocked(domain, "7900800*")
    await world.directory.writer.flush()
    counted = await api.get(f"{path}?with=statistics")
    assert counted[0] == {**entries[0], "week": 1, "year": 1}
    assert await api.get(path, json={"with": "statistics"}) == counted
    assert await api.refused("POST", path, json=[{"comment": "x"}]) == {"[0].telnum"}
    assert await api.refused("POST", path, json=[{"telnum": "79*8"}])
    await api.refused("DELETE", f"{path}?telnum=7900800*&telnum=71112223344", 404)
    assert await api.refused("DELETE", path) == {"telnum"}
    assert await api.get(path) == entries, "nothing is changed by a request that fails"
    await api.delete(f"{path}?telnum=7900800*&telnum=%2B79998880011")
    assert await api.get(path) == []
    await api.post(path, json=[{"telnum": "79998880011"}])
    await api.delete(path, json={"telnum": ["79998880011"]})
    assert await api.get(path) == []


async def test_anonymous_callers(api: Api) -> None:
    path = "/blacklist/block-anonymous"
    assert await api.get(path) == {"state": False}
    await api.post(path)
    assert await api.get(path) == {"state": True}
    await api.delete(path, json={})
    assert await api.get(path) == {"state": False}


async def test_the_domain(company: Api, world: World) -> None:
    assert await company.get("/domain") == {
        "timezone": {"name": "Europe/Moscow", "offset": 180},
        "limits": {
            "users": {"used": 2, "total": -1},
            "groups": {"used": 0, "total": -1},
            "local_gw": {"used": 0, "total": -1},
        },
        "services": {"record": True, "local_gw": True, "branch": True},
    }
    domain = await world.domain()
    await world.directory.companies.edit(domain, {"limit_users": 2, "timezone": "Asia/Kolkata"})
    shown = await company.get("/domain")
    assert shown["timezone"] == {"name": "Asia/Kolkata", "offset": 330}
    assert shown["limits"]["users"] == {"used": 2, "total": 2}
    assert await company.refused("POST", "/users", json={"name": "Third"})


async def test_music_and_the_media_catalogue(api: Api, world: World) -> None:
    assert (await api.get("/music"))["holdmusic"] == {
        "file": "holdmusic",
        "name": "Morning wave",
        "uploaded": False,
    }
    domain = await world.domain()
    file = await world.directory.media.add(domain, "Music_1.mp3", "music", "x")
    assert await api.get("/media-catalog/music") == [{"id": file.id, "name": "Music_1.mp3"}]
    assert await api.get("/media-catalog/greeting") == []
    for kind in ("ringback", "holdmusic"):
        offered = await api.get(f"/media-catalog/{kind}")
        assert {"id": "calm", "name": "Calm evening"} in offered
        assert offered[-1] == {"id": file.id, "name": "Music_1.mp3"}
        for sound in offered:
            await api.post(f"/music/{kind}", json={"file": sound["id"]})
    await api.refused("GET", "/media-catalog/films", 404)
    await api.post("/music/ringback", data={"file": file.id})
    assert (await api.get("/music"))["ringback"] == {
        "file": file.id,
        "name": "Music_1.mp3",
        "uploaded": True,
    }
    assert await api.refused("POST", "/music/ringback", json={"file": "none"}) == {"file"}
    assert await api.refused("POST", "/music/ringback", json={}) == {"file"}
    await api.refused("POST", "/music/films", 404, json={"file": file.id})


ADMIN = {"login": "admin", "name": "Administrator"}
IVAN = {"login": "ivan", "name": "Ivan"}


@pytest.mark.parametrize(
    ("path", "shown", "field"),
    [
        ("/record/users-exception", "/record", "users_exception"),
        ("/blf/users", "/blf/users", ""),
        ("/am/users", "/am", "users"),
    ],
)
async def test_lists_of_employees(company: Api, path: str, shown: str, field: str) -> None:
    async def listed() -> object:
        found = await company.get(shown)
        return found[field] if field else found

    assert await listed() == []
    await company.post(path, json=["ivan", "701"])
    assert await listed() == [ADMIN, IVAN]
    assert await company.refused("POST", path, json=["nobody"])
    await company.refused("DELETE", f"{path}?user=admin&user=nobody", 404)
    assert await company.refused("DELETE", path) == {"user"}
    await company.delete(f"{path}?user=701&user=ivan")
    assert await listed() == []
    await company.post(path, json=["ivan"])
    await company.delete(path, json={"user": "ivan"})
    assert await listed() == []


async def test_departments_that_get_voicemail(company: Api, group_id: str) -> None:
    await company.post("/am/groups", json=[group_id])
    assert await company.get("/am") == {
        "all": False,
        "users": [],
        "groups": [{"id": group_id, "name": "Sales"}],
        "email": "",
    }
    await company.delete(f"/am/groups?group={group_id}")
    assert (await company.get("/am"))["groups"] == []
    assert await company.get("/record") == {
        "external": True,
        "inner": False,
        "users_exception": [],
    }


async def test_outgoing_numbers(company: Api, group_id: str) -> None:
    assert await company.get("/caller-ids/telnums") == [{"telnum": NUMBER, "enabled": True}]
    regions = await company.get("/caller-ids/regions")
    assert {"id": "2", "name": "Altai Republic"} in regions
    assert {"id": "43", "name": "Moscow and Moscow region"} in regions
    await company.post("/caller-ids/main", data={"telnum": "8 (900) 777-55-55"})
    await company.post("/caller-ids/users", json={"telnum": NUMBER, "login": "701"})
    await company.post("/caller-ids/groups", json={"telnum": NUMBER, "id": group_id})
    await company.post("/caller-ids/regions", json={"telnum": NUMBER, "id": 43})
    shown = await company.get("/caller-ids")
    assert shown == {
        "main": NUMBER,
        "users": [{**ADMIN, "telnum": NUMBER}],
        "groups": [{"id": group_id, "name": "Sales", "telnum": NUMBER}],
        "regions": [{"id": "43", "name": "Moscow and Moscow region", "telnum": NUMBER}],
    }
    wrong = {"telnum": "79990000000", "login": "nobody"}
    assert await company.refused("POST", "/caller-ids/users", json=wrong) == {"telnum", "login"}
    wrong = {"telnum": NUMBER, "id": "none"}
    assert await company.refused("POST", "/caller-ids/regions", json=wrong) == {"id"}
    assert await company.refused("POST", "/caller-ids/main", json={}) == {"telnum"}
    for path in ("users/admin", f"groups/{group_id}", "regions/43"):
        await company.delete(f"/caller-ids/{path}")
        await company.refused("DELETE", f"/caller-ids/{path}", 404)
    shown = await company.get("/caller-ids")
    assert (shown["users"], shown["groups"], shown["regions"]) == ([], [], [])


async def test_any_key_may_see_regions_and_numbers_for_calling(company: Api, world: World) -> None:
    key = await world.key("Black list:View")
    for path in ("/caller-ids/regions", "/caller-ids/telnums", "/users", "/groups"):
        assert (await company("GET", path, key=key)).status == 200
    assert (await company("GET", "/caller-ids", key=key)).status == 403


async def test_call_restrictions_of_everyone(api: Api) -> None:
    path = "/calls-restrictions"
    assert await api.get(path) == {"main": ["ALL"], "users": [], "groups": []}
    assert await api.post(f"{path}/main", json={"allowed": [179, "RU"]}) == {
        "allowed": ["RU", "179", "ALL"]
    }
    await api.delete(f"{path}/main?allowed=ALL&allowed=179")
    assert (await api.get(path))["main"] == ["RU"]
    assert await api.refused("POST", f"{path}/main", json={"allowed": ["MOON"]}) == {"allowed[0]"}
    assert await api.refused("POST", f"{path}/main", json={}) == {"allowed"}
    assert await api.refused("DELETE", f"{path}/main") == {"allowed"}


async def test_call_restrictions_of_some(company: Api, group_id: str) -> None:
    path = "/calls-restrictions"
    sent = [{"login": "701", "allowed": ["CIS"]}, {"login": "ivan", "allowed": []}]
    users = [{**ADMIN, "allowed": ["CIS"]}, {**IVAN, "allowed": []}]
    assert await company.post(f"{path}/users", json=sent) == users
    sent = [{"id": group_id, "allowed": "LOCAL"}, {"login": group_id, "allowed": ["RU"]}]
    shown = await company.post(f"{path}/groups", json=sent)
    assert shown == [{"id": group_id, "name": "Sales", "allowed": ["RU", "LOCAL"]}]
    assert await company.get(path) == {"main": ["ALL"], "users": users, "groups": shown}
    wrong = [{"login": "nobody", "allowed": ["RU"]}, {"allowed": ["RU"]}]
    named = await company.refused("POST", f"{path}/users", json=wrong)
    assert "[1].login" in named
    await company.delete(f"{path}/users/701?allowed=CIS")
    for where in (f"{path}/users/ivan", f"{path}/groups/{group_id}"):
        assert await company.refused("DELETE", where) == {"allowed"}
        assert await company.refused("DELETE", where, json={"allowed": []}) == {"allowed"}
    await company.delete(f"{path}/groups/{group_id}", json={"allowed": ["RU", "LOCAL"]})
    assert await company.get(path) == {
        "main": ["ALL"],
        "users": [{**ADMIN, "allowed": []}, {**IVAN, "allowed": []}],
        "groups": [{"id": group_id, "name": "Sales", "allowed": []}],
    }
    await company.refused("DELETE", f"{path}/users/nobody?allowed=RU", 404)
