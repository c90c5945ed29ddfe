"""`vpbx bridge`: a CRM without code, a company's own database connected to a PBX."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from vpbx.cli.options import Json
from vpbx.cli.output import BAD_INPUT, Fault, out, show, show_rows

if TYPE_CHECKING:
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
    import uvicorn

    from vpbx.app import logs
    from vpbx.bridge import make_app

    logs.set_up("info")

    async def work(config: BridgeConfig, store: Store) -> None:
        server = uvicorn.Server(
            uvicorn.Config(
                make_app(config, store),
                host=config.host,
                port=config.port,
                log_config=None,
                lifespan="off",
            )
        )
        out.print(f"ready http://{config.host}:{config.port}/")
        await server.serve()

    _on_store(file, work)


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
        from sqlalchemy.exc import SQLAlchemyError

        rows = []
        for command in COMMANDS:
            sql = config.statements.get(command)
            if sql is None and command == "contact":
                continue
            try:
                found = await store.try_out(command, SAMPLE)
                result = f"ok: {found}" if command == "contact" else "ok"
            except (SQLAlchemyError, OSError) as error:
                result = f"bad: {str(getattr(error, 'orig', None) or error).splitlines()[0]}"
            shown = " ".join((sql or "our table").split())
            rows.append({"command": command, "statement": shown, "result": result})
        return rows

    rows = _on_store(file, work)
    columns = ("command", "statement", "result")
    show_rows(rows, as_json=as_json, columns=columns, empty="Nothing is set.")
    if any(row["result"].startswith("bad") for row in rows):
        raise Fault("not every statement works; `vpbx bridge init` makes tables of ours")


@app.command("import")
def import_(
    file: File,
    since: Annotated[
        datetime,
        typer.Option("--from", formats=["%Y-%m-%d"], help="The first day to fetch, UTC."),
    ],
    as_json: Json = False,
) -> None:
    """Fetch the history of a cloud into the database; begun once more it goes on."""
    from rich.progress import Progress

    from vpbx.bridge import fetch_history

    async def work(config: BridgeConfig, store: Store) -> tuple[int, int]:
        first, last = since.date(), datetime.now(UTC).date()
        if first > last:
            raise Fault(f"--from {first} lies in the future", BAD_INPUT)
        seen = new = 0
        with Progress(console=out, transient=True, disable=as_json) as progress:
            bar = progress.add_task("calls", total=_days(first, last))
            async for step in fetch_history(config, store, first, last):
                seen, new = seen + step.seen, new + step.new
                progress.update(bar, advance=1, description=f"{step.day}: {new} calls")
        return seen, new

    seen, new = _on_store(file, work)
    text = f"{seen} calls were there, {new} of them new to the database."
    show({"seen": seen, "new": new}, as_json=as_json, text=text)


def _days(first: date, last: date) -> int:
    return (last - first).days + 1


def _on_store(file: Path, work: Callable[[BridgeConfig, Store], Awaitable[T]]) -> T:
    """Read the file, open the database, let `work` use both."""
    from vpbx.bridge import BridgeFault, Store, read

    async def run_() -> T:
        config = read(file)
        store = Store(config)
        await store.open()
        try:
            return await work(config, store)
        finally:
            await store.close()

    try:
        return asyncio.run(run_())
    except BridgeFault as fault:
        raise Fault(str(fault), BAD_INPUT) from fault
