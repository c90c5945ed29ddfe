"""Prompts: shipped as small Opus files, expanded to the raw payloads RTPProxy plays.

RTPProxy plays `NAME.8` (A-law), `NAME.0` (µ-law) and `NAME.9` (G.722), each 64 kbit/s, in
packets of 10 ms. It has no Opus player, so a side that takes nothing but Opus hears no prompt.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from importlib import resources
from pathlib import Path

import structlog

from . import g711
from .conversion import PAYLOADS, convert
from .model import MediaError

log = structlog.get_logger("vpbx.media")

PLAYABLE = PAYLOADS
"""Payload types prompts exist in."""
BYTES_PER_S = 8000
"""Of each of them."""
_STAMP = ".expanded"
_FALLBACK = "en"


class PromptLibrary:
    """The built-in prompts in `folder`, one subfolder a language."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._sizes: dict[tuple[str, int], int] = {}
        self._links: dict[str, str] = {}

    def expand(self) -> None:
        """Convert the shipped sounds unless that was done before (blocks for some 0.3 s)."""
        shipped = sorted(_shipped())
        digest = hashlib.sha256()
        for language, name, source in shipped:
            digest.update(f"{language}/{name}\n".encode() + source.read_bytes())
        stamp = self._folder / _STAMP
        if not (stamp.exists() and stamp.read_text() == digest.hexdigest()):
            for language, name, source in shipped:
                (self._folder / language).mkdir(parents=True, exist_ok=True)
                convert(source, self._folder / language / name)
            stamp.write_text(digest.hexdigest())
        for language, name, _ in shipped:
            path = str(self._folder / language / name)
            for payload in PLAYABLE:
                self._sizes[path, payload] = self.size(path, payload)

    def path(self, prompt: str, language: str) -> str:
        """Return the path, without ending, of a built-in prompt or of an absolute one."""
        if prompt.startswith("/"):
            return prompt
        for candidate in (language, _FALLBACK):
            path = f"{self._folder}/{candidate}/{prompt}"
            if (path, g711.PCMA) in self._sizes:
                return path
        raise MediaError(f"there is no prompt {prompt!r}")

    def size(self, path: str, payload: int) -> int:
        """Return the bytes of the prompt in that payload type, 0 when it is not there."""
        known = self._sizes.get((path, payload))
        if known is not None:
            return known
        try:
            return os.stat(f"{path}.{payload}").st_size
        except OSError:
            return 0

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
        """Return what is missing, a sentence each."""
        missing = [
            f"{language}/{name}"
            for language, name, _ in _shipped()
            if not self.size(f"{self._folder}/{language}/{name}", g711.PCMA)
        ]
        if not missing:
            return []
        return [f"prompts are missing in {self._folder} ({', '.join(missing)}): restart vpbx"]


def _shipped() -> list[tuple[str, str, Path]]:
    """Return language, name and file of each sound in the package."""
    root = Path(str(resources.files("vpbx.media") / "sounds"))
    return [(file.parent.name, file.stem, file) for file in root.glob("*/*.opus")]
