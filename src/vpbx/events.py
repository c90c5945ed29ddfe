"""What happens in calls, told to whoever keeps or passes it on.

Call control publishes these values; history and the CRM connection turn each into writes.
All writes that one event causes go to the database in one transaction (either all or none),
and recorders are called in the order of subscription, synchronously, in the order of events.

Times are seconds since 1970-01-01 UTC. Phone numbers are digits only, E.164 without `+`.
Empty text means "not known".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar

from vpbx.causes import Cause
from vpbx.frozen import dataclass
from vpbx.legs import CallLeg


class Direction(StrEnum):
    """Which way a call goes, seen from the company."""

    IN = "in"
    OUT = "out"
    INNER = "inner"


class Status(StrEnum):
    """How a call ended, in the words of crm-api §4 (an inner call: SUCCESS or NOANSWER)."""

    SUCCESS = "success"
    MISSED = "missed"
    CANCEL = "cancel"
    BUSY = "busy"
    NOTAVAILABLE = "notavailable"
    NOTALLOWED = "notallowed"
    NOTFOUND = "notfound"
    NOANSWER = "noanswer"


class Destination(StrEnum):
    """Who an incoming call ended at (crm-api §4)."""

    NONE = ""
    USER = "user"
    GROUP = "group"
    TELNUM = "telnum"
    IVR = "ivr"
    ONDUTY = "onduty"
    OFFTIME = "offtime"
    HELLO = "hello"
    VM = "vm"
    AM = "am"


@dataclass(frozen=True, slots=True)
class Party:
    """An employee as a call saw them."""

    login: str
    name: str = ""
    ext: str = ""
    telnum: str = ""
    """Their direct number."""


@dataclass(frozen=True, slots=True)
class Group:
    """The department a call went through."""

    id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class CallInfo:
    """What holds for a call from its first moment to its last."""

    callid: str
    domain_id: int
    domain: str
    direction: Direction
    started_at: float
    client: str = ""
    """The outside party's number; empty for inner calls and for anonymous callers."""
    diversion: str = ""
    """Our number the call goes through."""
    telnum_name: str = ""
    """The name given to `diversion`."""


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A call exists: journal it. `user` is the best guess of who it will belong to."""

    call: CallInfo
    at: float
    user: Party | None = None
    group: Group | None = None
    caller: Party | None = None
    """Inner calls: who calls (`user` is whom)."""
    place: Destination = Destination.NONE
    """Where it is, where that is neither an employee nor a department."""
    account: str = ""
    """As in `Entered`."""


@dataclass(frozen=True, slots=True)
class Entered:
    """The call has come to another place: a menu, a department, voicemail (CRM: nothing).

    `user` is the best guess of who it belongs to now; None leaves the one before.
    """

    call: CallInfo
    at: float
    place: Destination
    user: Party | None = None
    group: Group | None = None
    account: str = ""
    """Where neither an employee nor a department is what an account names: `ivr`, `fax`."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Something that is no employee has taken the call: an outside number, the fax (CRM: nothing).

    From now on the call is a success.
    """

    call: CallInfo
    at: float
    place: Destination
    account: str = ""


@dataclass(frozen=True, slots=True)
class Ringing:
    """A device of `user` starts to ring for an outside call (CRM: INCOMING)."""

    call: CallInfo
    at: float
    user: Party
    group: Group | None = None


@dataclass(frozen=True, slots=True)
class RingEnded:
    """Ringing at `user` ended without them answering (CRM: CANCELLED)."""

    call: CallInfo
    at: float
    user: Party
    group: Group | None = None


@dataclass(frozen=True, slots=True)
class Dialing:
    """The VPBX starts to dial the customer for `user` (CRM: OUTGOING)."""

    call: CallInfo
    at: float
    user: Party
    group: Group | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """Talk begins: `user` took an incoming call, or the customer an outgoing one (ACCEPTED)."""

    call: CallInfo
    at: float
    user: Party
    group: Group | None = None


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """An outgoing attempt ended unanswered (CRM: CANCELLED)."""

    call: CallInfo
    at: float
    user: Party
    group: Group | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """Either side hung up after the answer (CRM: COMPLETED)."""

    call: CallInfo
    at: float
    user: Party
    group: Group | None = None


@dataclass(frozen=True, slots=True)
class Transferred:
    """`user` passed the call on; it continues under `second_callid` (CRM: TRANSFERRED)."""

    call: CallInfo
    at: float
    user: Party
    second_callid: str
    group: Group | None = None


@dataclass(frozen=True, slots=True)
class CallerReplaced:
    """Somebody else talks now in the place of who placed an inner call (CRM: nothing).

    `caller`: who; None: nobody of the company or of a connected PBX.
    """

    call: CallInfo
    at: float
    caller: Party | None


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call is over: close its journal entry.

    `user` is who talked, else who history names (crm-api §2 history, `user`); `recorded`
    says that sound was recorded and its MP3 will be at the place history keeps for `callid`.
    """

    call: CallInfo
    at: float
    status: Status
    user: Party | None
    group: Group | None = None
    caller: Party | None = None
    answered_at: float | None = None
    destination: Destination = Destination.NONE
    account: str = ""
    """Login of who talked; else the department's id; else `ivr`, `fax`… (crm-api §4)."""
    recorded: bool = False
    sip_code: int = 0
    """The final SIP status that decided an unanswered call; 0 where none did."""
    fax: bool = False
    """Whether what was `recorded` is no sound but a fax, a PDF, which is there already."""
    legs: tuple[CallLeg, ...] = ()
    """Who was in it, and how good their sound was."""
    causes: tuple[Cause, ...] = ()
    """What failed on its way."""

    @property
    def lengths(self) -> tuple[int, int]:
        """Whole seconds of waiting and of talk, as everybody is told them."""
        answered = self.answered_at if self.status is Status.SUCCESS else None
        return lengths(
            epoch_ms(self.call.started_at),
            None if answered is None else epoch_ms(answered),
            epoch_ms(self.at),
        )


@dataclass(frozen=True, slots=True)
class Rated:
    """The customer rated the employee, before the call's `CallEnded`."""

    call: CallInfo
    at: float
    user: Party
    rating: int


@dataclass(frozen=True, slots=True)
class MessageLeft:
    """The caller left a voicemail message, before the call's `CallEnded` (CRM: nothing).

    `boxes`: logins of whom it is for; `client`: who left it, digits ("" hid their number, an
    ext of an inner call); `name`: theirs, as the CRM knows it; `seconds`: its length. Its sound
    is the call's recording.
    """

    call: CallInfo
    at: float
    boxes: tuple[str, ...]
    client: str
    name: str
    seconds: int


@dataclass(frozen=True, slots=True)
class FaxReceived:
    """A fax has arrived, before the call's `CallEnded` (CRM: nothing).

    `user`: whom it is for; `client`: who sent it, digits ("": they hid their number); `name`:
    theirs, as the CRM knows it; `pages`: how many arrived whole; `whole`: whether those are
    all. Its PDF lies where recordings do.
    """

    call: CallInfo
    at: float
    user: Party
    client: str
    name: str
    pages: int
    whole: bool


@dataclass(frozen=True, slots=True)
class RecordingReady:
    """The MP3 of a recorded call is complete on disk (or, `ok` false, will never be); of a
    `fax` that a crash cut off, its PDF."""

    call: CallInfo
    at: float
    ok: bool
    fax: bool = False


CallEvent: TypeAlias = (
    CallStarted
    | Entered
    | Taken
    | Ringing
    | RingEnded
    | Dialing
    | Answered
    | AttemptEnded
    | Completed
    | Transferred
    | CallerReplaced
    | CallEnded
    | Rated
    | MessageLeft
    | FaxReceived
    | RecordingReady
)

Recorder: TypeAlias = Callable[[CallEvent], Iterable[Any]]
"""Turns an event into database writes (`vpbx.db.Write`); must not block."""

_Kind = TypeVar("_Kind", bound=CallEvent)


def epoch_ms(seconds: float) -> int:
    """Return a time as it is stored: whole milliseconds."""
    return round(seconds * 1000)


def lengths(started_ms: int, answered_ms: int | None, ended_ms: int) -> tuple[int, int]:
    """Return whole seconds from the start to the answer, or to the end, and of talk (0: none)."""
    if answered_ms is None:
        return (ended_ms - started_ms) // 1000, 0
    return (answered_ms - started_ms) // 1000, (ended_ms - answered_ms) // 1000


class EventBus:
    """Hands each event to those who record its kind and commits what they return as one unit."""

    def __init__(self, commit: Callable[[list[Any]], None]) -> None:
        self._commit = commit
        self._recorders: list[tuple[Callable[[Any], Iterable[Any]], tuple[type, ...]]] = []
        self._of: dict[type, list[Callable[[Any], Iterable[Any]]]] = {}
        """By kind: who is told; as far as events of the kind have come."""

    def subscribe(self, recorder: Callable[[_Kind], Iterable[Any]], *kinds: type[_Kind]) -> None:
        """Add a recorder, called after those already there, of events of `kinds` (none: all)."""
        self._recorders.append((recorder, kinds))
        self._of.clear()

    def publish(self, event: CallEvent) -> None:
        """Tell the recorders; their writes are queued for commit before this returns."""
        recorders = self._of.get(type(event))
        if recorders is None:
            recorders = self._of[type(event)] = self._recorders_of(type(event))
        writes: list[Any] = []
        for recorder in recorders:
            writes += recorder(event)
        if writes:
            self._commit(writes)

    def _recorders_of(self, kind: type) -> list[Callable[[Any], Iterable[Any]]]:
        return [recorder for recorder, kinds in self._recorders if not kinds or kind in kinds]
