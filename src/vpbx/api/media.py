"""Music and the media catalogue (crm-api §11)."""

from __future__ import annotations

from pydantic import Field
from starlette.responses import Response

from vpbx.api.answer import answer, no_content
from vpbx.api.domain import EDITING, VIEW, section
from vpbx.api.fields import Name, Request
from vpbx.api.models import Id, Model
from vpbx.api.operation import Call
from vpbx.directory import Music

__all__ = ["section"]


class Sound(Model):
    """A chosen sound."""

    file: str
    name: str
    uploaded: bool


class MusicView(Model):
    """What callers hear while they wait."""

    ringback: Sound
    holdmusic: Sound


class FileSetting(Request):
    """A sound."""

    file: Name = Field(description="Name of a built-in file, or id from the media catalogue.")


BUILT_IN = {"file": "holdmusic", "name": "Morning wave", "uploaded": False}
UPLOADED = "27f58ad3-c06f-4467-8326-f3be27ad9aed"


def _show(music: Music) -> dict[str, object]:
    return {"file": music.file, "name": music.name, "uploaded": music.uploaded}


@section.get(
    "/music",
    answer=MusicView,
    right=VIEW,
    shows={
        "ringback": BUILT_IN,
        "holdmusic": {"file": UPLOADED, "name": "Music_1.mp3", "uploaded": True},
    },
    summary="Getting music settings",
)
async def get_music(call: Call) -> Response:
    """The ringback tone and the music on hold."""
    chosen = await call.services.directory.music.get(call.domain)
    return answer({kind: _show(music) for kind, music in chosen.items()})


@section.post(
    "/music/{type}",
    body=FileSetting,
    right=EDITING,
    example={"file": "holdmusic"},
    summary="Setting music for music on hold and ringback tone",
)
async def set_music(call: Call, params: FileSetting) -> Response:
    """`type` is `ringback` or `holdmusic`."""
    await call.services.directory.music.set(call.domain, call.path["type"], params.file)
    return no_content()


@section.get(
    "/media-catalog/{type}",
    answer=list[Id],
    right=VIEW,
    shows=[{"id": UPLOADED, "name": "Music_1.mp3"}],
    summary="Media file directory",
)
async def list_media(call: Call) -> Response:
    """Uploaded files; of `ringback` and `holdmusic` all that `POST /music` takes, built-in too."""
    files = await call.services.directory.media.list(call.domain, call.path["type"])
    return answer([{"id": file.id, "name": file.name} for file in files])
