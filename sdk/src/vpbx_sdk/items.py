"""A JSON array read item by item as it comes, so that long answers take no memory."""

from __future__ import annotations

import json
from typing import Any

from vpbx_sdk.errors import VpbxError

__all__ = ["Items"]

_decode = json.JSONDecoder().raw_decode


class Items:
    """Takes pieces of text (`feed`) and gives the items that are whole; `done` at the end."""

    def __init__(self) -> None:
        self._text = ""
        self._open = False
        self._closed = False

    def feed(self, piece: str) -> list[Any]:
        """Return the items that this piece completes. Raises VpbxError: it is no array."""
        self._text += piece
        found: list[Any] = []
        at = self._skip(0)
        if not self._open and at < len(self._text):
            if self._text[at] != "[":
                raise VpbxError("the answer is no list")
            self._open, at = True, self._skip(at + 1)
        while at < len(self._text) and not self._closed:
            if self._text[at] == "]":
                self._closed = True
                at += 1
                break
            try:
                item, end = _decode(self._text, at)
            except ValueError:
                break  # the rest of it is still to come
            end = self._skip(end)
            if end >= len(self._text):
                break  # a number might go on
            if self._text[end] not in ",]":
                raise VpbxError("the answer is no JSON")
            found.append(item)
            at = self._skip(end + 1) if self._text[end] == "," else end
        self._text = self._text[at:]
        return found

    def done(self) -> None:
        """Raise VpbxError where the array did not end."""
        if not self._closed:
            raise VpbxError("the answer ended early")

    def _skip(self, at: int) -> int:
        while at < len(self._text) and self._text[at] in " \t\r\n":
            at += 1
        return at
