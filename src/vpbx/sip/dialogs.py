"""All dialogs of a stack, found by what a message carries (RFC 3261 §12)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

from vpbx.sip.dialog import Dialog

Owner = TypeVar("Owner")

_ENDED = 4096
"""So many dialogs are known to have ended; the oldest are forgotten."""


class Dialogs(Generic[Owner]):
    """Dialogs and whose they are; one owner may have several (forks)."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], tuple[Owner, Dialog]] = {}
        self._calls: dict[str, int] = {}
        self._ended: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def add(self, owner: Owner, dialog: Dialog) -> None:
        """Take in a dialog."""
        key = dialog.key
        if key not in self._found:
            self._calls[dialog.call_id] = self._calls.get(dialog.call_id, 0) + 1
        self._found[key] = owner, dialog

    def remove(self, dialog: Dialog) -> None:
        """Forget a dialog; harmless when it is not there."""
        key = dialog.key
        if self._found.pop(key, None) is not None:
            self._ended[key] = None
            if len(self._ended) > _ENDED:
                self._ended.popitem(last=False)
            left = self._calls[dialog.call_id] - 1
            if left:
                self._calls[dialog.call_id] = left
            else:
                del self._calls[dialog.call_id]

    def find(self, call_id: str, local_tag: str, remote_tag: str) -> tuple[Owner, Dialog] | None:
        """Return a dialog and its owner."""
        return self._found.get((call_id, local_tag, remote_tag))

    def has_ended(self, call_id: str, local_tag: str, remote_tag: str) -> bool:
        """Say whether there was such a dialog not long ago."""
        return (call_id, local_tag, remote_tag) in self._ended

    def has_call(self, call_id: str) -> bool:
        """Say whether any dialog has this Call-ID."""
        return call_id in self._calls

    def owners(self) -> Iterator[Owner]:
        """Return whose they are, once for each dialog."""
        return (owner for owner, _ in self._found.values())

    def clear(self) -> None:
        """Forget all."""
        self._found.clear()
        self._calls.clear()
        self._ended.clear()
