"""What a transfer asks of a call: whom to, on whose behalf, and what the phone is told of it.

Only an employee passes a call on, and only to where they might call themselves. A REFER that is
refused leaves the call as it was. One that is taken is answered 202, and its phone is told the
end by NOTIFY (RFC 3515): it may wait for that, or hang up at once.
"""

from __future__ import annotations

from dataclasses import replace

from vpbx.calls.addresses import Shown, clean_name, mistyped_ext, name_addr
from vpbx.calls.call import Call
from vpbx.calls.inbox import Event
from vpbx.calls.leg import Leg, Referred
from vpbx.calls.parking import PARK
from vpbx.calls.registry import LiveCall
from vpbx.calls.replacing import find_dialog
from vpbx.calls.restrictions import may_call
from vpbx.directory import DomainConfig, Employee, Invalid, read_number
from vpbx.directory.goals import (
    Goal,
    ToBranch,
    ToEmployee,
    ToOutside,
    ToPark,
    ToVoicemail,
    of_code,
    of_ext,
    of_number,
)
from vpbx.frozen import dataclass
from vpbx.sip import Replaces, Request, make_response, parse_address, refer_to

__all__ = [
    "Asked",
    "Refused",
    "Wanted",
    "consulted",
    "goal_for",
    "refuse",
    "take",
    "talks_to",
    "whose_leg",
]


class Refused(Exception):
    """A transfer that cannot be; `code` is the SIP status that says so.

    400, 403 or 603 only: others, like 404 and 481, would end the dialog in which the REFER came
    (RFC 5057 §5.1).
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason
        """What is wrong with the number, for who asked by other ways than SIP."""


@dataclass(frozen=True, slots=True)
class Asked(Event):
    """Somebody else, by the API, wants `leg`'s employee to pass the other one on; `attended`:
    after they have talked to whom they pass them to."""

    goal: Goal
    by: Employee
    leg: Leg
    attended: bool = False


def whose_leg(call: LiveCall, domain: DomainConfig) -> tuple[Employee, Leg] | None:
    """Return the employee who can pass a call on that is talked in, and their leg."""
    owner = call.picture().user
    for leg in call.legs():
        if owner is not None and leg.party is not None and leg.party.login == owner.login:
            by = domain.employees.get(owner.login)
            if by is not None and not leg.ended:
                return by, leg
    return None


class Wanted:
    """A transfer that was asked for and can be: to `goal`, or to who is talked to elsewhere."""

    __slots__ = ("by", "goal", "leg", "referred_by", "replaces")

    def __init__(
        self,
        leg: Leg,
        by: Employee,
        goal: Goal | None,
        replaces: Replaces | None,
        referred_by: str,
    ) -> None:
        self.leg = leg
        self.by = by
        self.goal = goal
        self.replaces = replaces
        self.referred_by = referred_by


def take(call: Call, event: Referred) -> Wanted:
    """Read what a leg's REFER wants; raises `Refused`."""
    domain, leg = call.domain, event.leg
    by = domain.employees.get(leg.party.login) if leg.party is not None else None
    if by is None:
        raise Refused(603)
    try:
        wanted = refer_to(event.tx.request)
    except ValueError:
        raise Refused(400) from None
    host = wanted.host.lower()
    if host != domain.name and call.switch.directory.knows(host):
        raise Refused(403)  # another company here: an ext of theirs is none of ours
    told = _referred_by(event.tx.request, domain, by)
    if wanted.replaces is not None:
        return Wanted(leg, by, None, wanted.replaces, told)
    goal = goal_for(domain, by, wanted.user, talks_to(call, leg))
    return Wanted(leg, by, goal, None, told)


def _referred_by(request: Request, domain: DomainConfig, by: Employee) -> str:
    """Return the Referred-By of a REFER (RFC 3892), if it names who sends that; else "".

    What it carries beside the address (a token in a body, `cid`) is not passed on.
    """
    try:
        address = parse_address(request.headers.get("Referred-By") or "")
    except ValueError:
        return ""
    uri = address.uri
    if uri.host.lower() != domain.name or domain.find_employee(uri.user or "") is not by:
        return ""
    return name_addr(Shown(uri.user or "", clean_name(address.name or "")), domain.name)


def talks_to(call: LiveCall, leg: Leg) -> str:
    """Return the login of the employee whom that of `leg` talks to, else the number of who is
    outside; "" when nobody is there, or their number is not known."""
    others = [each for each in call.legs() if each is not leg]
    if not others:
        return ""
    party = others[0].party
    return party.login if party is not None else call.info.client


def goal_for(domain: DomainConfig, by: Employee, dialled: str, whom: str = "") -> Goal:
    """Return where `by` may pass `whom` on to (a login or an outside number) by what they
    dialled; raises `Refused`.

    An internal number or login, also of a connected PBX; `*5`, a parking place; `*97` and an
    ext, a voice mailbox; one of the company's own numbers, wherever that leads; any other number
    that they may call themselves.
    """
    if dialled == PARK:
        return ToPark(by.login)
    goal = of_ext(domain, dialled) or _inside(domain, dialled)
    if goal is None:
        outside = _outside(domain, by, dialled)
        if outside.number == whom:
            raise Refused(400, "this is the number whom the call is with")
        return outside
    if goal == ToEmployee(by.login):
        raise Refused(400, "this is the employee who has the call")
    if goal == ToEmployee(whom) or (isinstance(goal, ToBranch) and _reaches(domain, goal, whom)):
        raise Refused(400, "this is the employee whom the call is with")
    return goal


def _reaches(domain: DomainConfig, goal: ToBranch, whom: str) -> bool:
    """Say whether somebody of a connected PBX, `login@domain`, is who has this ext there."""
    login, _, peer = whom.partition("@")
    branch = domain.settings.branches.get(peer) if peer == goal.domain else None
    people = branch.members if branch is not None else ()
    return any(each.login == login and each.ext == goal.ext for each in people)


def _inside(domain: DomainConfig, dialled: str) -> Goal | None:
    mailbox = of_code(domain, dialled)
    if isinstance(mailbox, ToVoicemail):
        return mailbox
    own = domain.numbers.get(_digits(domain, dialled))
    return of_number(domain, own) if own is not None and own.enabled else None


def _outside(domain: DomainConfig, by: Employee, dialled: str) -> ToOutside:
    called = _digits(domain, dialled)
    if not called or called in domain.numbers or mistyped_ext(domain, called):
        raise Refused(603, "there is no such internal number, login or phone number")
    if not may_call(domain, by, called):
        raise Refused(403, "the employee may not call this direction (call restrictions)")
    return ToOutside(called, by.login)


def _digits(domain: DomainConfig, dialled: str) -> str:
    try:
        return read_number(dialled, domain.country).digits
    except Invalid:
        return ""


def consulted(call: Call, wanted: Wanted) -> tuple[LiveCall, Leg | None, Goal | None]:
    """Find the call in which the transferrer talks to whom they want to put through.

    Returns it, the other one's leg (None: nobody has answered yet), and where it goes. Raises
    `Refused` when it is not the transferrer's own.
    """
    assert wanted.replaces is not None
    session = find_dialog(call.switch.stack, wanted.replaces)
    for other in call.switch.calls:
        legs = [leg for leg in other.legs() if leg.session is session and not leg.ended]
        if session is None or not legs or other is call:
            continue
        mine = legs[0]
        if other.info.domain_id != call.info.domain_id or mine.party is None:
            raise Refused(603)
        if mine.party.login != wanted.by.login:
            raise Refused(603)
        rest = [leg for leg in other.legs() if leg is not mine and not leg.ended]
        goal = other.goal
        if isinstance(goal, ToPark):  # they have called to hear of a place
            goal = replace(goal, by=wanted.by.login)
        return other, rest[0] if rest else None, goal
    raise Refused(603)


def refuse(event: Referred, code: int) -> None:
    """Answer a REFER that is not served."""
    event.tx.respond(make_response(event.tx.request, code))
