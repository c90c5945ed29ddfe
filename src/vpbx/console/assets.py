"""What browsers fetch beside pages: our style, icons, and the scripts that setup bundled.

Read once, kept in memory, plain and compressed; addresses carry a hash of it all, so that a
browser keeps what it has until there is something else.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["Assets"]

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}
_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class _File:
    media_type: str
    plain: bytes
    packed: bytes


class Assets:
    """All files of `static/`."""

    def __init__(self) -> None:
        found = dict(_files(resources.files("vpbx.console").joinpath("static"), ""))
        self._files = {
            name: _File(_TYPES[name.rpartition(".")[2]], data, gzip.compress(data, 9, mtime=0))
            for name, data in found.items()
        }
        together = b"".join(name.encode() + data for name, data in sorted(found.items()))
        self.version = hashlib.sha256(together).hexdigest()[:12]

    def has(self, name: str) -> bool:
        """Say whether there is such a file: bundles are missing where none could be fetched."""
        return name in self._files

    def plain(self, name: str) -> bytes | None:
        """Return a file as it is; None: there is none of this name."""
        file = self._files.get(name)
        return file.plain if file is not None else None

    def url(self, name: str) -> str:
        """Return where a file is fetched."""
        return f"/assets/{self.version}/{name}"

    async def answer(self, request: Request) -> Response:
        """Answer `GET /assets/{version}/{name}`; any version gives what there is now."""
        file = self._files.get(request.path_params["name"])
        if file is None:
            return Response(status_code=404)
        is_current = request.path_params["version"] == self.version
        headers = {
            "Cache-Control": f"public, max-age={_YEAR_S}, immutable" if is_current else "no-cache",
            "Vary": "Accept-Encoding",
        }
        body = file.plain
        if "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["Content-Encoding"] = file.packed, "gzip"
        return Response(body, media_type=file.media_type, headers=headers)


def _files(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for item in sorted(folder.iterdir(), key=lambda each: each.name):
        if item.is_dir():
            found += _files(item, f"{prefix}{item.name}/")
        elif item.name.rpartition(".")[2] in _TYPES:
            found.append((prefix + item.name, item.read_bytes()))
    return found
