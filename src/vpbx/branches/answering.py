"""The side that is asked: another PBX wants to exchange directories with a company here."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from vpbx.branches.proof import Challenges, proof, proven
from vpbx.branches.secrets import BranchSecrets
from vpbx.branches.wire import Malformed, read_content, write_content
from vpbx.directory import Branch, BranchStatus, Directory, DomainConfig, NotFound

__all__ = ["Answering", "Refusal"]

log = structlog.get_logger("vpbx.branches")

MAX_BODY = 4 << 20
_MAX_CHALLENGE = 200
_MAX_MEMBERS = 16
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


class Refusal(Exception):
    """No exchange; `status` and `reason` are what the other side is told."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Answering:
    """Answers challenges and exchanges. `exchanged` hears of each that was good."""

    def __init__(
        self,
        directory: Directory,
        secrets: BranchSecrets,
        sip: Callable[[], str],
        certificates: Callable[[str], frozenset[str]],
        exchanged: Callable[[DomainConfig, str, str], None],
    ) -> None:
        self._directory = directory
        self._secrets = secrets
        self._sip = sip
        self._certificates = certificates
        self._exchanged = exchanged
        self._challenges = Challenges()
        self._one_by_one: dict[tuple[int, str], asyncio.Lock] = {}

    async def challenge(self, body: bytes) -> dict[str, Any]:
        """Give a challenge to whoever wants to talk to a company here."""
        told = read_flat(body)
        _word(told, "to")  # whether it is here, only who holds the key is told
        return {"challenge": self._challenges.new()}

    async def exchange(self, body: bytes) -> dict[str, Any]:
        """Take the other side's directory and give ours, if both hold the key."""
        told = read_flat(body)
        peer = _word(told, "from").lower()
        domain, branch = await self._branch(_word(told, "to"), peer)
        challenge, counter = _word(told, "challenge"), _word(told, "counter")
        content, given = told.get("content"), _word(told, "proof")
        if content is None:
            raise Refusal(400, "there is no content")
        if not self._challenges.good(challenge):
            raise Refusal(409, "the challenge is old, ask for another")
        secret = await self._secrets.of(domain, branch)
        expected = proof(
            secret,
            by=peer,
            to=domain.name,
            challenge=challenge,
            counter=counter,
            content=content.encode(),
        )
        if not proven(given, expected):
            log.warning("a connected PBX holds another key", domain=domain.name, peer=peer)
            raise Refusal(403, "the keys are not the same")
        self._challenges.use(challenge)
        self._nobody_between(counter.partition(".")[2], domain)
        ours = await self._take(domain, peer, content) if content else ""
        back = proof(
            secret,
            by=domain.name,
            to=peer,
            challenge=challenge,
            counter=counter,
            content=ours.encode(),
        )
        return {"proof": back, "content": ours}

    async def _take(self, domain: DomainConfig, peer: str, content: str) -> str:
        """Keep what the other side tells, and return what we tell it."""
        try:
            people, sip = read_content(content)
        except Malformed as error:
            raise Refusal(400, str(error)) from error
        ours = write_content(domain, self._sip())
        try:
            await self._directory.branches.keep(
                domain, peer, BranchStatus.SUCCESS, people, sip_told=sip
            )
        except NotFound as error:  # removed a moment ago, by another process
            raise Refusal(404, _not_added(domain.name, peer)) from error
        self._exchanged(domain, peer, ours)
        return ours

    def _nobody_between(self, seen: str, domain: DomainConfig) -> None:
        """Refuse when the other side was shown a certificate that is not ours."""
        if seen in ("", "ca", "plain") or seen in self._certificates(domain.name):
            return
        log.warning("a connected PBX was shown another certificate than ours", domain=domain.name)
        raise Refusal(
            403,
            "the certificate it shows is not the server's own: somebody is in between "
            "(behind a TLS proxy, use one that is trusted, or name its authority with --ca)",
        )

    async def _branch(self, name: str, peer: str) -> tuple[DomainConfig, Branch]:
        domain = await self._directory.domain(name)
        if domain is None or not domain.enabled:
            raise Refusal(404, _not_added(name, peer))
        branch = domain.settings.branches.get(peer)
        if branch is None or not domain.services.branch:
            raise Refusal(404, _not_added(name, peer))
        return domain, branch


def _not_added(name: str, peer: str) -> str:
    """The same whether the company is here or not: strangers learn nothing of who is."""
    return f"{name} is not here, or has not added {peer}"


Answer = Callable[[bytes], Awaitable[dict[str, Any]]]


def read_flat(body: bytes) -> dict[str, str]:
    """Return an object whose members are all text; Refusal for anything else.

    Anybody may send this, megabytes of it, before anything is proved: JSON in general would
    cost a second for a few of these, in which no call goes on.
    """
    try:
        text = body.decode()
        at = _mark(text, 0, "{")
        told: dict[str, str] = {}
        while len(told) < _MAX_MEMBERS:
            name, at = _text(text, at)
            told[name], at = _text(text, _mark(text, at, ":"))
            at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
            if text[at : at + 1] == "}":
                return told
            at = _mark(text, at, ",")
    except ValueError as error:
        raise Refusal(400, "no JSON object of texts") from error
    raise Refusal(400, "too many members")


def _text(text: str, at: int) -> tuple[str, int]:
    """Return the text in quotes that stands there, and where it goes on after it."""
    found, end = _DECODER.raw_decode(text, _mark(text, at, '"') - 1)
    str(found).encode()  # halves of characters are no text, and cannot be proved
    return str(found), end


def _mark(text: str, at: int, mark: str) -> int:
    """Return where it goes on after a mark; ValueError when another thing stands there."""
    at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
    if text[at : at + 1] != mark:
        raise ValueError(f"no {mark}")
    return at + 1


def _word(told: dict[str, str], name: str) -> str:
    word = told.get(name, "")
    if not 0 < len(word) <= _MAX_CHALLENGE:
        raise Refusal(400, f"{name} is missing")
    return word
