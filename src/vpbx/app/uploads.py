"""The media catalogue's files: DATA/media/DOMAIN-ID/FILE-ID.8, .0 and .9, and a record each.

First the files, then the record: what is in the catalogue can be played. Files without a record
(a crash between the two, or between a deletion's two) go with a later upload.
"""

from __future__ import annotations

import contextlib
import difflib
import time
import uuid
from pathlib import Path

from vpbx.app.datadir import DataDir
from vpbx.directory import Directory, DomainConfig, Invalid, MediaFile
from vpbx.directory.sounds import BUILT_IN_MUSIC, PROMPT
from vpbx.media import (
    UnfitFile,
    convert_upload,
    prompt_names,
    remove_upload,
    upload_bytes,
)

__all__ = ["LONGEST_S", "Uploads"]

LONGEST_S = {"greeting": 300.0, "music": 1800.0, "ivr": 300.0, PROMPT: 300.0}
_ABANDONED_S = 3600.0


class Uploads:
    """Adds to and removes from a company's media catalogue."""

    def __init__(self, directory: Directory, data: DataDir) -> None:
        self._catalog = directory.media
        self._directory = directory
        self._root = data.media

    async def add(
        self, company: DomainConfig, source: Path, media_type: str, name: str = ""
    ) -> MediaFile:
        """Convert a file and put it into the catalogue; its own name is the default.

        A prompt has the name of the built-in one it replaces; an earlier one of that name goes.
        Invalid names what is wrong with the file or the values; MediaError: no room on the disk
        or the like. Either way there is neither a record nor a file more than before.
        """
        name = name or (source.stem if media_type == PROMPT else source.name)
        await self._catalog.check(company, name, media_type)
        replaced = None
        if media_type == PROMPT:
            _check_prompt(name)
            replaced = (await self._directory.current(company)).settings.prompts.get(name)
        file_id = str(uuid.uuid4())
        path = f"{company.id}/{file_id}"
        target = self._root / path
        try:
            seconds = await convert_upload(source, target, max_s=LONGEST_S[media_type])
        except UnfitFile as error:
            raise Invalid.one("file", f"{source.name} {error}") from error
        try:
            file = await self._catalog.add(
                company,
                name,
                media_type,
                path,
                file_id=file_id,
                duration_s=seconds,
                size_bytes=upload_bytes(target),
            )
        except BaseException:
            with contextlib.suppress(OSError):
                remove_upload(target)
            raise
        if replaced is not None:
            remove_upload(self._root / replaced.path)
        await self._sweep(company)
        return file

    async def remove(self, company: DomainConfig, file_id: str) -> MediaFile:
        """Take a file out of the catalogue and off every use of it; raises NotFound."""
        file = await self._catalog.delete(company, file_id)
        remove_upload(self._root / file.path)
        return file

    async def _sweep(self, company: DomainConfig) -> None:
        """Remove old files that are in no catalogue."""
        known = (await self._directory.current(company)).settings.media
        _remove_others(self._root / str(company.id), set(known))


def _check_prompt(name: str) -> None:
    """Raise Invalid unless there is such a built-in prompt."""
    names = sorted(prompt_names() - set(BUILT_IN_MUSIC))
    if name not in names:
        near = difflib.get_close_matches(name, names, 3, 0.4)
        hint = f" (like {', '.join(near)}?)" if near else ""
        raise Invalid.one(
            "name", f"there is no built-in prompt {name!r}{hint}; docs/prompts.md lists them"
        )


def _remove_others(folder: Path, known: set[str]) -> None:
    for file in folder.iterdir():
        owner = file.name.lstrip(".").partition(".")[0]
        with contextlib.suppress(OSError):
            if owner not in known and file.stat().st_mtime < time.time() - _ABANDONED_S:
                file.unlink()
