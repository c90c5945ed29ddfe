"""The media catalogue and the music of a domain (crm-api §11).

Only the records: uploading converts the audio elsewhere and then keeps it here with its path.
"""

from __future__ import annotations

import uuid

from vpbx.directory import tables
from vpbx.directory.consistency import free_media
from vpbx.directory.errors import Invalid, NotFound
from vpbx.directory.model import DomainConfig
from vpbx.directory.policy import MediaFile, Music
from vpbx.directory.sounds import (
    BUILT_IN_MUSIC,
    MEDIA_TYPES,
    MOST_SPOKEN,
    MUSIC_KINDS,
    PROMPT,
    SPOKEN_LANGUAGES,
)
from vpbx.directory.store import Store
from vpbx.directory.values import Values

MAX_FILES = 1000


class MediaCatalog:
    """Operations on a domain's uploaded sounds."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, domain: DomainConfig, media_type: str) -> tuple[MediaFile, ...]:
        """Return the files of a type of `MEDIA_TYPES`, by name; NotFound for another.

        Of `ringback` and `holdmusic`: what `MusicSettings.set` takes, the built-in sounds first.
        """
        if media_type in MUSIC_KINDS:
            built_in = [MediaFile(id, "music", name, "") for id, name in BUILT_IN_MUSIC.items()]
            return (*built_in, *await self.list(domain, "music"))
        if media_type not in MEDIA_TYPES:
            raise NotFound(f"no such type of media; there are {', '.join(MEDIA_TYPES)}")
        current = await self._store.current(domain)
        return tuple(file for file in current.settings.media.values() if file.type == media_type)

    async def get(self, domain: DomainConfig, file_id: str) -> MediaFile:
        """Return one file; raises NotFound."""
        found = (await self._store.current(domain)).settings.media.get(file_id)
        if found is None:
            raise NotFound("no such file")
        return found

    async def check(self, domain: DomainConfig, name: str, media_type: str) -> None:
        """Raise what `add` would raise, before the work of converting is done."""
        reader = Values({"name": name, "type": media_type})
        _read(reader)
        _room(reader, len((await self._store.current(domain)).settings.media))
        reader.done()

    def to_say(self, text: str, language: str) -> tuple[str, str]:
        """Return a text for the built-in voice on one line, and its language; raises Invalid."""
        reader = Values({"text": " ".join(text.split()), "language": language})
        words = reader.text("text", required=True, max_length=MOST_SPOKEN)
        spoken = reader.choice("language", SPOKEN_LANGUAGES, "en", required=True)
        reader.done()
        return words, spoken

    async def add(
        self,
        domain: DomainConfig,
        name: str,
        media_type: str,
        path: str,
        *,
        file_id: str = "",
        duration_s: float = 0.0,
        size_bytes: int = 0,
        text: str = "",
        language: str = "",
    ) -> MediaFile:
        """Add a file to the catalogue. `path` is where its converted audio lies.

        A prompt takes the place of the company's earlier one of that name. `text` and `language`
        are of what the built-in voice said.
        """
        reader = Values({"name": name, "type": media_type})
        label, kind = _read(reader)
        file_id = file_id or str(uuid.uuid4())
        async with self._store.edit(domain) as tx:
            _room(reader, await tx.count(tables.media_files))
            reader.done()
            if kind == PROMPT:
                files = tables.media_files
                await tx.delete(files, files.c.type == kind, files.c.name == label)
            await tx.insert(
                tables.media_files,
                file_id=file_id,
                type=kind,
                name=label,
                path=path,
                duration_s=duration_s,
                size_bytes=size_bytes,
                spoken_text=text,
                spoken_language=language,
                created_at=int(self._store.clock.time()),
            )
        return await self.get(domain, file_id)

    async def say_anew(
        self,
        domain: DomainConfig,
        file_id: str,
        path: str,
        *,
        duration_s: float,
        size_bytes: int,
        text: str,
        language: str,
    ) -> MediaFile:
        """Give a spoken file another text, whose audio is at another path; its uses stay."""
        files = tables.media_files
        async with self._store.edit(domain) as tx:
            if await tx.first(files, files.c.file_id == file_id, files.c.spoken_text != "") is None:
                raise NotFound("no such file")
            await tx.update(
                files,
                files.c.file_id == file_id,
                path=path,
                duration_s=duration_s,
                size_bytes=size_bytes,
                spoken_text=text,
                spoken_language=language,
            )
        return await self.get(domain, file_id)

    async def delete(self, domain: DomainConfig, file_id: str) -> MediaFile:
        """Delete a file's record and every use of it; returns it, so that its audio can go."""
        file = await self.get(domain, file_id)
        async with self._store.edit(domain) as tx:
            row = await tx.first(tables.media_files, tables.media_files.c.file_id == file_id)
            if row is None:
                raise NotFound("no such file")
            await free_media(tx, row.id)
            await tx.delete(tables.media_files, tables.media_files.c.id == row.id)
        return file


def _read(reader: Values) -> tuple[str, str]:
    label = reader.text("name", required=True)
    return label, reader.choice("type", MEDIA_TYPES, "greeting", required=True)


def _room(reader: Values, files: int) -> None:
    if files >= MAX_FILES:
        reader.wrong("limits", f"the catalogue may have at most {MAX_FILES} files")


class MusicSettings:
    """Operations on what callers hear while they wait."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, domain: DomainConfig) -> dict[str, Music]:
        """Return ringback and holdmusic."""
        settings = (await self._store.current(domain)).settings
        return {"ringback": settings.ringback, "holdmusic": settings.holdmusic}

    async def set(self, domain: DomainConfig, kind: str, file: str) -> None:
        """Choose a built-in sound by name or an uploaded `music` file by id.

        NotFound for another kind than ringback and holdmusic.
        """
        if kind not in MUSIC_KINDS:
            raise NotFound("no such kind of music")
        files, music = tables.media_files, tables.music
        async with self._store.edit(domain) as tx:
            row = await tx.first(files, files.c.file_id == file, files.c.type == "music")
            if row is None and file not in BUILT_IN_MUSIC:
                names = ", ".join(BUILT_IN_MUSIC)
                raise Invalid.one("file", f"must be one of {names}, or the id of a music file")
            await tx.delete(music, music.c.kind == kind)
            await tx.insert(
                music,
                kind=kind,
                builtin="" if row is not None else file,
                media_id=row.id if row is not None else None,
            )
