"""Public certificates for companies' names, from Let's Encrypt or another authority (RFC 8555).

Each company's name is proved by HTTP-01 (§8.3): the authority fetches a token from port 80 of
the name, where `Challenges` answers it. A certificate is renewed a third of its life before it
ends. A name that fails (it does not lead here yet, say) is tried again after an hour, later
less often, and alone: the others are not held up.
"""

from __future__ import annotations

import asyncio
import datetime
import threading
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any, TypeAlias

import structlog
from acme import challenges, client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from josepy.jwk import JWKRSA

from vpbx.app.certificate import Certificate, acme_file
from vpbx.app.datadir import write_private
from vpbx.clock import Clock

__all__ = ["Acme", "Challenges"]

log = structlog.get_logger("vpbx.app")

_LOOK_EVERY_S = 60.0
"""How soon a new company gets its certificate."""
_FIRST_PAUSE_S = 3600.0
_LONGEST_PAUSE_S = 24 * 3600.0
_ORDER_S = 90
_AGENT = "vpbx"
_NONCES = 5
_PATH = "/.well-known/acme-challenge/"

_Scope: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Challenges:
    """What the authority may fetch, as an ASGI application; everything else is 404."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, str] = {}

    def put(self, token: str, answer: str) -> None:
        """Answer a token from now on."""
        with self._lock:
            self._answers[token] = answer

    def drop(self, token: str) -> None:
        """Answer it no more."""
        with self._lock:
            self._answers.pop(token, None)

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            return
        path = str(scope.get("path", ""))
        found = self._answers.get(path[len(_PATH) :]) if path.startswith(_PATH) else None
        body = b"not found\n" if found is None else found.encode()
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
        status = 404 if found is None else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Acme:
    """Keeps certificates for all companies. `names` gives their domains at any time.

    trust: a file of certificates to trust the authority by; None: those of the system.
    """

    def __init__(
        self,
        *,
        email: str,
        directory: str,
        tls: Path,
        names: Callable[[], Iterable[str]],
        challenges: Challenges,
        clock: Clock,
        trust: Path | None = None,
    ) -> None:
        self._email, self._directory, self._trust = email, directory, trust
        self._tls = tls
        self._names = names
        self._challenges = challenges
        self._clock = clock
        self._client: client.ClientV2 | None = None
        self._pauses: dict[str, tuple[float, float]] = {}
        """Name → (not before, by the monotonic clock; the pause after that)."""

    async def run(self) -> None:
        """Get and renew certificates until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def look(self) -> None:
        """Get what is missing or ends soon, one name after the other. Never raises."""
        for name in tuple(self._names()):
            pause = self._pauses.get(name)
            if not self._is_due(name) or (pause is not None and self._clock.now() < pause[0]):
                continue
            try:
                await asyncio.to_thread(self._order_again, name)
            except Exception as error:  # a library's or the network's: all mean "not yet"
                self._put_off(name, error)
            else:
                self._pauses.pop(name, None)
                log.info("a public certificate is there", domain=name)

    def _is_due(self, name: str) -> bool:
        try:
            held = Certificate.read(acme_file(self._tls, name))
        except (OSError, ValueError):
            return True
        left = held.not_after - datetime.datetime.now(datetime.UTC)
        return left < (held.not_after - held.not_before) / 3

    def _put_off(self, name: str, error: Exception) -> None:
        _, pause_s = self._pauses.get(name, (0.0, _FIRST_PAUSE_S))
        self._pauses[name] = (self._clock.now() + pause_s, min(2 * pause_s, _LONGEST_PAUSE_S))
        log.warning(
            "no public certificate yet",
            domain=name,
            why=_reason(error),
            next_try_s=round(pause_s),
            hint="its name must lead here, and port 80 of it to --acme-http",
        )

    # In a thread: the library waits.

    def _order_again(self, name: str) -> None:
        """Order; again where a nonce was refused (RFC 8555 §6.5) oftener than the library tries."""
        for left in range(_NONCES, -1, -1):
            try:
                self._order(name)
                return
            except messages.Error as error:
                if error.code != "badNonce" or not left:
                    raise

    def _order(self, name: str) -> None:
        connected = self._connect()
        key = ec.generate_private_key(ec.SECP256R1())
        order = connected.new_order(_request(name, key))
        tokens = []
        try:
            for authorization in order.authorizations:
                if authorization.body.status == messages.STATUS_VALID:
                    continue
                challenge = _http_01(authorization)
                response, answer = challenge.response_and_validation(connected.net.key)
                token = challenge.chall.encode("token")
                self._challenges.put(token, answer)
                tokens.append(token)
                connected.answer_challenge(challenge, response)
            until = datetime.datetime.now() + datetime.timedelta(seconds=_ORDER_S)
            chain = connected.poll_and_finalize(order, until).fullchain_pem
        finally:
            for token in tokens:
                self._challenges.drop(token)
        path = acme_file(self._tls, name)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(path, chain.encode() + _pem(key))

    def _connect(self) -> client.ClientV2:
        if self._client is None:
            key = JWKRSA(key=self._account_key())
            net = client.ClientNetwork(key, user_agent=_AGENT)
            if self._trust is not None:
                net.verify_ssl = str(self._trust)  # type: ignore[assignment] # as requests takes it
            found = client.ClientV2(client.ClientV2.get_directory(self._directory, net), net)
            account = messages.NewRegistration.from_data(
                email=self._email, terms_of_service_agreed=True
            )
            try:
                net.account = found.new_account(account)
            except errors.ConflictError as known:
                resource = messages.RegistrationResource(
                    uri=known.location, body=messages.Registration()
                )
                net.account = found.query_registration(resource)
            self._client = found
        return self._client

    def _account_key(self) -> rsa.RSAPrivateKey:
        path = self._tls / "acme" / "account-key.pem"
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            write_private(path, _pem(made), replace=False)
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError(f"{path} holds no RSA key")
        return key


def _request(name: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    wanted = x509.CertificateSigningRequestBuilder(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if len(name) <= 64 else [])
    ).add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
    return wanted.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _http_01(authorization: messages.AuthorizationResource) -> messages.ChallengeBody:
    for challenge in authorization.body.challenges:
        if isinstance(challenge.chall, challenges.HTTP01):
            return challenge
    raise errors.Error("the authority offers no HTTP-01 challenge for this name")


def _reason(error: Exception) -> str:
    """Return what the authority said, or what kept us from asking it."""
    if isinstance(error, errors.ValidationError):
        told = [
            str(challenge.error.detail)
            for authorization in error.failed_authzrs
            for challenge in authorization.body.challenges
            if challenge.error is not None
        ]
        return "; ".join(told) or "the name could not be proved"
    if isinstance(error, messages.Error):
        return str(error.detail or error.typ)
    return str(error) or type(error).__name__
