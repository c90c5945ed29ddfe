"""`vpbx media`: the sounds a company uploaded."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx import config
from vpbx.app import DataDir
from vpbx.cli.options import Data, Database, Domain, Json
from vpbx.cli.output import Fault, show, show_rows
from vpbx.cli.parameters import Sets
from vpbx.cli.store import on_directory

if TYPE_CHECKING:
    from vpbx.directory import Directory, MediaFile

app = typer.Typer(no_args_is_help=True, help="Greetings, music and menu prompts of a company.")

Upload = Annotated[
    Path, typer.Argument(metavar="FILE", help="wav, mp3, ogg, m4a or flac, at most 50 MB.")
]
UploadType = Annotated[
    str,
    typer.Option(
        "--type",
        metavar="TYPE",
        help="greeting, ivr (a menu's prompt), prompt (instead of the built-in one that "
        "--name names; these at most 5 minutes) or music (30).",
    ),
    Sets("type"),
]
UploadName = Annotated[
    str,
    typer.Option(
        help="Shown in the CRM, or of the built-in prompt; else the file's name.",
        show_default=False,
    ),
]
Text = Annotated[
    str, typer.Argument(metavar="TEXT", help="At most 1000 characters; - reads standard input.")
]
SpokenType = Annotated[
    str,
    typer.Option(
        "--type",
        metavar="TYPE",
        help="greeting, ivr (a menu's prompt) or prompt (instead of the built-in one that "
        "--name names).",
    ),
    Sets("type"),
]
SpokenName = Annotated[
    str,
    typer.Option(
        help="Shown in the CRM, or of the built-in prompt; else the text's beginning.",
        show_default=False,
    ),
]
Language = Annotated[
    str,
    typer.Option("--lang", metavar="LANG", help="en or ru; else the company's."),
    Sets("language"),
]
SaidBefore = Annotated[
    str,
    typer.Option(
        "--id",
        metavar="ID",
        help="Change the text that was said under this id; what uses it goes on so.",
    ),
]


@app.command()
def add(
    domain: Domain,
    file: Upload,
    media_type: UploadType,
    name: UploadName = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Upload a sound; all come out equally loud."""
    from vpbx.app.uploads import Uploads  # not for --help: it loads ffmpeg's libraries

    async def work(directory: Directory) -> MediaFile:
        company = await directory.companies.get(domain)
        return await Uploads(directory, DataDir(data)).add(company, file, media_type, name)

    _make(work, data, database, as_json=as_json)


@app.command()
def say(
    domain: Domain,
    text: Text,
    media_type: SpokenType = "greeting",
    name: SpokenName = "",
    language: Language = "",
    anew: SaidBefore = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Have a text said by the voice of the built-in prompts, and keep it as a sound."""
    from vpbx.app.uploads import Uploads

    words = sys.stdin.read() if text == "-" else text

    async def work(directory: Directory) -> MediaFile:
        company = await directory.companies.get(domain)
        spoken = language or company.language
        uploads = Uploads(directory, DataDir(data))
        if anew:
            return await uploads.say_anew(company, anew, words, spoken)
        return await uploads.say(company, words, spoken, media_type, name)

    _make(work, data, database, as_json=as_json)


def _make(
    work: Callable[[Directory], Awaitable[MediaFile]],
    data: Path,
    database: str,
    *,
    as_json: bool,
) -> None:
    """Have a sound made and kept, and show it."""
    from vpbx.media import MediaError

    try:
        made = on_directory(data, database, work)
    except MediaError as error:
        raise Fault(f"The sound cannot be kept: {error}.") from error
    show(
        _row(made),
        as_json=as_json,
        text=f"[bold]{made.id}[/bold]   {made.type}, {made.duration_s:.1f} s",
    )


@app.command("list")
def list_(
    domain: Domain,
    media_type: Annotated[
        str,
        typer.Option("--type", metavar="TYPE", help="Only greeting, music, ivr or prompt."),
        Sets("type"),
    ] = "",
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Show what a company uploaded."""

    async def work(directory: Directory) -> tuple[MediaFile, ...]:
        company = await directory.companies.get(domain)
        if media_type:
            return await directory.media.list(company, media_type)
        return tuple(company.settings.media.values())

    rows = [_row(file) for file in on_directory(data, database, work)]
    columns = ("id", "name", "type", "seconds")
    show_rows(rows, as_json=as_json, columns=columns, empty="No files.")


@app.command()
def remove(
    domain: Domain,
    file_id: Annotated[str, typer.Argument(metavar="ID", help="As `vpbx media list` shows it.")],
    data: Data = Path(config.DEFAULT_DATA),
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Delete a sound; what used it falls back to a built-in one."""
    from vpbx.app.uploads import Uploads

    async def work(directory: Directory) -> MediaFile:
        company = await directory.companies.get(domain)
        return await Uploads(directory, DataDir(data)).remove(company, file_id)

    gone = on_directory(data, database, work)
    show({"id": gone.id, "removed": True}, as_json=as_json, text=f"{gone.id} is gone.")


def _row(file: MediaFile) -> dict[str, Any]:
    return {
        "id": file.id,
        "name": file.name,
        "type": file.type,
        "seconds": round(file.duration_s, 2),
        **({"text": file.text, "lang": file.language} if file.text else {}),
    }
