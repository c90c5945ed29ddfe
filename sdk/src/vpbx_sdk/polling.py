"""Fetching commands instead of receiving them: for a CRM that cannot be reached from outside.

    poller = Poller(client, receiver, cursor="vpbx.cursor")
    poller.run()                    # for ever; or poller.once() from a job that runs by the clock

The PBX is set by `vpbx crm set DOMAIN --poll`. Where it was left off is kept in a file, so what
came while nobody fetched is there the next time, for as long as the PBX keeps it (30 days).
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from vpbx_sdk import api
from vpbx_sdk.client import Client
from vpbx_sdk.commands import as_text
from vpbx_sdk.errors import VpbxError
from vpbx_sdk.models import SentCommand
from vpbx_sdk.operation import Operation
from vpbx_sdk.receiver import Receiver

__all__ = ["HandlerFailed", "Poller"]

log = logging.getLogger("vpbx_sdk")

_PAGE = 200


class HandlerFailed(RuntimeError):
    """A handler failed; its command is fetched again."""


class Poller:
    """Fetches what the PBX has to tell, in order, and hands it to a Receiver's handlers.

    cursor: the file that remembers how far it got. A new one begins with what comes from now on,
    or with everything there is (`from_start`).
    """

    def __init__(
        self,
        client: Client,
        receiver: Receiver,
        *,
        cursor: str | os.PathLike[str],
        address: str = "",
        from_start: bool = False,
    ) -> None:
        self._client = client
        self._receiver = receiver
        self._file = Path(cursor)
        self._address = address
        self._from_start = from_start

    def once(self) -> int:
        """Hand on all there is; return how many. Raises VpbxError, HandlerFailed."""
        after, count = self._after(), 0
        while True:
            page = self._client(self._page(after))
            for sent in page:
                self._hand_on(sent)
                after, count = sent.id, count + 1
                self._keep(after)
            if len(page) < _PAGE:
                return count

    def run(self, *, every_s: float = 2.0, stop: threading.Event | None = None) -> None:
        """Go on until `stop` is set; what fails is logged, and tried again."""
        stop = stop or threading.Event()
        while not stop.is_set():
            try:
                self.once()
            except (VpbxError, HandlerFailed) as error:
                log.warning("commands cannot be fetched: %s", error)
            stop.wait(every_s)

    def _page(self, after: str) -> Operation[list[SentCommand]]:
        return api.events.page(after=after, limit=_PAGE, address=self._address or None)

    def _after(self) -> str:
        if self._file.exists():
            return self._file.read_text().strip() or "0"
        if self._from_start:
            return "0"
        newest = self._client(api.events.page(limit=1, address=self._address or None))
        after = newest[-1].id if newest else "0"
        self._keep(after)
        return after

    def _keep(self, after: str) -> None:
        beside = self._file.with_name(self._file.name + ".new")
        beside.write_text(after)
        beside.replace(self._file)

    def _hand_on(self, sent: SentCommand) -> None:
        if sent.cmd == "contact":  # nobody waits for an answer any more
            return
        fields = {name: as_text(value) for name, value in sent.command.items()}
        status, _ = self._receiver.take(fields, sent.id)
        if status != 200:
            raise HandlerFailed(f"the handler of {sent.cmd} {sent.callid} failed")
