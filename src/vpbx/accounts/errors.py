"""What the operations on accounts raise."""

from __future__ import annotations


class AccountError(Exception):
    """Base of what is raised on purpose."""


class Refused(AccountError):
    """A wrong value; nothing was changed. `message` is a sentence's rest, for `field`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class TooMany(AccountError):
    """Too many wrong passwords or codes: try again in `wait_s` seconds."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"too many tries, wait {wait_s} s")
        self.wait_s = wait_s


class Busy(AccountError):
    """More people log in at once than hashes can be made for: try again in a moment."""
