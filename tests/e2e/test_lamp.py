"""A real softphone's message waiting lamp: a message is left, heard of, and deleted."""

from __future__ import annotations

from tests.e2e.conftest import Company, needs_baresip
from tests.e2e.test_softphone import carrier_that_answers, softphone
from tests.support.softphone import Softphone

pytestmark = needs_baresip


def counts(phone: Softphone) -> list[str]:
    """What each notification has said of voice messages, new/old."""
    lines = [line for line in phone.log if line.startswith("Voice-Message: ")]
    return [line.removeprefix("Voice-Message: ") for line in lines]


async def test_the_lamp_goes_on_with_a_message_and_off_when_it_is_deleted(
    company: Company,
) -> None:
    login = await company.employee("711")
    async with company.directory() as (directory, domain):
        await directory.am_users.add(domain, [login])
        await directory.telnums.add(domain, company.number, trunk=company.trunk, user=login)
        await directory.users.set_dnd(domain, login, receives_calls=False)
    await company.known(f"/telnums/{company.number}")
    phone = softphone(company, login, transport="tls", proxy=company.pbx.sip_tls, lamp=True)
    async with phone, carrier_that_answers(company) as customer:
        await phone.until(lambda: counts(phone) == ["0/0 (0/0)"], "the first notification")
        await customer.command("dial", f"sip:{company.number}@{company.pbx.sip}")
        await customer.happens("CALL_ESTABLISHED")
        await customer.command("sndcode", "#")  # no greeting, please
        await customer.speaks(seconds=3.0)
        await customer.command("hangup")
        await phone.until(lambda: counts(phone)[-1] == "1/0 (0/0)", "a message is told of")
        await phone.command("dial", f"sip:*97@{company.domain}")
        await phone.happens("CALL_ESTABLISHED")
        await phone.speaks(seconds=6.0)  # it is being played by now
        await phone.command("sndcode", "3")
        await phone.until(lambda: counts(phone)[-1] == "0/0 (0/0)", "it was deleted")
    assert counts(phone)[:2] == ["0/0 (0/0)", "1/0 (0/0)"]


async def test_a_softphone_that_wants_presence_is_told_that_there_is_none(
    company: Company,
) -> None:
    """489, and not a subscription that never says anything; it registers and calls all the same."""
    login = await company.employee("711")
    phone = softphone(company, login, watches=f"sip:712@{company.domain}")
    async with phone:
        await phone.registers()
        await phone.says("489")
