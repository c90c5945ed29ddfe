"""Digest authentication, both sides: RFC 3261 §22, RFC 7616, RFC 8760.

Server: `Authenticator` challenges with SHA-256 and MD5, `qop="auth"` only, by nonces for which
nothing is stored (`nonces`). Passwords never come here, only their HA1.

Client: `Challenge.choose` and `DigestAnswer` answer a 401 or 407 with `Credentials`, in the
legacy form without qop too.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import field
from enum import Enum

from vpbx.clock import Clock
from vpbx.frozen import dataclass
from vpbx.sip.equal_uri import same_for_digest
from vpbx.sip.grammar import parse_auth
from vpbx.sip.message import Request
from vpbx.sip.nonces import Nonces

_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_HEX_COUNT = re.compile(r"[0-9a-fA-F]{8}\Z")


def _hash(algorithm: str, text: str) -> str:
    return _HASHES[algorithm](text.encode("utf-8", "surrogateescape")).hexdigest()


def quoted(value: str) -> str:
    """Write `value` as a quoted-string (RFC 3261 §25.1)."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse_digest(value: str) -> dict[str, str] | None:
    """Read the parameters of a `Digest …` header value; None when it is not one."""
    try:
        scheme, parameters = parse_auth(value)
    except ValueError:
        return None
    return parameters if scheme == "digest" else None


@dataclass(frozen=True, slots=True)
class Ha1:
    """H(username:realm:password) by each algorithm: as good as the password for its realm."""

    md5: str = field(repr=False)
    sha256: str = field(repr=False)


def ha1(username: str, realm: str, password: str) -> Ha1:
    """Make what the server keeps instead of a password."""
    secret = f"{username}:{realm}:{password}"
    return Ha1(md5=_hash("MD5", secret), sha256=_hash("SHA-256", secret))


class AuthResult(Enum):
    """What `Authenticator.verify` found."""

    OK = "ok"
    MISSING = "missing"
    """No credentials for this realm: challenge."""
    STALE = "stale"
    """The nonce is not ours, or was sent to somebody else, and nothing else was looked at; or
    the password is right and the nonce too old or used up: challenge `stale`."""
    WRONG = "wrong"
    """Unknown user, wrong password or an answer nobody asked for: challenge, count, throttle."""
    OTHER_URI = "other uri"
    """Made for another request than this one: 400, RFC 3261 §22.4."""


class Proof(Enum):
    """What credentials show of their sender, before any password is looked at."""

    NONE = "none"
    """There are none for this realm."""
    UNPROVED = "unproved"
    """Their nonce was not sent to this source by us."""
    OTHER_URI = "other uri"
    """They are for another request."""
    PROVED = "proved"
    """Their sender has received a challenge of ours at this source."""


class WithoutQop(Enum):
    """What to do with answers in the form of RFC 2069, without qop, count and cnonce.

    Nothing in them tells a request from its replay, but for the nonce.
    """

    OFF = "off"
    """They are wrong."""
    ONCE = "once"
    """A nonce is good for one of them; the next request is challenged anew."""
    REUSE = "reuse"
    """A nonce is good as long as it is young (RFC 2617 §3.2.2): the same request may be
    replayed until then."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of looking at a request's credentials, and the username they claim."""

    result: AuthResult
    username: str = ""

    @property
    def ok(self) -> bool:
        return self.result is AuthResult.OK


class Authenticator:
    """The server's side of digest for any number of realms.

    `secret` makes the nonces: nodes that share it accept each other's, and a restart with
    the same one keeps them good (except against replays from before the restart, for which
    `nonce_ttl_s` is the limit). A clock that is set while the server runs makes none older.
    `max_nonces` bounds the memory for nonce counts; when more are in use the oldest become
    stale, which costs their clients one more round trip.
    """

    def __init__(
        self,
        secret: bytes,
        *,
        clock: Clock,
        nonce_ttl_s: float = 300,
        max_nonces: int = 50_000,
        without_qop: WithoutQop = WithoutQop.OFF,
    ) -> None:
        self._without_qop = without_qop
        self._nonces = Nonces(secret, clock=clock, ttl_s=nonce_ttl_s, max_kept=max_nonces)
        nobody = self._nonces.seal(b"nobody").hex()
        self._nobody = Ha1(md5=nobody, sha256=nobody * 2)

    def challenges(
        self, realm: str, *, source: str = "", stale: bool = False, md5_only: bool = False
    ) -> list[str]:
        """Return the WWW-Authenticate values to send to `source`, MD5 before SHA-256.

        RFC 8760 §2.3 would have the stronger first. But a phone that knows one algorithm often
        reads one header: SIPp 3.6 and many desk phones then stop at `SHA-256` and never
        register, while one that knows both is free to take the second.
        """
        head = f'Digest realm={quoted(realm)}, nonce="{self._nonces.make(realm, source)}", '
        tail = 'qop="auth", stale=true' if stale else 'qop="auth"'
        names = ("MD5",) if md5_only else ("MD5", "SHA-256")
        return [f"{head}algorithm={name}, {tail}" for name in names]

    def proof(self, request: Request, realm: str, source: str = "") -> tuple[Proof, str]:
        """Say what a request's credentials show of its sender, and the username they claim.

        Cheap, and nothing about passwords: for deciding whether to look further.
        """
        given = self._credentials(request, realm)
        if given is None:
            return Proof.NONE, ""
        username = given.get("username", "")
        if self._nonces.born_ms(given.get("nonce", ""), realm, source) is None:
            return Proof.UNPROVED, username
        if not same_for_digest(given.get("uri", ""), request.raw_uri):
            return Proof.OTHER_URI, username
        return Proof.PROVED, username

    def verify(
        self,
        request: Request,
        realm: str,
        lookup: Callable[[str], Ha1 | None],
        source: str = "",
    ) -> Verdict:
        """Check the credentials for `realm` in a request from `source`.

        `lookup` gives the HA1 kept for a username, None for an unknown one; both cost the
        same. Of qop only auth is taken. Never raises for what the network sent.
        """
        given = self._credentials(request, realm)
        if given is None:
            return Verdict(AuthResult.MISSING)
        username, nonce = given.get("username", ""), given.get("nonce", "")
        born = self._nonces.born_ms(nonce, realm, source)
        if born is None:
            return Verdict(AuthResult.STALE, username)
        if not same_for_digest(given.get("uri", ""), request.raw_uri):
            return Verdict(AuthResult.OTHER_URI, username)
        kept = lookup(username)
        algorithm = given.get("algorithm", "MD5").upper()
        legacy = "qop" not in given and self._without_qop is not WithoutQop.OFF
        if algorithm not in _HASHES or not (legacy or given.get("qop", "").lower() == "auth"):
            return Verdict(AuthResult.WRONG, username)
        count = "" if legacy else given.get("nc", "")
        same = self._is_right(given, algorithm, kept or self._nobody, count, request.method)
        if not same or kept is None or not (legacy or _HEX_COUNT.match(count)):
            return Verdict(AuthResult.WRONG, username)
        good = self._spend_legacy(nonce, born) if legacy else self._nonces.spend(nonce, born, count)
        if not good:
            return Verdict(AuthResult.STALE, username)
        return Verdict(AuthResult.OK, username)

    @staticmethod
    def _is_right(
        given: dict[str, str], algorithm: str, secret: Ha1, count: str, method: str
    ) -> bool:
        """Compare an answer with the one that the password makes, in constant time."""
        expected = _response(
            algorithm,
            secret.md5 if algorithm == "MD5" else secret.sha256,
            nonce=given.get("nonce", ""),
            count=count,
            cnonce=given.get("cnonce", ""),
            method=method,
            uri=given.get("uri", ""),
        )
        answer = given.get("response", "").lower().encode("utf-8", "replace")
        return hmac.compare_digest(expected.encode(), answer)

    def _spend_legacy(self, nonce: str, born: int) -> bool:
        """Use a nonce in an answer without a count."""
        if self._without_qop is WithoutQop.ONCE:
            return self._nonces.spend_once(nonce, born)
        return self._nonces.is_young(born)

    @staticmethod
    def _credentials(request: Request, realm: str) -> dict[str, str] | None:
        for name in ("Authorization", "Proxy-Authorization"):
            for value in request.headers.getlist(name):
                given = parse_digest(value)
                if given is not None and given.get("realm") == realm:
                    return given
        return None


def _response(
    algorithm: str, secret: str, *, nonce: str, count: str, cnonce: str, method: str, uri: str
) -> str:
    """Return what proves the password; without a count in the form of RFC 2069."""
    ha2 = _hash(algorithm, f"{method}:{uri}")
    if not count:
        return _hash(algorithm, f"{secret}:{nonce}:{ha2}")
    return _hash(algorithm, f"{secret}:{nonce}:{count}:{cnonce}:auth:{ha2}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client answers challenges with; `username` is the authentication name."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge a client can answer."""

    realm: str
    nonce: str
    algorithm: str
    qop: bool
    opaque: str | None
    stale: bool
    proxy: bool

    @classmethod
    def choose(cls, values: Sequence[str], *, proxy: bool = False) -> Challenge | None:
        """Pick the first challenge whose algorithm and qop we can do (RFC 8760 §2.4)."""
        for value in values:
            given = parse_digest(value)
            if given is None or "nonce" not in given:
                continue
            algorithm = given.get("algorithm", "MD5")
            if algorithm.upper().removesuffix("-SESS") not in _HASHES:
                continue
            offered = {item.strip().lower() for item in given.get("qop", "").split(",")}
            if "auth" not in offered and given.get("qop"):
                continue
            return cls(
                realm=given.get("realm", ""),
                nonce=given["nonce"],
                algorithm=algorithm,
                qop="auth" in offered,
                opaque=given.get("opaque"),
                stale=given.get("stale", "").lower() == "true",
                proxy=proxy,
            )
        return None


class DigestAnswer:
    """A client's answers to one challenge, counting its uses (`nc`)."""

    __slots__ = ("_cnonce", "_count", "_ha1", "challenge", "credentials")

    def __init__(self, challenge: Challenge, credentials: Credentials) -> None:
        self.challenge = challenge
        self.credentials = credentials
        self._count = 0
        self._cnonce = secrets.token_hex(8)
        name = challenge.algorithm.upper()
        algorithm = name.removesuffix("-SESS")
        secret = _hash(
            algorithm, f"{credentials.username}:{challenge.realm}:{credentials.password}"
        )
        if name.endswith("-SESS"):
            secret = _hash(algorithm, f"{secret}:{challenge.nonce}:{self._cnonce}")
        self._ha1 = secret

    @property
    def header(self) -> str:
        return "Proxy-Authorization" if self.challenge.proxy else "Authorization"

    def value(self, method: str, uri: str) -> str:
        """Return the header value for a request; each call counts as one use of the nonce."""
        challenge = self.challenge
        algorithm = challenge.algorithm.upper().removesuffix("-SESS")
        parts = [
            f"Digest username={quoted(self.credentials.username)}",
            f"realm={quoted(challenge.realm)}",
            f"nonce={quoted(challenge.nonce)}",
            f"uri={quoted(uri)}",
        ]
        if challenge.qop:
            self._count += 1
            count = f"{self._count:08x}"
            response = _response(
                algorithm,
                self._ha1,
                nonce=challenge.nonce,
                count=count,
                cnonce=self._cnonce,
                method=method,
                uri=uri,
            )
            parts += [f'response="{response}"', f'cnonce="{self._cnonce}"', f"nc={count}"]
            parts.append("qop=auth")
        else:
            ha2 = _hash(algorithm, f"{method}:{uri}")
            parts.append(f'response="{_hash(algorithm, f"{self._ha1}:{challenge.nonce}:{ha2}")}"')
            if challenge.algorithm.upper().endswith("-SESS"):
                parts.append(f'cnonce="{self._cnonce}"')
        parts.append(f"algorithm={challenge.algorithm}")
        if challenge.opaque is not None:
            parts.append(f"opaque={quoted(challenge.opaque)}")
        return ", ".join(parts)
