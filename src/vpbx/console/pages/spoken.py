"""Texts that the built-in voice says: heard first, kept as media, changed and said anew."""

from __future__ import annotations

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Page
from vpbx.console.pages.media import MEDIA, TYPE_WORDS, wav
from vpbx.console.texts import LANGUAGES
from vpbx.console.visit import Visit
from vpbx.directory import MediaFile, NotFound

TEXT = f"{MEDIA}/text"
_KINDS = ("greeting", "ivr", "prompt")


async def show(visit: Visit) -> Response:
    return _show(visit, None)


async def show_one(visit: Visit) -> Response:
    return _show(visit, _file(visit))


def _show(visit: Visit, file: MediaFile | None, errors: dict[str, str] | None = None) -> Response:
    language = file.language if file else visit.company.language
    return visit.page(
        "spoken.html",
        status=400 if errors else 200,
        errors=errors,
        file=file,
        hear=f"{TEXT}/sound",
        text=visit.value("text", file.text if file else ""),
        language=visit.value("language", language),
        languages=list(LANGUAGES.items()),
        kinds={kind: TYPE_WORDS[kind] for kind in _KINDS},
        kind=visit.value("type", "greeting"),
        prompts=visit.services.uploads.replaceable,
        name=visit.value("name"),
    )


def _file(visit: Visit) -> MediaFile:
    found = visit.company.settings.media.get(visit.path("id"))
    if found is None or not found.text:
        raise NotFound("no such file")
    return found


async def save(visit: Visit) -> Response:
    text, language = visit.value("text"), visit.value("language")
    try:
        await visit.services.uploads.say(
            visit.company, text, language, visit.value("type"), visit.value("name")
        )
    except Wrong as error:
        return _show(visit, None, errors_of(error, visit.texts))
    return visit.go(MEDIA, visit.texts("Saved."))


async def save_one(visit: Visit) -> Response:
    file = _file(visit)
    text, language = visit.value("text"), visit.value("language")
    try:
        await visit.services.uploads.say_anew(visit.company, file.id, text, language)
    except Wrong as error:
        return _show(visit, file, errors_of(error, visit.texts))
    return visit.go(MEDIA, visit.texts("Saved."))


async def hear(visit: Visit) -> Response:
    """Answer with the sound of what stands in the form; nothing is kept."""
    text, language = visit.value("text"), visit.value("language")
    try:
        return wav(await visit.services.uploads.spoken(visit.company, text, language))
    except Wrong as error:
        return _show(visit, None, errors_of(error, visit.texts))


pages = (
    Page(TEXT, Area.COMPANY, get=show, post=save),
    Page(f"{TEXT}/sound", Area.COMPANY, post=hear),
    Page(f"{MEDIA}/{{id}}/text", Area.COMPANY, get=show_one, post=save_one),
)
