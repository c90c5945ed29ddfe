"""Where a company uses sounds of its own: numbers, departments, music, prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any
from urllib.parse import quote

from vpbx.console.texts import Texts, phone
from vpbx.directory import DomainConfig

__all__ = ["uses"]

Use = tuple[str, str]


def uses(domain: DomainConfig, say: Texts) -> dict[str, list[Use]]:
    """Return what uses each file, in words, and where that is set; "": on the page of media."""
    found: dict[str, list[Use]] = {file_id: [] for file_id in domain.settings.media}

    def note(file_ids: Iterable[str], use: Use) -> None:
        for file_id in file_ids:
            if file_id in found and use not in found[file_id]:
                found[file_id].append(use)

    settings = domain.settings
    note([settings.ringback.file], (say("While it rings"), ""))
    note([settings.holdmusic.file], (say("On hold and in queues"), ""))
    prompts = [file.id for file in settings.prompts.values()]
    note(prompts, (say("Instead of a built-in prompt"), ""))
    if found:
        for telnum, number in domain.numbers.items():
            note(_texts(number), (phone(telnum), f"/numbers/{quote(telnum)}"))
        for group in domain.departments.values():
            note(_texts(group), (group.name, f"/departments/{quote(group.id)}"))
    return found


def _texts(value: Any) -> Iterator[str]:
    """Yield all that is text in what a company has set; an id of a file is like no other."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _texts(each)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _texts(getattr(value, field.name))
