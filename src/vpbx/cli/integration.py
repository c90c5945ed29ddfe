"""`vpbx crm log|replay|test|listen`: what is sent to a company's CRM."""

from __future__ import annotations

import asyncio
import datetime
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.app.control import ask, follow
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import BAD_INPUT, Fault, out, show, show_rows
from vpbx.cli.store import on_database, on_directory

if TYPE_CHECKING:
    from vpbx.crm import Answer, Asked, Entry
    from vpbx.db import Database as OpenDatabase
    from vpbx.directory import Directory, DomainConfig, Integration

__all__ = ["add_to"]

_AGO = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_EVERY_S = 0.5
_PAGE = 500
_COLUMNS = (
    *("id", "time", "cmd", "callid", "address"),
    *("state", "attempts", "status", "ms", "said"),
)
_SAMPLE_PHONE = "79101234567"

Since = Annotated[
    str,
    typer.Option(metavar="TIME", help="From then on: 2h, 3d, or 2026-01-31T12:00:00Z."),
]
Address = Annotated[
    str,
    typer.Option("--address", metavar="NAME", help="Of one of the company's addresses; `main`."),
]
CallId = Annotated[str, typer.Option("--callid", metavar="CALLID", help="Of this call only.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to `vpbx crm`."""
    app.command("log")(log)
    app.command("replay")(replay)
    app.command("test")(send_test)
    app.command("listen")(listen)


def log(
    domain: Domain,
    callid: CallId = "",
    cmd: Annotated[
        str, typer.Option(metavar="CMD", help="history, event, rating, contact, webhook.")
    ] = "",
    failed: Annotated[bool, typer.Option("--failed", help="Only what was given up.")] = False,
    since: Since = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    address: Address = "",
    follow_: Annotated[bool, typer.Option("--follow", help="Go on as commands come.")] = False,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show what was sent to the company's CRM, and what came of it, the oldest first."""
    since_ms = _moment_ms(since)

    async def work(opened: OpenDatabase) -> None:
        from vpbx.crm import Asked, State

        state = State.FAILED if failed else ""
        company = await _company(opened, domain)
        addresses = (address,) if address else ()
        asked = Asked(company.id, None, limit, callid, cmd, state, since_ms, addresses=addresses)
        if follow_:
            async for entries in _following(opened, asked):
                for entry in entries:
                    _say(entry, as_json)
            return
        entries = await _find(opened, asked)
        rows = [_row(entry, as_json) for entry in entries]
        show_rows(rows, as_json=as_json, columns=_COLUMNS, empty="Nothing was sent.")

    on_database(data, database, work)


def replay(
    domain: Domain,
    callid: CallId = "",
    failed: Annotated[bool, typer.Option("--failed", help="All that was given up.")] = False,
    id_: Annotated[str, typer.Option("--id", metavar="N", help="As `crm log` shows it.")] = "",
    since: Since = "",
    address: Address = "",
    to: Annotated[
        str,
        typer.Option("--to", metavar="NAME", help="To this address, wherever they went before."),
    ] = "",
    data: Data = Path(config.DEFAULT_DATA),
    as_json: Json = False,
) -> None:
    """Send commands once more, by the running server; live ones go first.

    --failed leaves out what was since sent once more and taken.
    """
    if not (callid or failed or id_ or since):
        raise Fault("Which commands? --id N, --callid CALLID, --failed or --since TIME.", BAD_INPUT)
    if id_ and not id_.isdecimal():
        raise Fault("--id is a number; `vpbx crm log` shows it.", BAD_INPUT)
    count = ask(
        data,
        "crm-replay",
        domain=domain.lower(),
        callid=callid,
        failed=failed,
        id=id_,
        since_ms=_moment_ms(since),
        address=address,
        to=to,
    )
    show({"commands": count}, as_json=as_json, text=f"{count} commands will be sent once more.")


def send_test(
    domain: Domain,
    cmd: Annotated[
        str, typer.Option(metavar="CMD", help="history, event, contact or rating.")
    ] = "event",
    address: Annotated[
        str, typer.Option("--address", metavar="NAME", help="One of the company's addresses.")
    ] = "main",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Send the CRM a marked command (`test` is 1), and show what it says."""
    fields = _sample(cmd)

    async def work(directory: Directory) -> tuple[Integration, Answer, dict[str, Any], float]:
        return await _send(directory, domain, address, fields)

    integration, answer, sent, took_s = on_directory(data, database, work)
    said = answer.body[:2048].decode("utf-8", "replace")
    value = {
        "url": integration.shown_url,
        "sent": sent,
        "format": answer.format,
        "taken": answer.taken,
        "status": answer.status,
        "error": "" if answer.taken else answer.reason,
        "latency_ms": round(took_s * 1000),
        "answer": said,
    }
    how = "[green]taken[/green]" if answer.taken else f"[red]not taken[/red]: {answer.reason}"
    told = " ".join(f"{name}={each}" for name, each in sent.items())
    text = f"→ {value['url']} ({answer.format or '-'})\n  {told}\n← {how}, {value['latency_ms']} ms"
    show(value, as_json=as_json, text=text)
    if said and not as_json:
        print(said)
    if not answer.taken:
        raise typer.Exit(1)


async def _send(
    directory: Directory, domain: str, address: str, fields: dict[str, Any]
) -> tuple[Integration, Answer, dict[str, Any], float]:
    """Send a command, and return where to, the answer, what was sent and how many seconds it
    took."""
    from vpbx.crm import CrmClient, Formats

    company = await directory.companies.get(domain)
    integration = (await directory.integrations.get(company)).at(address)
    if integration is None:
        raise Fault(f"There is no address {address}; see `vpbx crm address list`.", BAD_INPUT)
    fields = {**fields, "user": fields.get("user") and company.first_admin().login}
    sent = {name: value for name, value in fields.items() if value is not None}
    client = CrmClient(Formats())
    await client.start()
    began = time.monotonic()
    try:
        answer = await client.send(company.id, integration, sent, delivery="test")
    finally:
        await client.close()
    return integration, answer, sent, time.monotonic() - began


def listen(
    domain: Domain,
    forward: Annotated[
        str, typer.Option(metavar="URL", help="Send each on to this address, too.")
    ] = "",
    token: Annotated[
        str, typer.Option(metavar="TOKEN", help="Sent on as crm_token.", show_default=False)
    ] = "",
    data: Data = Path(config.DEFAULT_DATA),
    as_json: Json = False,
) -> None:
    """Print the commands of a company as they are made, also when no CRM is set."""
    if not as_json:
        out.print(f"Listening to [bold]{domain}[/bold]; Ctrl-C ends it.")
    try:
        for fields in follow(data, "crm-listen", domain=domain.lower()):
            came = _forward(forward, token, fields) if forward else ""
            if as_json:
                print(json.dumps(fields, ensure_ascii=False), flush=True)
            else:
                line = " ".join(f"{name}={value}" for name, value in fields.items())
                print(f"{datetime.datetime.now():%H:%M:%S} {line}{came}", flush=True)
    except KeyboardInterrupt:
        return


def _forward(url: str, token: str, fields: dict[str, Any]) -> str:
    from vpbx.crm import CrmClient, Formats
    from vpbx.directory import Integration

    async def send() -> str:
        client = CrmClient(Formats())
        await client.start()
        try:
            answer = await client.send(0, Integration(url, token), fields)
        finally:
            await client.close()
        return answer.reason

    return f"  → {asyncio.run(send())}"


async def _company(opened: OpenDatabase, domain: str) -> DomainConfig:
    from vpbx.directory import Directory

    directory = Directory(opened)
    await directory.refresh()
    return await directory.companies.get(domain)


async def _find(opened: OpenDatabase, asked: Asked) -> list[Entry]:
    from vpbx.crm import CommandLog

    return await CommandLog(opened, 0).find(asked)


async def _following(opened: OpenDatabase, asked: Asked) -> AsyncIterator[list[Entry]]:
    from dataclasses import replace

    while True:
        entries = await _find(opened, asked)
        if entries:
            yield entries
            asked = replace(asked, after=entries[-1].id, limit=_PAGE, since_ms=0)
        elif asked.after is None:
            asked = replace(asked, after=0, limit=_PAGE)  # from the first that comes
        await asyncio.sleep(_EVERY_S)


def _say(entry: Entry, as_json: bool) -> None:
    row = _row(entry, as_json)
    if as_json:
        print(json.dumps(row, ensure_ascii=False), flush=True)
    else:
        print(" ".join(str(value) for value in row.values()), flush=True)


def _row(entry: Entry, as_json: bool) -> dict[str, Any]:
    shown = entry.shown()
    if as_json:
        return shown
    kind = shown["command"].get("type", "")
    return {
        "id": shown["id"],
        "time": shown["time"],
        "cmd": f"{entry.cmd} {kind}".strip(),
        "callid": entry.callid,
        "address": entry.address,
        "state": entry.state,
        "attempts": entry.attempts,
        "status": entry.status or "",
        "ms": entry.latency_ms,
        "said": (entry.error or entry.answer)[:60],
    }


def _moment_ms(text: str) -> int:
    if not text:
        return 0
    ago = _AGO.fullmatch(text)
    if ago:
        return round((time.time() - int(ago[1]) * _SECONDS[ago[2]]) * 1000)
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise Fault("--since is 2h, 3d or a time like 2026-01-31T12:00:00Z.", BAD_INPUT) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return round(moment.timestamp() * 1000)


def _sample(cmd: str) -> dict[str, Any]:
    now = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}"
    phone = {"phone": _SAMPLE_PHONE}
    samples: dict[str, dict[str, Any]] = {
        "event": {
            "type": "INCOMING",
            "callid": "1",
            **phone,
            "user": "admin",
            "direction": "in",
            "time": now,
            "start": now,
        },
        "history": {
            "type": "in",
            "user": "admin",
            **phone,
            "diversion": _SAMPLE_PHONE,
            "start": now,
            "duration": 23,
            "wait": 5,
            "callid": "1",
            "status": "Success",
        },
        "contact": {**phone, "callid": "1"},
        "rating": {**phone, "callid": "1", "rating": 5, "user": "admin"},
    }
    if cmd not in samples:
        raise Fault(f"--cmd is one of {', '.join(samples)}.", BAD_INPUT)
    return {"cmd": cmd, **samples[cmd], "test": 1}
