"""Where the demo takes place: the PBX and everybody around it, started and stopped."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop
from rich.console import Console

from vpbx.app import logs, ports
from vpbx.app.certificate import outside_address
from vpbx.app.trial import start_trial
from vpbx.cli.demo.company import (
    CUSTOMER,
    CUSTOMER_NAME,
    DOMAIN,
    HOTLINE,
    MANAGER,
    NUMBER,
    OLGA_DIRECT,
    YOU,
    set_up,
)
from vpbx.cli.demo.day import tell
from vpbx.cli.demo.narrator import Narrator
from vpbx.cli.demo.parts import CUSTOMER_HZ, MANAGER_HZ, Story, curl
from vpbx.sim import CallFailed, Carrier, Crm, Phone, answering
from vpbx.sip import Hop

__all__ = ["perform"]

_CARRIER_PORT = 15060
_CRM_PORT = 18080
_LOOPBACK = "127.0.0.1"


def perform(data: Path, *, once: bool) -> bool:
    """Play the demo; with `once` false go on until Ctrl-C. Return whether all went right."""
    logs.set_up("error")
    narrator = Narrator(Console(highlight=False))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_perform(data, narrator, once))


async def _perform(data: Path, narrator: Narrator, once: bool) -> bool:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        story = await _set_the_stage(stack, data, narrator)
        telling = asyncio.create_task(tell(story))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((telling, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not telling.done():
            telling.cancel()
            return False
        if error := telling.exception():
            narrator.bad(f"the demo itself failed: {error!r}")
        narrator.end()
        if not once:
            await _go_on(story, stop)
    return not narrator.failures


async def _set_the_stage(stack: AsyncExitStack, data: Path, narrator: Narrator) -> Story:
    narrator.title("[bold]vpbx demo[/bold]: one company, its carrier, its phone and its CRM")
    narrator.step("The PBX starts")
    app = await start_trial(data, lambda text: narrator.say(f"[yellow]{text}[/yellow]"))
    stack.push_async_callback(app.stop)
    narrator.good(f"ready {app.addresses}")
    assert app.config.sip is not None
    assert app.config.http is not None
    pbx = Hop("udp", _LOOPBACK, app.config.sip.port)
    crm = Crm(
        token=secrets.token_hex(8),
        port=ports.free_port(_LOOPBACK, ("tcp",), _CRM_PORT),
        contacts={CUSTOMER: (CUSTOMER_NAME, MANAGER)},
        on_command=narrator.crm,
    )
    await stack.enter_async_context(crm)
    carrier = Carrier(pbx, port=ports.free_port(_LOOPBACK, ("udp",), _CARRIER_PORT))
    await stack.enter_async_context(carrier)
    company = await set_up(
        app.directory, app.data, carrier=carrier.address, crm_url=crm.url, crm_token=crm.token
    )
    phone = Phone(MANAGER, company.passwords[MANAGER], DOMAIN, pbx)
    await stack.enter_async_context(phone)
    narrator.say(
        f"Company [bold]{DOMAIN}[/bold]: {NUMBER} rings the department Sales, {HOTLINE} has a "
        f"menu, {OLGA_DIRECT} is Olga's; Olga ({company.exts[MANAGER]}) has registered her phone"
    )
    narrator.say(f"A carrier stands at {carrier.address}, the company's CRM at {crm.url}")
    domain = await app.directory.companies.get(company.domain)
    invitation = await app.accounts.invite(domain, domain.first_admin().login)
    return Story(
        company=company,
        console=f"http://{app.config.http}/invite/{invitation.token}",
        carrier=carrier,
        phone=phone,
        crm=crm,
        api=f"http://{app.config.http}",
        narrator=narrator,
        keep=app.data.root / "demo-recording.mp3",
    )


async def _go_on(story: Story, stop: asyncio.Event) -> None:
    """Stay up: say what can be tried now, and let the customer call at each Enter."""
    story.carrier.behaviour = answering(CUSTOMER_HZ, after_s=1.5)
    story.phone.behaviour = answering(MANAGER_HZ, after_s=8.0)
    _say_what_to_try(story)
    loop = asyncio.get_running_loop()
    calls: set[asyncio.Task[None]] = set()

    def call() -> None:
        if not sys.stdin.readline():
            loop.remove_reader(sys.stdin)  # closed: nobody will press anything
            return
        task = asyncio.create_task(_customer_calls(story))
        calls.add(task)
        task.add_done_callback(calls.discard)

    listening = sys.stdin.isatty()
    if listening:
        loop.add_reader(sys.stdin, call)
    await stop.wait()
    if listening:
        loop.remove_reader(sys.stdin)
    story.narrator.say("\n   Stopping")


async def _customer_calls(story: Story) -> None:
    tell = story.narrator
    tell.say(f"[bold]{CUSTOMER} calls {NUMBER}[/bold]; Olga answers in 8 s if you do not")
    call = await story.carrier.call(NUMBER, caller=CUSTOMER, tone_hz=CUSTOMER_HZ)
    try:
        await call.answered(60)
        tell.good("answered; the customer hangs up in 10 s")
        await call.ended(10)
    except TimeoutError:
        call.hangup()
    except CallFailed as error:
        tell.say(f"the call was not answered: {error}")


def _say_what_to_try(story: Story) -> None:
    tell, company, pbx = story.narrator, story.company, story.phone.pbx
    tell.title("The PBX keeps running; Ctrl-C ends it")
    tell.say("[bold cyan]Register your own softphone[/bold cyan] (UDP or TCP)")
    tell.plain(f"server    {outside_address()}:{pbx.port}   (as outbound proxy)")
    tell.plain(f"domain    {company.domain}")
    tell.plain(f"login     {YOU}   (or {company.exts[YOU]})")
    tell.plain(f"password  {company.passwords[YOU]}")
    tell.say(
        f"Call Olga at {company.exts[MANAGER]} (she says {MANAGER_HZ:.0f} Hz), or any number, "
        f"like {CUSTOMER} (the carrier says {CUSTOMER_HZ:.0f} Hz)"
    )
    if sys.stdin.isatty():
        tell.say("Press [bold]Enter[/bold]: a customer calls, your phone and Olga's ring")
    tell.say("\n   [bold cyan]Open the console[/bold cyan] as its administrator")
    tell.plain(story.console)
    tell.say("\n   [bold cyan]Try the API[/bold cyan]")
    tell.plain(curl(story.api, company.key, "users?with=status"))
    tell.plain(curl(story.api, company.key, "history/json"))
    tell.plain(curl(story.api, company.key, "makecall", {"phone": CUSTOMER, "user": MANAGER}))
    tell.say(f"All of it: [bold]{story.api}/crmapi/v1/docs[/bold]\n")
