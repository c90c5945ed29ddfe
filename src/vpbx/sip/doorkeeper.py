"""Who may come in, as the stack asks it before it does any work for somebody."""

from __future__ import annotations

from typing import Protocol

from vpbx.sip.budget import Standing
from vpbx.sip.message import Request, Response
from vpbx.sip.transport import Hop


class Doorkeeper(Protocol):
    """What the owner of a stack knows of those who send. Both are asked often: never wait."""

    def standing(self, hop: Hop) -> Standing:
        """Say who is at a hop, by its address alone."""

    def screen(self, request: Request, hop: Hop) -> Response | None:
        """Answer a request outside of dialogs at once; None lets it in.

        What is answered here costs no memory (RFC 3261 §8.2.7): no transaction, nothing sent
        again. To let in means that its sender has proved that it receives what we send there.
        """
