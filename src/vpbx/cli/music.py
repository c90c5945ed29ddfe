"""`vpbx music`: what callers hear while they wait."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import show_rows
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory

app = typer.Typer(no_args_is_help=True, help="What callers hear while they wait.")


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show the ringback (while it rings) and the music on hold."""

    async def work(directory: Directory) -> list[dict[str, Any]]:
        return await _rows(directory, domain)

    _show(on_directory(data, database, work), as_json)


@app.command("set")
def set_(
    domain: Domain,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="ringback or holdmusic.")],
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="ringback, holdmusic, calm, bright, or an upload's id (media list).",
        ),
    ],
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Choose one."""

    async def work(directory: Directory) -> list[dict[str, Any]]:
        await directory.music.set(await directory.companies.get(domain), kind, file)
        return await _rows(directory, domain)

    _show(on_directory(data, database, work), as_json)


async def _rows(directory: Directory, domain: str) -> list[dict[str, Any]]:
    chosen = await directory.music.get(await directory.companies.get(domain))
    return [{"kind": kind, "file": each.file, "name": each.name} for kind, each in chosen.items()]


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    show_rows(rows, as_json=as_json, columns=("kind", "file", "name"), empty="")
