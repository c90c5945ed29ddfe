"""`vpbx bridge`: a CRM without code, a company's own database connected to a PBX."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.markup import escape

from vpbx.cli.options import Json
from vpbx.cli.output import BAD_INPUT, Fault, out, show, show_rows

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from vpbx.bridge import BridgeConfig, Store

app = typer.Typer(
    no_args_is_help=True, help="A company's own database as the CRM: no code, one file."
)

T = TypeVar("T")
File = Annotated[Path, typer.Argument(metavar="FILE", help="bridge.toml, see docs/bridge.md.")]

SAMPLE = {
    "callid": "201594855300017",
    "type": "in",
    "user": "olga",
    "phone": "79101234567",
    "diversion": "74951234567",
    "start": "20260120T085842Z",
    "time": "20260120T085847Z",
    "duration": "42",
    "wait": "5",
    "status": "Success",
    "direction": "in",
    "ext": "702",
    "rating": "5",
    "link": "https://acme.example/crmapi/v1/records/201594855300017/x.mp3",
}


@app.command()
def run(file: File) -> None:
    """Take commands and write them, until SIGTERM or Ctrl-C."""
    from prometheus_client import CollectorRegistry

    from vpbx.app import logs
    from vpbx.app.addresses import port_fault
    from vpbx.app.http import HttpListener, with_metrics
    from vpbx.bridge import make_app
    from vpbx.config import Endpoint

    logs.set_up("info")
    registry = CollectorRegistry()

    async def work(config: BridgeConfig, store: Store) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        listener = HttpListener(Endpoint(config.host, config.port))
        try:
            listener.bind()
        except OSError as error:
            raise port_fault(error, "tcp", listener.endpoint, "listen in [receiver]") from error
        await listener.start(with_metrics(make_app(config, store), registry))
        following = _follow_sheet(config, store)
        print(f"ready http://{listener.endpoint}/", flush=True)
        await stop.wait()
        following.cancel()
        await listener.stop()

    _on_store(file, work, registry)


def _follow_sheet(config: BridgeConfig, store: Store) -> asyncio.Future[Any]:
    from vpbx.bridge import follow_sheet

    if config.sheet is None:
        return asyncio.get_running_loop().create_future()
    return asyncio.ensure_future(follow_sheet(config.sheet, store))


@app.command()
def init(file: File, as_json: Json = False) -> None:
    """Make the tables that the file leaves to us, and the note of what came."""

    async def work(config: BridgeConfig, store: Store) -> list[str]:
        return await store.init()

    made = _on_store(file, work)
    show({"tables": made}, as_json=as_json, text="There are: " + ", ".join(made))


@app.command()
def check(file: File, as_json: Json = False) -> None:
    """Connect, carry each statement out for a sample call, show what it did, undo it."""
    from vpbx.bridge.config import COMMANDS

    async def work(config: BridgeConfig, store: Store) -> list[dict[str, Any]]:
        rows = [await _tried(config, store, command) for command in COMMANDS]
        return [*rows, *([_sheet(config)] if config.sheet is not None else [])]

    rows = _on_store(file, work)
    if as_json:
        show_rows(rows, as_json=True, columns=(), empty="")
    else:
        for row in rows:
            _show_tried(row)
    if any(row["result"].startswith("bad") for row in rows):
        raise Fault("not every statement works; `vpbx bridge init` makes tables of ours")


async def _tried(config: BridgeConfig, store: Store, command: str) -> dict[str, Any]:
    """Try a statement out: what it was given, what came of it, how the database goes about it."""
    from vpbx.bridge.store import Away

    plan, whole = "", False
    try:
        found = await store.try_out(command, SAMPLE)
        result = "ok"
        if command == "contact":
            result = f"ok: {found[0]}" if found else "ok: nobody is known by this number"
        plan, whole = await store.explain(command, SAMPLE)
    except Away as away:
        result = f"bad: {str(away).splitlines()[0]}"
    return {
        "command": command,
        "statement": " ".join(config.statements.get(command, "our table").split()),
        "values": {name: _plain(value) for name, value in store.shown(command, SAMPLE).items()},
        "result": result,
        "plan": plan,
        "note": "it looks through a whole table: an index may help" if whole else "",
    }


def _sheet(config: BridgeConfig) -> dict[str, Any]:
    from vpbx.bridge import BridgeFault, read_sheet

    assert config.sheet is not None
    try:
        result = f"ok: {len(read_sheet(config.sheet))} phone numbers"
    except BridgeFault as fault:
        result = f"bad: {fault}"
    statement = str(config.sheet.path)
    row = {"command": "customers", "statement": statement, "values": {}, "result": result}
    return {**row, "plan": "", "note": ""}


def _show_tried(row: dict[str, Any]) -> None:
    colour = "red" if row["result"].startswith("bad") else "green"
    out.print(f"[bold]{row['command']}[/bold]  {escape(row['statement'])}", soft_wrap=True)
    values = ", ".join(f"{name}={value!r}" for name, value in row["values"].items())
    for name, text in (("values", values), ("plan", row["plan"]), ("note", row["note"])):
        if text:
            out.print(f"  {name:<7} {escape(text)}", soft_wrap=True, style="dim")
    out.print(f"  result  [{colour}]{escape(row['result'])}[/{colour}]", soft_wrap=True)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, datetime) else value


@app.command("import")
def import_(
    file: File,
    since: Annotated[
        datetime,
        typer.Option("--from", formats=["%Y-%m-%d"], help="The first day to fetch, UTC."),
    ],
    again: Annotated[
        bool,
        typer.Option("--again", help="Ask for days too that an earlier import has finished."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Fetch the history of a cloud into the database; begun once more it goes on."""
    from rich.progress import Progress

    from vpbx.bridge import fetch_history

    async def work(config: BridgeConfig, store: Store) -> tuple[int, int, int]:
        first, last = since.date(), datetime.now(UTC).date()
        if first > last:
            raise Fault(f"--from {first} lies in the future", BAD_INPUT)
        seen = new = skipped = 0
        with Progress(console=out, transient=True, disable=as_json) as progress:
            bar = progress.add_task("calls", total=_days(first, last))
            async for step in fetch_history(config, store, first, last, again=again):
                seen, new, skipped = seen + step.seen, new + step.new, skipped + step.skipped
                progress.update(bar, advance=1, description=f"{step.day}: {new} calls")
        return seen, new, skipped

    seen, new, skipped = _on_store(file, work)
    text = f"{seen} calls were there, {new} of them new to the database."
    if skipped:
        text += f" Days finished before, and not asked for again: {skipped} (--again asks)."
    show({"seen": seen, "new": new, "skipped_days": skipped}, as_json=as_json, text=text)


def _days(first: date, last: date) -> int:
    return (last - first).days + 1


def _on_store(
    file: Path,
    work: Callable[[BridgeConfig, Store], Awaitable[T]],
    registry: CollectorRegistry | None = None,
) -> T:
    """Read the file, open the database, let `work` use both."""
    import uvloop

    from vpbx.bridge import BridgeFault, Store, read

    async def run_() -> T:
        config = read(file)
        store = Store(config, registry)
        await store.open()
        try:
            return await work(config, store)
        finally:
            await store.close()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run_())
    except BridgeFault as fault:
        raise Fault(str(fault), BAD_INPUT) from fault
