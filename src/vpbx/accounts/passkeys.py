"""The second factor: passkeys and security keys (WebAuthn level 2), checked by a library.

A challenge is kept in memory for the session it was made for, counts once, and runs out.
"""

from __future__ import annotations

import json
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update

from vpbx.accounts.errors import Refused
from vpbx.accounts.store import Account, Session
from vpbx.accounts.tables import passkeys
from vpbx.accounts.throttle import Throttle
from vpbx.clock import Clock
from vpbx.db import Database

__all__ = ["Passkey", "Passkeys", "Site"]

_CHALLENGE_S = 300.0
_MOST_CHALLENGES = 10_000
_MOST_KEYS = 20
_LONGEST = 20_000
_WRONG = "this passkey could not be checked"


@dataclass(frozen=True, slots=True)
class Passkey:
    """A key somebody has. `created_at`: epoch seconds."""

    id: int
    name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Site:
    """Where the browser is: the host's name without port, and the page's whole origin."""

    host: str
    origin: str


class Passkeys:
    """Operations on an account's passkeys."""

    def __init__(self, database: Database, clock: Clock, throttle: Throttle) -> None:
        self._database = database
        self._clock = clock
        self._throttle = throttle
        self._challenges: OrderedDict[int, tuple[bytes, float]] = OrderedDict()

    async def of(self, account: Account) -> list[Passkey]:
        """Return an account's keys, the oldest first."""
        rows = await self._rows(account)
        return [Passkey(row.id, row.name, row.created_at) for row in rows]

    async def _rows(self, account: Account) -> Any:
        statement = select(passkeys).where(passkeys.c.account_id == account.id)
        async with self._database.connect() as connection:
            return (await connection.execute(statement.order_by(passkeys.c.id))).all()

    async def to_add(self, session: Session, site: Site) -> str:
        """Return what the browser is asked for a new key, as JSON."""
        import webauthn  # loads much that few requests need
        from webauthn.helpers.structs import PublicKeyCredentialDescriptor as Descriptor

        account = session.account
        known = [
            Descriptor(id=webauthn.base64url_to_bytes(row.credential_id))
            for row in await self._rows(account)
        ]
        options = webauthn.generate_registration_options(
            rp_id=site.host,
            rp_name="VPBX",
            user_id=str(account.id).encode(),
            user_name=str(account),
            challenge=self._challenge(session),
            exclude_credentials=known,
        )
        return webauthn.options_to_json(options)

    async def add(self, session: Session, site: Site, answer: str, name: str) -> None:
        """Keep the key that the browser made; Refused."""
        import webauthn
        from webauthn.helpers import bytes_to_base64url
        from webauthn.helpers.exceptions import WebAuthnException

        challenge = self._take(session)
        if len(await self._rows(session.account)) >= _MOST_KEYS:
            raise Refused("credential", "there are too many passkeys already")
        try:
            made = webauthn.verify_registration_response(
                credential=_credential(answer),
                expected_challenge=challenge,
                expected_rp_id=site.host,
                expected_origin=site.origin,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise Refused("credential", _WRONG) from error
        label = "".join(c for c in name.strip()[:60] if c.isprintable())
        async with self._database.begin() as connection:
            await connection.execute(
                insert(passkeys).values(
                    account_id=session.account.id,
                    credential_id=bytes_to_base64url(made.credential_id),
                    public_key=bytes_to_base64url(made.credential_public_key),
                    sign_count=made.sign_count,
                    name=label or "Passkey",
                    created_at=int(self._clock.time()),
                )
            )

    async def to_check(self, session: Session, site: Site) -> str:
        """Return what the browser is asked to prove that it has a key, as JSON."""
        import webauthn
        from webauthn.helpers.structs import PublicKeyCredentialDescriptor as Descriptor

        known = [
            Descriptor(id=webauthn.base64url_to_bytes(row.credential_id))
            for row in await self._rows(session.account)
        ]
        options = webauthn.generate_authentication_options(
            rp_id=site.host, challenge=self._challenge(session), allow_credentials=known
        )
        return webauthn.options_to_json(options)

    async def check(self, session: Session, site: Site, answer: str, source: str) -> None:
        """Raise Refused unless the answer proves one of the account's keys; TooMany."""
        import webauthn
        from webauthn.helpers.exceptions import WebAuthnException

        key = f"code:{session.account.id}"
        self._throttle.attempt(key, source)
        challenge, credential = self._take(session), _credential(answer)
        rows = await self._rows(session.account)
        row = next((r for r in rows if r.credential_id == credential.get("id")), None)
        if row is None:
            raise Refused("credential", _WRONG)
        try:
            proved = webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=site.host,
                expected_origin=site.origin,
                credential_public_key=webauthn.base64url_to_bytes(row.public_key),
                credential_current_sign_count=row.sign_count,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise Refused("credential", _WRONG) from error
        self._throttle.right(key, source)
        async with self._database.begin() as connection:
            await connection.execute(
                update(passkeys)
                .where(passkeys.c.id == row.id)
                .values(sign_count=proved.new_sign_count)
            )

    async def remove(self, account: Account, passkey_id: int) -> None:
        """Take a key away from its account."""
        async with self._database.begin() as connection:
            await connection.execute(
                delete(passkeys).where(
                    passkeys.c.id == passkey_id, passkeys.c.account_id == account.id
                )
            )

    def _challenge(self, session: Session) -> bytes:
        made = secrets.token_bytes(32)
        self._challenges.pop(session.id, None)
        self._challenges[session.id] = (made, self._clock.now() + _CHALLENGE_S)
        while len(self._challenges) > _MOST_CHALLENGES:
            self._challenges.popitem(last=False)
        return made

    def _take(self, session: Session) -> bytes:
        challenge, until = self._challenges.pop(session.id, (b"", 0.0))
        if not challenge or self._clock.now() > until:
            raise Refused("credential", _WRONG)
        return challenge


def _credential(answer: str) -> dict[str, Any]:
    """Read what the browser sent; {} when it is no object."""
    try:
        found = json.loads(answer) if len(answer) <= _LONGEST else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused("credential", _WRONG)
    return found
