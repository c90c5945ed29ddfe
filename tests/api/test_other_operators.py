"""SIP registrations, SIP addresses, other PBXs and webhooks over HTTP (§14–§17)."""

from __future__ import annotations

import re

from tests.api.conftest import DOMAIN, Api, World

TELNUM = "79001112233"
REGISTRATION = {
    "telnum": TELNUM,
    "active": True,
    "name": "Test",
    "domain": "regtest.com",
    "auth_name": "",
    "expires": 600,
    "proxy": "",
    "status": "waiting",
    "outgoing": True,
}


async def test_sip_registrations(api: Api) -> None:
    path = "/sip-registrations"
    sent = {
        "telnum": "8 900 111-22-33",
        "name": "Test",
        "domain": "regtest.com",
        "login": "u1",
        "password": "p1",
    }
    needed = {"telnum", "name", "domain", "login", "password"}
    assert await api.refused("POST", path, json={}) == needed
    assert await api.post(path, json=sent) == REGISTRATION
    assert await api.refused("POST", path, json=sent) == {"telnum"}
    assert await api.get(f"{path}/{TELNUM}") == REGISTRATION
    page = await api.get(f"{path}?search=REGTEST")
    assert page == {
        "items": [REGISTRATION],
        "info": {"search": "REGTEST", "total": 1, "start": 0, "limit": 1},
    }
    changed = {**REGISTRATION, "name": "Other", "expires": 300, "active": False}
    edited = await api.put(f"{path}/{TELNUM}", data={"name": "Other", "expires": 300, "active": 0})
    assert {**edited, "status": ""} == {**changed, "status": ""}
    assert edited["status"] in ("waiting", "off")
    wrong = {"expires": 5, "domain": "no host", "password": ""}
    named = await api.refused("PUT", f"{path}/{TELNUM}", json=wrong)
    assert named == {"expires", "domain", "password"}
    await api.delete(f"{path}/{TELNUM}")
    for method in ("GET", "PUT", "DELETE"):
        await api.refused(method, f"{path}/{TELNUM}", 404, json={})


async def test_sip_addresses(api: Api) -> None:
    path = "/sipuri-transfers"
    made = await api.post(path, json={"telnum": TELNUM})
    assert made == {"telnum": TELNUM, "uri": made["uri"], "active": True}
    assert re.fullmatch(rf"pbx-[A-Za-z0-9]{{12}}@{re.escape(DOMAIN)}", made["uri"])
    assert await api.get(f"{path}/{TELNUM}") == made
    assert (await api.get(path, params={"search": made["uri"][:9]}))["items"] == [made]
    assert await api.put(f"{path}/{TELNUM}", json={"active": "0"}) == {**made, "active": False}
    assert await api.put(f"{path}/{TELNUM}", json={}) == {**made, "active": False}
    assert await api.refused("POST", path, json={"telnum": TELNUM}) == {"telnum"}
    assert await api.refused("POST", path, json={}) == {"telnum"}
    await api.delete(f"{path}/{TELNUM}")
    for method in ("GET", "PUT", "DELETE"):
        await api.refused(method, f"{path}/{TELNUM}", 404, json={})


async def test_other_pbxs(api: Api, world: World) -> None:
    key = "16faeb17-be58-43e8-be9f-5eceabfe2e5c"
    other = (await world.directory.companies.add("globex.vpbx.example")).domain
    sent = {"domain": "globex.vpbx.example", "name": "Subsidiary company", "key": key}
    assert await api.refused("POST", "/branches", json={}) == {"domain", "name", "key"}
    made = await api.post("/branches", json=sent)
    assert made == {
        "name": "Subsidiary company",
        "domain": "globex.vpbx.example",
        "status": "waiting",
        "users_count": 0,
        "groups_count": 0,
        "exts_count": 0,
        "collisions_count": 0,
    }
    assert await api.refused("POST", "/branches", json=sent) == {"domain"}
    path = "/branches/globex.vpbx.example"
    assert await api.get(path) == made
    assert (await api.get("/branches?search=SUBSI"))["items"] == [made]
    assert await api.put(path, json={"name": "Daughter"}) == {**made, "name": "Daughter"}
    assert await api.post(f"{path}/sync") == {**made, "name": "Daughter"}
    await world.directory.branches.add(other, {"domain": DOMAIN, "name": "Mother", "key": key})
    synced = await api.post(f"{path}/sync", json={})
    assert (synced["status"], synced["users_count"], synced["collisions_count"]) == (
        "success",
        1,
        1,
    )
    await api.delete(path)
    for method in ("GET", "PUT", "DELETE"):
        await api.refused(method, path, 404, json={})
    await api.refused("POST", f"{path}/sync", 404)


async def test_webhooks(api: Api) -> None:
    url = "https://webhook.test/31db9d90"
    made = await api.post("/webhook", json={"type": "sipregs_error", "url": url})
    assert made == {"id": made["id"], "type": "sipregs_error", "url": url}
    assert await api.get("/webhook") == [made]
    assert await api.refused("POST", "/webhook", json={"type": "dance", "url": "x"}) == {"type"}
    assert await api.refused("POST", "/webhook", json={"url": "ftp://x"}) == {"url"}
    assert await api.refused("POST", "/webhook", json={}) == {"url"}
    await api.delete(f"/webhook/{made['id']}")
    assert await api.get("/webhook") == []
    await api.refused("DELETE", f"/webhook/{made['id']}", 404)
