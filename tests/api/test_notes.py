"""Notes and tags on calls: written and read by API, of the company's own calls alone."""

from __future__ import annotations

from tests.api.conftest import DOMAIN, Api, World
from tests.history.test_reports import row
from vpbx.history import call_history


async def keep(world: World, domain: str, *callids: int) -> None:
    company = await world.domain(domain)
    rows = [row(number, number, domain_id=company.id) for number in callids]
    async with world.database.begin() as connection:
        await connection.execute(call_history.insert(), rows)


async def test_a_note_is_written_changed_in_part_read_and_taken_off(api: Api, world: World) -> None:
    await keep(world, DOMAIN, 11, 12)
    sent = {"note": "Offer\nby Friday", "tags": [" vip ", "offer", "VIP"]}
    written = (await api("PUT", "/history/notes/11", json=sent)).json()
    assert (written["note"], written["tags"]) == ("Offer\nby Friday", ["VIP", "offer"])
    assert (written["uid"], written["author"]) == ("11", "API")
    changed = (await api("PUT", "/history/notes/11", json={"tags": "lost"})).json()
    assert (changed["note"], changed["tags"]) == ("Offer\nby Friday", ["lost"])
    await api("PUT", "/history/notes/12", json={"note": "x", "tags": ["lost"]})
    found = (await api("GET", "/history/notes?uid=11&uid=12&uid=13")).json()
    assert [each["uid"] for each in found] == ["11", "12"]
    assert (await api("GET", "/history/tags")).json() == ["lost"]
    assert (await api("DELETE", "/history/notes/11")).status == 204
    found = (await api("GET", "/history/notes?uid=11&uid=12")).json()
    assert [each["uid"] for each in found] == ["12"]


async def test_what_is_wrong_is_named_and_changes_nothing(api: Api, world: World) -> None:
    await keep(world, DOMAIN, 11)
    for sent in (
        {"note": "x" * 2001},
        {"tags": ["x" * 41]},
        {"tags": [f"t{n}" for n in range(11)]},
        {"tags": ["a,b"]},
    ):
        answer = await api("PUT", "/history/notes/11", json=sent)
        assert answer.status == 400
        assert next(iter(sent)) in str(answer.json())
    assert (await api("GET", "/history/notes?uid=11")).json() == []
    assert (await api("GET", "/history/notes?uid=x")).status == 400
    for uid in ("12", "x", "9" * 30, "%31%00"):
        answer = await api("PUT", f"/history/notes/{uid}", json={"note": "x"})
        assert answer.status == 404, uid


async def test_calls_of_another_company_cannot_be_written_to_or_read(
    api: Api, world: World
) -> None:
    await world.directory.companies.add("other.vpbx.example")
    await keep(world, "other.vpbx.example", 21)
    assert (await api("PUT", "/history/notes/21", json={"note": "x"})).status == 404
    other = (await world.domain("other.vpbx.example")).id
    await world.history.notes.change(other, "21", "them", text="secret", tags=["theirs"])
    assert (await api("GET", "/history/notes?uid=21")).json() == []
    assert (await api("GET", "/history/tags")).json() == []
    assert (await api("DELETE", "/history/notes/21")).status == 404
    assert (await world.history.notes.of(other, ["21"]))["21"].text == "secret"
