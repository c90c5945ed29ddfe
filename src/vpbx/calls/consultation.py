"""The call in which an employee asks a colleague before they pass somebody on to them.

It is begun by the API (`mode` attended) and goes on by the phone in the employee's hand: their leg
moves here from the talk it was in (`steps.consult`, which waits there with the other side), and
goes back when nobody takes this call, or whoever did hangs up.
"""

from __future__ import annotations

from vpbx.calls.addresses import Shown, party_of
from vpbx.calls.call import Call
from vpbx.calls.inbox import Inbox
from vpbx.calls.internal import begin_inner
from vpbx.calls.outcome import Ender, Over
from vpbx.calls.steps.consult import CameBack, Consulted
from vpbx.calls.switch import Switch
from vpbx.calls.transfer import Asked
from vpbx.calls.walk import walk
from vpbx.directory import DomainConfig
from vpbx.directory.goals import ToOutside
from vpbx.events import CallInfo, Direction

__all__ = ["begin"]


def begin(switch: Switch, domain: DomainConfig, asked: Asked, waiting: Inbox) -> None:
    """Let the employee of `asked.leg` call its goal; what comes of it goes to `waiting`."""
    goal, by = asked.goal, asked.by
    direction, client, telnum, name = Direction.INNER, "", "", ""
    if isinstance(goal, ToOutside):
        direction, client = Direction.OUT, goal.number
        number = domain.outgoing_number(by, goal.number)
        if number is not None:
            telnum, name = number.telnum, number.name
    callid, now = switch.callids.new(), switch.clock.time()
    info = CallInfo(callid, domain.id, domain.name, direction, now, client, telnum, name)
    shown = Shown(telnum) if telnum else Shown(by.ext or by.login, by.name)
    call = Call(switch, domain, info, guest=None, shown=shown)
    switch.spawn(call.run(_Consultation(asked, waiting)))


class _Consultation:
    """The route of that call."""

    def __init__(self, asked: Asked, waiting: Inbox) -> None:
        self._asked = asked
        self._waiting = waiting

    async def __call__(self, call: Call) -> Over:
        asked = self._asked
        try:
            call.engage(asked.by.login)
            if call.info.direction is Direction.OUT:
                call.journal.start(party_of(asked.by))
            else:
                begin_inner(call, asked.goal, asked.by)
            await call.open_media()
            await call.adopt(asked.leg)
            return await walk(call, asked.goal)
        finally:
            self._over(call)

    def _over(self, call: Call) -> None:
        """Tell what came of it, and part with the leg that goes on elsewhere."""
        leg = self._asked.leg
        if call.passed_on or (call.guest is not None and call.guest is not leg):
            return  # the employee has left it by other ways
        if leg.ended and call.ended_by is Ender.CALLER:
            heir = call.host
            if heir is not None:
                call.part_with(heir)
            self._waiting.put(Consulted(heir))
        else:
            call.part_with(leg)
            self._waiting.put(CameBack(leg))
