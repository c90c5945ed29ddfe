"""Prompts: shipped as small Opus files, expanded to the raw payloads RTPProxy plays.

RTPProxy plays `NAME.8` (A-law), `NAME.0` (µ-law) and `NAME.9` (G.722), each 64 kbit/s, in
packets of 10 ms. It has no Opus player, so a side that takes nothing but Opus hears no prompt.

A prompt is expanded when it is first played (10 ms, in a thread), once for each release: a server
starts at once however many there are. RTPProxy plays one file at a time, so a phrase of several
parts ("Your place in the queue is", "three") is put together into a file, which is kept for the
next who hears it, among the last `MAX_PHRASES`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from importlib import resources
from pathlib import Path

import structlog

from .conversion import PAYLOADS, convert
from .model import MediaError

log = structlog.get_logger("vpbx.media")

PLAYABLE = PAYLOADS
"""Payload types prompts exist in."""
BYTES_PER_S = 8000
"""Of each of them."""
MAX_PHRASES = 500
_LAST = PLAYABLE[-1]
"""What `convert` makes last: where it is, the others are."""
_STAMP = ".expanded"
_PHRASES = "phrases"
_FALLBACK = "en"


def prompt_names() -> frozenset[str]:
    """Return the names of all built-in sounds."""
    return frozenset(name for _, name, _ in _shipped())


class PromptLibrary:
    """The built-in prompts in `folder`, one subfolder a language."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._shipped: dict[str, Path] = {}
        """Path without ending → the shipped file it is made of."""
        self._sizes: dict[tuple[str, int], int] = {}
        self._links: dict[str, str] = {}
        self._phrases: OrderedDict[str, None] = OrderedDict()
        self._making: dict[str, asyncio.Future[None]] = {}

    def expand(self) -> None:
        """Make the folder ready; what another release expanded is removed (blocks for some ms)."""
        shipped = sorted(_shipped())
        digest = hashlib.sha256()
        for language, name, source in shipped:
            digest.update(f"{language}/{name}\n".encode() + source.read_bytes())
        stamp = self._folder / _STAMP
        current = stamp.exists() and stamp.read_text() == digest.hexdigest()
        languages = {language for language, _, _ in shipped}
        for stale in {_PHRASES} if current else {_PHRASES, *languages}:
            shutil.rmtree(self._folder / stale, ignore_errors=True)
        for folder in (_PHRASES, *languages):
            (self._folder / folder).mkdir(parents=True, exist_ok=True)
        if not current:
            stamp.write_text(digest.hexdigest())
        self._shipped = {
            str(self._folder / language / name): source for language, name, source in shipped
        }

    def path(self, prompt: str, language: str) -> str:
        """Return the path, without ending, of a built-in prompt or of an absolute one."""
        if prompt.startswith("/"):
            return prompt
        for candidate in (language, _FALLBACK):
            path = f"{self._folder}/{candidate}/{prompt}"
            if path in self._shipped:
                return path
        raise MediaError(f"there is no prompt {prompt!r}")

    async def prepare(self, prompt: str | Sequence[str], language: str) -> str:
        """Return the path, without ending, of a prompt or of several in a row, ready to play.

        Absolute paths of converted uploads may be among them. MediaError: one is not there, or
        there is no room on the disk.
        """
        parts = (prompt,) if isinstance(prompt, str) else prompt
        paths = [self.path(part, language) for part in parts]
        if not paths:
            raise MediaError("a phrase without parts")
        for path in paths:
            if path in self._shipped and not self.size(path, _LAST):
                await self._make(path, partial(convert, self._shipped[path], Path(path)))
        return paths[0] if len(paths) == 1 else await self._phrase(paths)

    async def _phrase(self, paths: list[str]) -> str:
        key = hashlib.sha256("\n".join(paths).encode()).hexdigest()[:24]
        path = f"{self._folder}/{_PHRASES}/{key}"
        if path in self._phrases:
            self._phrases.move_to_end(path)
            return path
        await self._make(path, partial(_join, paths, path))
        if not any(self.size(path, payload) for payload in PLAYABLE):
            for part in paths:
                self.forget(part)
            raise MediaError(f"of a phrase a part is missing: {', '.join(paths)}")
        self._phrases[path] = None
        if len(self._phrases) > MAX_PHRASES:
            oldest, _ = self._phrases.popitem(last=False)
            for payload in PLAYABLE:
                self._sizes.pop((oldest, payload), None)
                with contextlib.suppress(OSError):
                    os.unlink(f"{oldest}.{payload}")
        return path

    async def _make(self, path: str, work: Callable[[], object]) -> None:
        """Do `work`, which makes the files of `path`, in a thread; once, whoever else asks."""
        making = self._making.get(path)
        if making is None:
            future = asyncio.get_running_loop().run_in_executor(None, work)
            making = self._making[path] = asyncio.ensure_future(_done(future))
            making.add_done_callback(lambda done: self._made(path, done))
        try:
            await asyncio.shield(making)
        except OSError as error:
            raise MediaError(f"{path}: {error.strerror}") from error

    def _made(self, path: str, done: asyncio.Future[None]) -> None:
        del self._making[path]
        if not done.cancelled():
            done.exception()  # looked at: whoever waited may be gone

    def size(self, path: str, payload: int) -> int:
        """Return the bytes of the prompt in that payload type, 0 when it is not there."""
        known = self._sizes.get((path, payload))
        if known is not None:
            return known
        try:
            size = os.stat(f"{path}.{payload}").st_size
        except OSError:
            return 0
        if path in self._shipped or path in self._phrases:
            self._sizes[path, payload] = size
        return size

    def forget(self, path: str) -> None:
        """Note that the files of `path` turned out to be gone: the next time they are made anew."""
        self._phrases.pop(path, None)
        for payload in PLAYABLE:
            self._sizes.pop((path, payload), None)

    def spoken(self, path: str) -> str:
        """Return `path` fit for a command: RTPProxy's have no way to quote a space."""
        folder, name = os.path.split(path)
        if any(character.isspace() for character in name):
            raise MediaError(f"no space may be in the name of a prompt: {name!r}")
        if not any(character.isspace() for character in folder):
            return path
        if folder not in self._links:
            link = os.path.join(tempfile.mkdtemp(prefix="vpbx-prompts-"), "d")
            os.symlink(folder, link)
            self._links[folder] = link
        return f"{self._links[folder]}/{name}"

    def close(self) -> None:
        """Remove what `spoken` had to make."""
        for link in self._links.values():
            with contextlib.suppress(OSError):
                os.unlink(link)
                os.rmdir(os.path.dirname(link))
        self._links.clear()

    def problems(self) -> list[str]:
        """Return what keeps prompts from being played, a sentence each."""
        folders = [self._folder / name for name in (_FALLBACK, _PHRASES)]
        unfit = [str(folder) for folder in folders if not os.access(folder, os.W_OK | os.X_OK)]
        if not unfit:
            return []
        return [f"prompts cannot be kept in {', '.join(unfit)}: see to its rights, restart vpbx"]


async def _done(future: asyncio.Future[object]) -> None:
    await future


def _join(paths: list[str], target: str) -> None:
    """Write the files at `paths` one after the other, in each payload type all of them have."""
    for payload in PLAYABLE:
        sources = [Path(f"{path}.{payload}") for path in paths]
        try:
            sound = b"".join(source.read_bytes() for source in sources)
        except FileNotFoundError:
            continue
        part = Path(f"{target}.{payload}.part")
        part.write_bytes(sound)
        part.replace(f"{target}.{payload}")


def _shipped() -> list[tuple[str, str, Path]]:
    """Return language, name and file of each sound in the package."""
    root = Path(str(resources.files("vpbx.media") / "sounds"))
    return [(file.parent.name, file.stem, file) for file in root.glob("*/*.opus")]
