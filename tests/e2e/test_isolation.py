"""Two companies on one server that try to reach each other, and strangers that try both."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from tests.e2e.conftest import Company, make_company, needs_sipp
from tests.support.crm import Receiver
from tests.support.ladder import Caller, Step, recv, sdp
from tests.support.pbx import Pbx, free_port

pytestmark = needs_sipp


async def play(company: Company, steps: list[Step], *, port: int = 0) -> None:
    sipp = await company.sipp("try", steps).start(target=company.pbx.sip, port=port or free_port())
    result = await sipp.done()
    assert result.ok, result.output


def signed(company: Company, login: str) -> str:
    return f"[authentication username={login} password={company.password}]"


async def test_an_employee_cannot_call_an_extension_of_another_company(
    pbx: Pbx, company: Company, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    async with Receiver() as crm:
        other = await make_company(pbx, tmp_path / "other", crm)
        await company.employee("711")
        await other.employee("755")
        await other.registered_phone("user755")
        # Here nobody has that extension; there they may not call at all.
        for target_domain, refused in ((company.domain, 404), (other.domain, 403)):
            thief = Caller(caller="user711", called="755", domain=company.domain)
            invite = thief.send("INVITE", cseq=2, body=sdp(), headers=signed(company, "user711"))
            first = thief.send("INVITE", body=sdp())
            steps = [
                Step(step.xml.replace("@[remote_ip]:[remote_port]", f"@{target_domain}"))
                for step in (first, invite)
            ]
            await play(
                company,
                [
                    steps[0],
                    recv(100, optional=True),
                    recv(401, auth=True),
                    thief.send("ACK"),
                    steps[1],
                    recv(100, optional=True),
                    recv(refused),
                    thief.send("ACK", cseq=2),
                ],
            )
        assert other.crm.commands == []


async def test_a_password_of_one_company_opens_nothing_in_another(
    pbx: Pbx, company: Company, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    async with Receiver() as crm:
        other = await make_company(pbx, tmp_path / "other", crm)
        other.password = "an0ther-pass"
        await company.employee("711")
        await other.employee("711")
        thief = Caller(caller="user711", called="user711", domain=other.domain)
        await play(
            company,
            [
                thief.send("REGISTER"),
                recv(401, auth=True),
                thief.send("REGISTER", cseq=2, headers=signed(company, "user711")),
                recv(401),
            ],
        )


async def test_a_stranger_is_asked_who_it_is_and_gets_no_further(company: Company) -> None:
    await company.employee("711")
    await company.route(company.number, "user711")
    stranger = Caller(caller="79990001122", called=company.number, domain=company.domain)
    await play(
        company,
        [
            stranger.send("INVITE", body=sdp()),
            recv(100, optional=True),
            recv(401),
            stranger.send("ACK"),
        ],
    )
    assert company.crm.commands == []


async def test_a_wrong_password_makes_no_call(company: Company) -> None:
    await company.employee("711")
    await company.route(company.number, "user711")
    liar = Caller(caller="user711", called="79101234567", domain=company.domain)
    wrong = "[authentication username=user711 password=guessed-it]"
    await play(
        company,
        [
            liar.send("INVITE", body=sdp()),
            recv(100, optional=True),
            recv(401, auth=True),
            liar.send("ACK"),
            liar.send("INVITE", cseq=2, body=sdp(), headers=wrong),
            recv(100, optional=True),
            recv(401),
            liar.send("ACK", cseq=2),
        ],
    )
    assert company.crm.commands == []


async def test_a_key_shows_only_its_own_company(pbx: Pbx, company: Company, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with Receiver() as crm:
        other = await make_company(pbx, tmp_path / "other", crm)
        await other.employee("755")
        async with aiohttp.ClientSession(headers={"X-API-KEY": company.key}) as http:
            async with http.get(f"{pbx.api}/users") as response:
                logins = [user["login"] for user in (await response.json())["items"]]
            assert logins == ["admin"]
            async with http.get(f"{pbx.api}/users/user755") as response:
                assert response.status == 404
            async with http.delete(f"{pbx.api}/users/user755") as response:
                assert response.status == 404
            async with http.get(f"{pbx.api}/users", headers={"Host": other.domain}) as response:
                assert (response.status, (await response.json())["message"]) == (
                    401,
                    "Invalid token",
                )


@pytest.mark.parametrize("secret", ["s3cret-pass", "adm1n-pass"])
async def test_no_password_is_in_the_log_or_the_database(company: Company, secret: str) -> None:
    await company.employee("711")
    await company.registered_phone("user711")
    assert secret not in company.pbx.log()
    assert company.key not in company.pbx.log()
    for file in company.pbx.data.glob("*.db*"):
        assert secret.encode() not in file.read_bytes()
        assert company.key.encode() not in file.read_bytes()
