"""The media catalogue's files: DATA/media/DOMAIN-ID/NAME.8, .0 and .9, and a record each.

First the files, then the record: what is in the catalogue can be played. Files without a record
(a crash between the two, or between a deletion's two) go with a later upload. NAME is the file's
id; of a text that was changed and said anew, another.
"""

from __future__ import annotations

import contextlib
import difflib
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from vpbx.app.datadir import DataDir
from vpbx.directory import Directory, DomainConfig, Invalid, MediaFile
from vpbx.directory.sounds import BUILT_IN_MUSIC, PROMPT
from vpbx.media import (
    NoVoice,
    UnfitFile,
    convert_upload,
    prompt_names,
    remove_upload,
    speak,
    upload_bytes,
)

__all__ = ["LONGEST_S", "Uploads"]

LONGEST_S = {"greeting": 300.0, "music": 1800.0, "ivr": 300.0, PROMPT: 300.0}
_ABANDONED_S = 3600.0
_MADE_WITHIN_S = 30.0
_MOST_SPEAKING = 4
_NAMED_BY = 60
_ALAW = ".8"


class Uploads:
    """Adds to and removes from a company's media catalogue."""

    def __init__(self, directory: Directory, data: DataDir) -> None:
        self._catalog = directory.media
        self._directory = directory
        self._root = data.media
        self._speaking: set[int] = set()
        """Companies one of whose texts is being said: one at a time each."""

    @property
    def replaceable(self) -> list[str]:
        """The names of the built-in prompts; an upload of type `prompt` takes the place of one."""
        return _built_in()

    async def add(
        self, company: DomainConfig, source: Path, media_type: str, name: str = ""
    ) -> MediaFile:
        """Convert a file and put it into the catalogue; its own name is the default.

        A prompt has the name of the built-in one it replaces; an earlier one of that name goes.
        Invalid names what is wrong with the file or the values; MediaError: no room on the disk
        or the like. Either way there is neither a record nor a file more than before.
        """
        name = name or (source.stem if media_type == PROMPT else source.name)
        await self._check(company, name, media_type)
        file_id = str(uuid.uuid4())
        target = self._root / f"{company.id}/{file_id}"
        try:
            seconds = await convert_upload(source, target, max_s=LONGEST_S[media_type])
        except UnfitFile as error:
            raise Invalid.one("file", f"{source.name} {error}") from error
        return await self._keep(company, file_id, name, media_type, seconds)

    async def say(
        self, company: DomainConfig, text: str, language: str, media_type: str, name: str = ""
    ) -> MediaFile:
        """Put a text into the catalogue as the built-in voice says it; its beginning is its name.

        Raises what `add` does; of the text by the field `text`.
        """
        text, language = self._catalog.to_say(text, language)
        name = name or ("" if media_type == PROMPT else text[:_NAMED_BY].strip())
        await self._check(company, name, media_type)
        file_id = str(uuid.uuid4())
        target = self._root / f"{company.id}/{file_id}"
        async with self._said(company, text, language, target, media_type) as seconds:
            return await self._keep(company, file_id, name, media_type, seconds, (text, language))

    async def say_anew(
        self, company: DomainConfig, file_id: str, text: str, language: str
    ) -> MediaFile:
        """Say another text in the place of one that was said; what uses the file goes on so.

        NotFound when nothing was said under that id; raises what `say` does, and then the
        earlier one stays.
        """
        text, language = self._catalog.to_say(text, language)
        before = await self._catalog.get(company, file_id)
        path = f"{company.id}/{uuid.uuid4()}"
        target = self._root / path
        async with self._said(company, text, language, target, before.type) as seconds:
            try:
                file = await self._catalog.say_anew(
                    company,
                    file_id,
                    path,
                    duration_s=seconds,
                    size_bytes=upload_bytes(target),
                    text=text,
                    language=language,
                )
            except BaseException:
                _drop(target)
                raise
        _drop(self._root / before.path)
        return file

    async def spoken(self, company: DomainConfig, text: str, language: str) -> bytes:
        """Return a text as callers would hear it, A-law, and keep nothing; raises Invalid."""
        text, language = self._catalog.to_say(text, language)
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "said"
            async with self._said(company, text, language, target, "greeting"):
                return target.with_suffix(_ALAW).read_bytes()

    @contextlib.asynccontextmanager
    async def _said(
        self, company: DomainConfig, text: str, language: str, target: Path, media_type: str
    ) -> AsyncIterator[float]:
        """Make the files of a text; what follows of it belongs to the company's one turn."""
        if company.id in self._speaking:
            raise Invalid.one("text", "another text is being said just now; try again in a moment")
        if len(self._speaking) >= _MOST_SPEAKING:
            raise Invalid.one("text", "the server is saying other texts; try again in a moment")
        longest = LONGEST_S.get(media_type, LONGEST_S["greeting"])
        self._speaking.add(company.id)
        try:
            with tempfile.TemporaryDirectory() as folder:
                source = Path(folder) / "speech.wav"
                await speak(text, language, source)
                seconds = await convert_upload(
                    source, target, max_s=longest, timeout_s=_MADE_WITHIN_S
                )
            yield seconds
        except UnfitFile as error:
            raise Invalid.one("text", str(error)) from error
        except NoVoice as error:
            raise Invalid.one("text", f"cannot be said: {error}") from error
        finally:
            self._speaking.discard(company.id)

    async def remove(self, company: DomainConfig, file_id: str) -> MediaFile:
        """Take a file out of the catalogue and off every use of it; raises NotFound."""
        file = await self._catalog.delete(company, file_id)
        remove_upload(self._root / file.path)
        return file

    async def _check(self, company: DomainConfig, name: str, media_type: str) -> None:
        """Raise Invalid for what could not be kept under that name."""
        await self._catalog.check(company, name, media_type)
        if media_type == PROMPT:
            _check_prompt(name)

    async def _keep(
        self,
        company: DomainConfig,
        file_id: str,
        name: str,
        media_type: str,
        seconds: float,
        said: tuple[str, str] = ("", ""),
    ) -> MediaFile:
        """Write the record of files that are there; without it they go."""
        path = f"{company.id}/{file_id}"
        target = self._root / path
        replaced = None
        if media_type == PROMPT:
            replaced = (await self._directory.current(company)).settings.prompts.get(name)
        try:
            file = await self._catalog.add(
                company,
                name,
                media_type,
                path,
                file_id=file_id,
                duration_s=seconds,
                size_bytes=upload_bytes(target),
                text=said[0],
                language=said[1],
            )
        except BaseException:
            _drop(target)
            raise
        if replaced is not None:
            remove_upload(self._root / replaced.path)
        await self._sweep(company)
        return file

    async def _sweep(self, company: DomainConfig) -> None:
        """Remove old files that are in no catalogue."""
        media = (await self._directory.current(company)).settings.media.values()
        _remove_others(self._root / str(company.id), {Path(file.path).name for file in media})


def _drop(target: Path) -> None:
    """Remove files that nobody will ask for; what cannot be removed goes with a later upload."""
    with contextlib.suppress(OSError):
        remove_upload(target)


def _built_in() -> list[str]:
    return sorted(prompt_names() - set(BUILT_IN_MUSIC))


def _check_prompt(name: str) -> None:
    """Raise Invalid unless there is such a built-in prompt."""
    names = _built_in()
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
