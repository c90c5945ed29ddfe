"""While an employee consults a colleague (`consultation`), the other side waits with music.

the employee hangs up        | and
the colleague had answered   | they are put through; the call stays what it is
nobody had answered yet      | it is a blind transfer
the colleague hangs up, or nobody answers: the talk goes on
"""

from __future__ import annotations

from vpbx.calls.addresses import party_of
from vpbx.calls.call import Call
from vpbx.calls.inbox import Event
from vpbx.calls.leg import Leg
from vpbx.calls.outcome import Passed
from vpbx.calls.transfer import Asked
from vpbx.directory.goals import ToEmployee
from vpbx.frozen import dataclass

__all__ = ["CameBack", "Consulted", "consult"]

_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Consulted(Event):
    """The employee has hung up on whom they consulted: `heir`; None: nobody had answered."""

    heir: Leg | None

    def drop(self) -> None:
        """Who was to be put through has nobody to talk to."""
        if self.heir is not None:
            self.heir.hangup()


@dataclass(frozen=True, slots=True)
class CameBack(Event):
    """The employee is here again, by the leg they went with."""

    leg: Leg

    def drop(self) -> None:
        """Whom they talked to has hung up meanwhile."""
        self.leg.hangup()


async def consult(call: Call, asked: Asked) -> Passed | None:
    """Let the employee of `asked` call its goal; None when the talk goes on, with whomever."""
    leg, side = asked.leg, asked.leg.side
    stays = call.host if leg is call.guest else call.guest
    assert stays is not None
    call.guest, call.host = stays, None
    try:
        await call.bridge.send_away(side)
        await call.bridge.loop(stays.side, call.bridge.hold_music)
    except BaseException:  # the other side has hung up: there is nobody to pass on
        leg.hangup()
        raise
    call.switch.consult(call.domain, asked, call.inbox)
    look = call.remind(_LOOK_S)
    try:
        while True:
            match await call.next():
                case Consulted(heir=None):
                    return Passed(asked.goal, party_of(asked.by), leg, waits=False)
                case Consulted(heir=heir) if heir is not None:
                    leg.side = side
                    await call.put_through(leg, heir)
                    await call.bridge.hush(stays.side)
                    return None
                case CameBack():
                    await call.take_back(leg, side)
                    return None
                case event if look.means(event):
                    if leg.ended:  # they have left the consultation by other ways
                        back = ToEmployee(asked.by.login, insist=True)
                        return Passed(back, party_of(asked.by), leg, waits=False)
                    look = call.remind(_LOOK_S)
    finally:
        look.cancel()
