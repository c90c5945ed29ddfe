"""Recordings of calls: where their files lie, and the links that play them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

_SIGNATURE_BYTES = 16
MP3, PDF = ".mp3", ".pdf"
LINK_PATH = "/crmapi/v1/records/{callid}/{signature}.mp3"
"""Path of a link, for the route that answers it."""
FAX_PATH = LINK_PATH.removesuffix(MP3) + PDF
"""The same of a fax."""


def recording_path(records_dir: Path, domain_id: int, callid: str, started_at: float) -> Path:
    """Return where the MP3 of a call lies: `records_dir/domain_id/YYYY/MM/DD/callid.mp3`.

    Of a fax it is a PDF, which ends in .pdf.

    The day is the UTC day on which the call started, so that it never changes.
    """
    day = datetime.fromtimestamp(started_at, UTC)
    return records_dir / str(domain_id) / day.strftime("%Y/%m/%d") / f"{callid}.mp3"


class RecordingLinks:
    """Makes and checks the links of crm-api §4: absolute, signed, playable without a key.

    `secret` is the server's (16 to 64 bytes); the signature, keyed BLAKE2b (RFC 7693: a quarter
    of the time of HMAC, and a list has one in every row), is over domain and callid, so
    that knowing one link, or a callid, helps to guess no other. `base` is what a link starts
    with; `{domain}` in it stands for the domain's name.
    """

    def __init__(self, secret: bytes, base: str = "https://{domain}") -> None:
        if not 16 <= len(secret) <= hashlib.blake2b.MAX_KEY_SIZE:
            raise ValueError("the secret of recording links needs 16 bytes, at most 64")
        self._secret = secret
        self._base = base.rstrip("/")

    def signature(self, domain_id: int, callid: str) -> str:
        """Return the 128 bits, in hex, without which the recording is not given out."""
        signed = self._begin(domain_id)
        signed.update(callid.encode())
        return signed.hexdigest()

    def _begin(self, domain_id: int) -> hashlib.blake2b:
        begun = f"record {domain_id} ".encode()
        return hashlib.blake2b(begun, key=self._secret, digest_size=_SIGNATURE_BYTES)

    def verify(self, domain_id: int, callid: str, signature: str) -> bool:
        """Tell whether `signature` is the one of this call, in constant time."""
        mine = self.signature(domain_id, callid)
        return hmac.compare_digest(mine.encode(), signature.encode("utf-8", "replace"))

    def url(self, domain: str, domain_id: int, callid: str, ending: str = MP3) -> str:
        """Return the link of a recording, or with `PDF` of a fax."""
        return self.maker(domain, domain_id)(callid, ending)

    def maker(self, domain: str, domain_id: int, base: str = "") -> Callable[..., str]:
        """Return what makes a link of a callid, for many recordings of one domain.

        `base`: what the links begin with, where whoever asks is to find them elsewhere. What is
        returned takes the ending after the callid, where it is not `MP3`.
        """
        begun = self._begin(domain_id)
        prefix = (base or self._base.replace("{domain}", domain)) + "/crmapi/v1/records/"

        def link(callid: str, ending: str = MP3) -> str:
            signed = begun.copy()
            signed.update(callid.encode())
            return f"{prefix}{callid}/{signed.hexdigest()}{ending}"

        return link


class Encoding:
    """The recordings that this process is still turning into MP3, and who waits for them."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Event | None] = {}

    def begin(self, callid: str) -> None:
        """Remember that the call's recording is not there yet."""
        self._running.setdefault(callid, None)

    def end(self, callid: str) -> None:
        """Wake everybody who waits for the recording."""
        event = self._running.pop(callid, None)
        if event is not None:
            event.set()

    def knows(self, callid: str) -> bool:
        """Tell whether this process is at it."""
        return callid in self._running

    async def wait(self, callid: str, timeout_s: float) -> bool:
        """Wait until the recording is done; False when it took longer than `timeout_s`."""
        if callid not in self._running:
            return True
        event = self._running[callid]
        if event is None:
            event = self._running[callid] = asyncio.Event()
        try:
            await asyncio.wait_for(event.wait(), timeout_s)
        except TimeoutError:
            return False
        return True
