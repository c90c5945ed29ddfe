"""`vpbx sandbox`: a company at work to develop a CRM against, and single calls in it."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx.app.control import ControlFault, ask, follow
from vpbx.app.datadir import DataDir
from vpbx.cli.options import Json
from vpbx.cli.output import BAD_INPUT, FAULT, Fault, out, show
from vpbx.sandbox import MOST_PER_MINUTE, PLAY, STATE

if TYPE_CHECKING:
    from vpbx.sandbox.stage import Sandbox

DEFAULT_DATA = Path("vpbx-data/sandbox")
_SHOWN = ("phone", "user", "status", "duration", "rating", "second_callid", "callid")
_DATA_HELP = "Directory that keeps the sandbox."

app = typer.Typer(invoke_without_command=True)

Directory = Annotated[Path, typer.Option("--data", metavar="DIR", file_okay=False, help=_DATA_HELP)]
Seed = Annotated[
    int | None,
    typer.Option(metavar="N", help="Decides the history: the same for the same N. [default: 1]"),
]
YearsCalls = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=0, max=2_000_000, help="Calls of the year before.", show_default="50000"
    ),
]
PerMinute = Annotated[
    float,
    typer.Option(metavar="N", min=0, max=MOST_PER_MINUTE, help="How busy it is; 0: you call."),
]
CrmUrl = Annotated[
    str, typer.Option(metavar="URL", help="Your CRM, which gets the commands.", show_default=False)
]
CrmToken = Annotated[
    str,
    typer.Option(
        metavar="TOKEN",
        help="Sent as crm_token; without it one is made, and shown.",
        show_default=False,
    ),
]
CrmFormat = Annotated[str, typer.Option(metavar="auto|form|json", help="Of commands.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Do not show the commands.")]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", file_okay=False, help=_DATA_HELP)
]
From = Annotated[
    str,
    typer.Option(
        "--from", metavar="NUMBER|LOGIN", help="The customer, or the employee who calls out."
    ),
]
To = Annotated[str, typer.Option("--to", metavar="NUMBER|LOGIN", help="Whom they call.")]
AnsweredBy = Annotated[str, typer.Option(metavar="LOGIN", help="Who takes it.", show_default=False)]
Then = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHAT",
        help="transfer:WHOM (a department, an employee, a number), hangup (the employee hangs "
        "up), rate:1 to rate:5 (and is rated); may be repeated.",
        show_default=False,
    ),
]
Customer = Annotated[
    str,
    typer.Option(
        metavar="answers|busy|ignores|unknown",
        help="What a customer does whom an employee calls.",
        show_default=False,
    ),
]
Press = Annotated[
    str | None,
    typer.Option(
        metavar="KEYS",
        help="In a menu; without it the way to --answered-by, or the first. A comma is a pause.",
        show_default=False,
    ),
]


@app.callback()
def sandbox(
    context: typer.Context,
    data: Directory = DEFAULT_DATA,
    seed: Seed = None,
    history: YearsCalls = None,
    calls_per_minute: PerMinute = 4.0,
    crm_url: CrmUrl = "",
    crm_token: CrmToken = "",
    crm_format: CrmFormat = "auto",
    quiet: Quiet = False,
) -> None:
    """Run a company at work, to develop a CRM against; Ctrl-C ends it.

    12 employees, 3 departments, a menu, a year of history; customers call, managers
    answer, miss calls, pass them on and are rated. It is the real PBX with real calls.
    Single calls are played by the commands below, while it runs.
    """
    if context.invoked_subcommand is not None:
        context.obj = data
        return
    from vpbx.sandbox.stage import Wanted  # it loads the whole PBX

    wanted = Wanted(data, seed, history, calls_per_minute, crm_url, crm_token, crm_format)
    _run(wanted, quiet)


def _run(wanted: Any, quiet: bool) -> None:
    import uvloop

    from vpbx.app import logs
    from vpbx.sandbox.stage import Sandbox

    def command(fields: Mapping[str, Any]) -> None:
        kind = f"{fields.get('cmd', '')} {fields.get('type', '')}".strip()
        facts = " ".join(f"{name}={fields[name]}" for name in _SHOWN if fields.get(name))
        print(f"CRM <- {kind}  {facts}", flush=True)

    async def work() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        made = Sandbox(wanted, _say, (lambda fields: None) if quiet else command)
        starting = asyncio.ensure_future(made.__aenter__())
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return
        await starting
        try:
            _introduce(made, wanted.data)
            await stop.wait()
            _say("Stopping")
        finally:
            await made.__aexit__(None, None, None)

    logs.set_up("error")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())


def _say(text: str) -> None:
    print(text, flush=True)


def _introduce(made: Sandbox, data: Path) -> None:
    state = made.state()
    key = f"X-API-KEY: {state['key']}"
    where = "" if data == DEFAULT_DATA else f" --data {shlex.quote(str(data))}"
    crm = f"{state['crm_url'] or '(none: --crm-url URL; till then fetch GET /events)'}"
    lines = [
        f"Company    {state['domain']}",
        f"API        {state['api']}",
        f"           {state['https']} (its own certificate; Host: {state['domain']})",
        f"API key    {state['key']}",
        f"CRM        {crm}",
        f"crm_token  {state['crm_token']}",
        f"SIP        {state['sip']}, domain {state['domain']}",
        "Numbers    "
        + "\n           ".join(f"{each['telnum']}  {each['name']}" for each in state["numbers"]),
        "Employees  "
        + "\n           ".join(
            f"{each['login']:<9} {each['ext']}  {each['password']:<13} "
            f"{each['name']}, {each['department'] or 'director'}"
            for each in state["employees"]
        ),
        f"Docs       {state['docs']}",
        "",
        "Try:       " + shlex.join(["curl", "-H", key, f"{state['api']}/history/json?period=week"]),
        f"           vpbx sandbox call{where} --from 79101234567 --to 74951234567 "
        "--answered-by olga --talk 10s",
        "Ctrl-C ends it.",
        "ready",
    ]
    _say("\n" + "\n".join(lines))


@app.command()
def call(
    context: typer.Context,
    from_: From,
    to: To,
    answered_by: AnsweredBy = "",
    after: Annotated[str, typer.Option(metavar="TIME", help="It rings so long before.")] = "2s",
    talk: Annotated[str, typer.Option(metavar="TIME", help="How long they talk.")] = "10s",
    then: Then = None,
    press: Press = None,
    customer: Customer = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Play a call: a customer's to the company, or an employee's to a customer or colleague."""
    act = {
        "from": from_,
        "to": to,
        "answered_by": answered_by,
        "after": after,
        "talk": talk,
        "then": then or [],
        "customer": customer,
        "press": press,
    }
    _play([act], _data(context, data), as_json)


@app.command()
def miss(
    context: typer.Context,
    from_: From,
    to: To,
    patience: Annotated[
        str, typer.Option(metavar="TIME", help="When the one who calls gives up.")
    ] = "8s",
    press: Press = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Play a call that nobody takes."""
    act = {"kind": "miss", "from": from_, "to": to, "patience": patience, "press": press}
    _play([act], _data(context, data), as_json)


@app.command()
def voicemail(
    context: typer.Context,
    from_: From,
    to: To,
    message: Annotated[
        str, typer.Option(metavar="TIME", help="How long the message is, from 2s.")
    ] = "5s",
    press: Press = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Play a call that nobody takes until its voicemail does, and leave a message."""
    act = {"kind": "voicemail", "from": from_, "to": to, "message": message, "press": press}
    _play([act], _data(context, data), as_json)


@app.command()
def play(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A scenario in TOML, see docs/sandbox.md.")
    ],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Play a scenario: all its calls, each at its time."""
    _play(_scenario(file), _data(context, data), as_json)


@app.command()
def info(context: typer.Context, data: Data = None, as_json: Json = False) -> None:
    """Show the addresses, the key and the logins of the running sandbox."""
    where = _data(context, data)
    _is_there(where)
    state = ask(where, STATE)
    text = "\n".join(f"{name:<17} {value}" for name, value in state.items() if _is_plain(value))
    show(state, as_json=as_json, text=text)


def _is_plain(value: Any) -> bool:
    return not isinstance(value, (list, dict))


def _scenario(file: Path) -> list[dict[str, Any]]:
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise Fault(f"{file} cannot be read: {error.strerror}", BAD_INPUT) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Fault(f"{file} is not TOML: {error}", BAD_INPUT) from error
    calls = document.get("call")
    if not isinstance(calls, list) or not calls or document.keys() != {"call"}:
        raise Fault(f"{file}: holds one or more [[call]], and nothing else", BAD_INPUT)
    return calls


def _data(context: typer.Context, data: Path | None) -> Path:
    return data or context.obj or DEFAULT_DATA


def _is_there(data: Path) -> None:
    if not DataDir(data).running():
        raise Fault(f"no sandbox runs on {data}; start one in another terminal: vpbx sandbox")


def _play(acts: Sequence[Mapping[str, Any]], data: Path, as_json: bool) -> None:
    """Have acts played, and tell of them; a fault where one went otherwise."""
    given = [{name: each for name, each in act.items() if each is not None} for act in acts]
    results = []
    for item in _told(data, given):
        if "tell" not in item:
            results.append(item)
        if as_json:
            continue
        number = f"{item['call']}: " if len(acts) > 1 else ""
        if "tell" in item:
            _say(number + item["tell"])
            continue
        for row in item["history"]:
            _say(f"{number}history: {_short(row)}")
        if item["problem"]:
            out.print(f"[red]{number}{item['problem']}[/red]", soft_wrap=True)
    if as_json:
        print(json.dumps(results if len(acts) > 1 else results[0], ensure_ascii=False))
    if any(item["problem"] for item in results):
        raise typer.Exit(FAULT)


def _told(data: Path, acts: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    _is_there(data)
    try:
        yield from follow(data, PLAY, acts=acts)
    except ControlFault as fault:
        if str(fault).startswith("unknown verb"):
            raise Fault(f"the server on {data} is no sandbox") from fault
        raise


def _short(row: Mapping[str, Any]) -> str:
    who = row.get("user") or row.get("account") or row.get("to", "")
    words = [row.get("type", "inner"), row["status"], who, f"talk {row['duration']} s"]
    words += [f"wait {row['wait']} s", f"callid {row['uid']}"]
    if row.get("destination"):
        words.insert(2, row["destination"])
    if row.get("rating"):
        words.append(f"rating {row['rating']}")
    return ", ".join(words)
