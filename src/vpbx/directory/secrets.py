"""Secrets that must be used again in clear: passwords at other operators, keys of other PBXs.

They are encrypted (Fernet: AES-128-CBC with HMAC) with a key that lies in a file beside the
database, readable by its owner only, so that a copy of the database alone tells nothing.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken


class Secrets:
    """Seals and opens texts with the server's key."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)

    @classmethod
    def from_file(cls, path: Path) -> Secrets:
        """Read the key from `path`; the first who comes makes it (mode 0600)."""
        with contextlib.suppress(FileExistsError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
            descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(Fernet.generate_key())
                os.link(made, path)  # whole or not at all, and never over another's
            finally:
                made.unlink()
        return cls(path.read_bytes().strip())

    def seal(self, text: str) -> str:
        """Return `text` encrypted."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return what was sealed; ValueError when it was sealed with another key."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise ValueError("sealed with another key (was the key file replaced?)") from None
