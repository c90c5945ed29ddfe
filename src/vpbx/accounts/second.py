"""The second factor: codes of an authenticator app (TOTP, RFC 6238)."""

from __future__ import annotations

import re

import pyotp
from sqlalchemy import update

from vpbx.accounts import store
from vpbx.accounts.errors import Refused
from vpbx.accounts.store import Account
from vpbx.accounts.tables import accounts
from vpbx.accounts.throttle import Throttle
from vpbx.clock import Clock
from vpbx.db import Database
from vpbx.directory import Directory

ISSUER = "VPBX"
STEP_S = 30
_SECRET = re.compile("[A-Z2-7]{32}")
_WRONG = "this code is not right; each counts once, for half a minute"


class SecondFactor:
    """Operations on an account's authenticator. The secret is sealed with the server's key."""

    def __init__(
        self, database: Database, directory: Directory, clock: Clock, throttle: Throttle
    ) -> None:
        self._database = database
        self._directory = directory
        self._clock = clock
        self._throttle = throttle

    def propose(self) -> str:
        """Return a new secret, base32; nothing is kept until it is confirmed."""
        return pyotp.random_base32()

    def sound(self, secret: str) -> str:
        """Return a secret that came back from a form, or a new one in place of what is none."""
        return secret if _SECRET.fullmatch(secret) else self.propose()

    def uri(self, account: Account, secret: str) -> str:
        """Return what an app reads from a QR code."""
        return pyotp.TOTP(secret).provisioning_uri(name=str(account), issuer_name=ISSUER)

    async def confirm(self, account: Account, secret: str, code: str, source: str) -> None:
        """Keep `secret` for an account whose app makes the right code; Refused, TooMany."""
        key = f"code:{account.id}"
        self._throttle.attempt(key, source)
        step = self._step(secret, code) if _SECRET.fullmatch(secret) else None
        if step is None:
            raise Refused("code", _WRONG)
        self._throttle.right(key, source)
        sealed = self._directory.secrets.seal(secret)
        async with self._database.begin() as connection:
            await store.change_account(connection, account.id, totp=sealed, totp_step=step)

    async def check(self, account: Account, code: str, source: str, *, known: bool = False) -> None:
        """Raise Refused unless `code` is the account's now, and was not used before; TooMany.

        `known`: the account has been used from this source before.
        """
        key = f"code:{account.id}"
        self._throttle.attempt_code(key, source, known=known)
        async with self._database.connect() as connection:
            row = await store.find(connection, account.id)
        step = None
        if row is not None and row.totp:
            step = self._step(self._directory.secrets.open(row.totp), code)
        if step is None or not await self._use(account, step):
            raise Refused("code", _WRONG)
        self._throttle.right(key, source)

    async def drop(self, account: Account) -> None:
        """Do without a second factor."""
        async with self._database.begin() as connection:
            await store.change_account(connection, account.id, totp="", totp_step=0)

    async def _use(self, account: Account, step: int) -> bool:
        """Note that the code of `step` is used; False when it, or a later one, was."""
        async with self._database.begin() as connection:
            done = await connection.execute(
                update(accounts)
                .where(accounts.c.id == account.id, accounts.c.totp_step < step)
                .values(totp_step=step)
            )
        return done.rowcount > 0

    def _step(self, secret: str, code: str) -> int | None:
        """Return the step whose code this is: now, the one before or the next (RFC 6238 §5.2)."""
        digits = "".join(code.split())
        try:
            made = pyotp.TOTP(secret)
            now = int(self._clock.time()) // STEP_S
            for step in (now, now - 1, now + 1):
                if pyotp.utils.strings_equal(digits, made.generate_otp(step)):
                    return step
        except ValueError:  # a secret that is none
            pass
        return None
