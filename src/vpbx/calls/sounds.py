"""Which file is heard: built-in sounds, a company's own prompts, its music, its uploads.

A sound is the name of a built-in one, or the absolute path (without the ending) of an upload:
what `MediaSession.play` takes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from vpbx.directory import DomainConfig, Music

__all__ = ["Spoken", "music", "prompt", "spoken", "upload"]

Spoken: TypeAlias = str | tuple[str, ...]
"""A prompt, or a phrase of several that are said in a row (`vpbx.media.phrases`)."""


def prompt(domain: DomainConfig, uploads: Path | None, name: str) -> str:
    """Return the sound of a prompt: the company's own, where it has replaced the built-in one."""
    own = domain.settings.prompts.get(name)
    return name if own is None or uploads is None else str(uploads / own.path)


def spoken(domain: DomainConfig, uploads: Path | None, what: Spoken) -> Spoken:
    """Return the sounds of a prompt or phrase."""
    if isinstance(what, str):
        return prompt(domain, uploads, what)
    return tuple(prompt(domain, uploads, part) for part in what)


def upload(domain: DomainConfig, uploads: Path | None, file_id: str, default: str) -> str:
    """Return the sound of a file of the media catalogue; the prompt `default` if there is none."""
    file = domain.settings.media.get(file_id)
    if file is None or uploads is None:
        return prompt(domain, uploads, default)
    return str(uploads / file.path)


def music(domain: DomainConfig, uploads: Path | None, chosen: Music, default: str) -> str:
    """Return the sound of a chosen music; the built-in `default` if the upload is gone."""
    if not chosen.uploaded:
        return chosen.file
    file = domain.settings.media.get(chosen.file)
    return default if file is None or uploads is None else str(uploads / file.path)
