"""The outside world: a carrier with a SIP trunk to the PBX."""

from __future__ import annotations

from collections.abc import Sequence

from vpbx.sim.agent import UserAgent
from vpbx.sim.behaviours import Behaviour
from vpbx.sim.call import G711, Call
from vpbx.sip import AudioCodec, Hop, Listen

__all__ = ["Carrier"]


class Carrier(UserAgent):
    """Brings calls of customers to the PBX, and takes the PBX's calls to them.

    It is known to the PBX by its address (`vpbx trunk add NAME --address carrier.address`).
    """

    def __init__(
        self,
        pbx: Hop,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        transport: str = "udp",
        codecs: Sequence[AudioCodec] = G711,
        behaviour: Behaviour | None = None,
    ) -> None:
        super().__init__(
            listens=(Listen(transport, host, port),),
            user_agent="vpbx-sim carrier",
            media_host=host,
            codecs=codecs,
            behaviour=behaviour,
        )
        self.pbx = pbx
        self.host = host
        self.transport = transport

    @property
    def port(self) -> int:
        return self.listen(self.transport).port

    @property
    def address(self) -> str:
        """HOST:PORT for the trunk."""
        return f"{self.host}:{self.port}"

    async def call(
        self,
        number: str,
        *,
        caller: str = "79101112233",
        name: str = "",
        tone_hz: float | None = None,
        offer: bool = True,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Call:
        """A customer `caller` calls `number` of the PBX; returns at once."""
        return await self.invite(
            f"sip:{number}@{self.pbx.host}:{self.pbx.port}",
            self.pbx,
            from_=f'"{name}" <sip:{caller}@{self.host}>' if name else f"<sip:{caller}@{self.host}>",
            tone_hz=tone_hz,
            offer=offer,
            headers=headers,
        )
