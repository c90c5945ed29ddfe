"""Names that may lead to public addresses only, for HTTP clients (`vpbx.outside` says why)."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from vpbx.outside import Private, is_public

__all__ = ["NotPublic", "PublicResolver"]


class NotPublic(OSError):
    """Only private addresses stand behind a name."""


class PublicResolver(AbstractResolver):
    """Resolves names for aiohttp; unless `private` says yes, to addresses that are public.

    What is looked at is what is connected to, so a name cannot lead elsewhere in between.
    """

    def __init__(self, inner: AbstractResolver, private: Private) -> None:
        self._inner = inner
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if self._private():
            return found
        public = [entry for entry in found if is_public(entry["host"])]
        if not public:
            raise NotPublic
        return public

    async def close(self) -> None:
        await self._inner.close()
