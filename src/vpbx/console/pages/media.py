"""Media: greetings, menu prompts and music a company uploads, played and chosen."""

from __future__ import annotations

import asyncio
import struct
import tempfile
from pathlib import Path

from starlette.datastructures import UploadFile
from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.media_uses import uses
from vpbx.console.page import Page
from vpbx.console.visit import Visit
from vpbx.directory import MediaFile, NotFound

MEDIA = "/media"
TYPE_WORDS = {
    "greeting": "Greeting",
    "ivr": "Menu prompt",
    "music": "Music",
    "prompt": "Instead of a built-in prompt",
}
PROMPT = "prompt"
MOST_BYTES = 50 * 1024 * 1024
_PIECE = 1 << 20
_ALAW, _RATE = 6, 8000


async def show(visit: Visit) -> Response:
    return await _show(visit)


async def _show(visit: Visit, errors: dict[str, str] | None = None) -> Response:
    media = visit.services.directory.media
    return visit.page(
        "media.html",
        status=400 if errors else 200,
        errors=errors,
        files=sorted(visit.company.settings.media.values(), key=lambda f: (f.type, f.name)),
        type_words=TYPE_WORDS,
        used=uses(visit.company, visit.texts),
        music=await visit.services.directory.music.get(visit.company),
        tunes=[
            (f.id, f.name if f.path else visit.texts(f.name))
            for f in await media.list(visit.company, "holdmusic")
        ],
        prompts=visit.services.uploads.replaceable,
        name=visit.value("name"),
        kind=visit.value("type", "greeting"),
    )


async def add(visit: Visit) -> Response:
    sent = visit.form.get("file")
    if not isinstance(sent, UploadFile) or not sent.filename:
        return await _show(visit, {"file": visit.texts("Choose a file.")})
    with tempfile.TemporaryDirectory() as folder:
        # the name is for people: of it only the ending goes to the disk, and what is none does not
        shown = Path(sent.filename.replace("\\", "/")).name[:200]
        ending = Path(shown).suffix
        safe = ending if ending[1:].isascii() and ending[1:].isalnum() and len(ending) < 8 else ""
        source = Path(folder) / f"upload{safe}"
        with source.open("wb") as file:
            while piece := await sent.read(_PIECE):
                file.write(piece)
        kind = visit.value("type")
        name = visit.value("name") or (Path(shown).stem if kind == PROMPT else shown)
        try:
            await visit.services.uploads.add(visit.company, source, kind, name)
        except Wrong as error:
            return await _show(visit, errors_of(error, visit.texts))
    return visit.go(MEDIA, visit.texts("Saved."))


def _file(visit: Visit) -> MediaFile:
    found = visit.company.settings.media.get(visit.path("id"))
    if found is None:
        raise NotFound("no such file")
    return found


async def play(visit: Visit) -> Response:
    """Answer with the sound as callers hear it: A-law, in a WAV file."""
    path = visit.services.media_path(_file(visit)).with_suffix(".8")
    try:
        sound = await asyncio.to_thread(path.read_bytes)  # of music some 14 MB
    except OSError:
        raise NotFound("no such file") from None
    return wav(sound)


def wav(sound: bytes) -> Response:
    """Answer with A-law as a WAV file."""
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(sound),
        b"WAVE",
        b"fmt ",
        16,
        _ALAW,
        1,
        _RATE,
        _RATE,
        1,
        8,
        b"data",
        len(sound),
    )
    return Response(head + sound, media_type="audio/wav")


async def delete(visit: Visit) -> Response:
    file = _file(visit)
    await visit.services.uploads.remove(visit.company, file.id)
    return visit.go(MEDIA, visit.texts("{name} is removed.", name=file.name))


async def choose(visit: Visit) -> Response:
    """Choose what is heard while the phone rings and on hold."""
    music = visit.services.directory.music
    try:
        for kind in ("ringback", "holdmusic"):
            if visit.value(kind):
                await music.set(visit.company, kind, visit.value(kind))
    except Wrong as error:
        return await _show(visit, errors_of(error, visit.texts))
    return visit.go(MEDIA, visit.texts("Saved."))


pages = (
    Page(
        MEDIA,
        Area.COMPANY,
        get=show,
        post=add,
        label="Media",
        icon="sound",
        max_body=MOST_BYTES + 65_536,
    ),
    Page(f"{MEDIA}/music", Area.COMPANY, post=choose),
    Page(f"{MEDIA}/{{id}}/sound", Area.COMPANY, get=play),
    Page(f"{MEDIA}/{{id}}/delete", Area.COMPANY, post=delete),
)
