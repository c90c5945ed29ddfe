"""The secrets of connections, derived once: it takes a while, and calls cannot wait."""

from __future__ import annotations

import asyncio

from vpbx.branches.proof import derive, sip_password
from vpbx.directory import Branch, Directory, DomainConfig

__all__ = ["BranchSecrets"]


class BranchSecrets:
    """What each connection's key makes; kept while the key stays the same."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._made: dict[tuple[str, str], tuple[str, bytes]] = {}

    async def of(self, domain: DomainConfig, branch: Branch) -> bytes:
        """Return the secret; ValueError when the server's key file was replaced."""
        known = self._made.get((domain.name, branch.domain))
        if known is not None and known[0] == branch.key:
            return known[1]
        key = self._directory.branches.key(branch)
        secret = await asyncio.to_thread(derive, key, domain.name, branch.domain)
        self._made[domain.name, branch.domain] = branch.key, secret
        return secret

    async def sip_password(self, domain: DomainConfig, branch: Branch) -> str:
        """Return the password of calls between the two."""
        return sip_password(await self.of(domain, branch))
