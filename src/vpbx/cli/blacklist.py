"""`vpbx blacklist`: callers a company does not want."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.cli.options import Data, Database, Domain, Json, Switch
from vpbx.cli.output import show, show_rows
from vpbx.cli.parameters import Sets
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory

app = typer.Typer(no_args_is_help=True, help="Callers a company does not want.")

Telnums = Annotated[
    list[str],
    typer.Argument(metavar="TELNUM...", help="Numbers, or ranges that end in *: 7900800*."),
    Sets("", "telnum"),
]


@app.command()
def add(
    domain: Domain,
    telnum: Telnums,
    comment: Annotated[str, typer.Option(help="Why, for you.", show_default=False)] = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Refuse calls from numbers or ranges; one that is there gets the new comment."""

    async def work(directory: Directory) -> list[dict[str, Any]]:
        company = await directory.companies.get(domain)
        entries = [{"telnum": each, "comment": comment} for each in telnum]
        await directory.blacklist.add(company, entries)
        return await _rows(directory, domain)

    _show(on_directory(data, database, work), as_json)


@app.command()
def remove(
    domain: Domain,
    telnum: Telnums,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Let them call again."""

    async def work(directory: Directory) -> list[dict[str, Any]]:
        await directory.blacklist.delete(await directory.companies.get(domain), telnum)
        return await _rows(directory, domain)

    _show(on_directory(data, database, work), as_json)


@app.command("list")
def list_(
    domain: Domain,
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show them, with how many of their calls were refused in 7 and in 365 days."""

    async def work(directory: Directory) -> list[dict[str, Any]]:
        return await _rows(directory, domain)

    _show(on_directory(data, database, work), as_json)


@app.command()
def anonymous(
    domain: Domain,
    refused: Annotated[Switch, typer.Argument(help="on: callers without a number are refused.")],
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Refuse callers that hide their number, or not."""

    async def work(directory: Directory) -> None:
        company = await directory.companies.get(domain)
        await directory.blacklist.set_block_anonymous(company, refused is Switch.ON)

    on_directory(data, database, work)
    show(
        {"domain": domain, "block_anonymous": refused is Switch.ON},
        as_json=as_json,
        text="Callers that hide their number are "
        + ("refused." if refused is Switch.ON else "let in."),
    )


async def _rows(directory: Directory, domain: str) -> list[dict[str, Any]]:
    company = await directory.companies.get(domain)
    return [
        {
            "telnum": entry.telnum,
            "comment": entry.comment,
            "week": entry.week,
            "year": entry.year,
        }
        for entry in await directory.blacklist.list(company, statistics=True)
    ]


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    columns = ("telnum", "comment", "week", "year")
    show_rows(rows, as_json=as_json, columns=columns, empty="Nobody is refused.")
