"""What the API answers. Unknown fields are kept (`model_extra`): clouds add to it.

Times are aware, UTC. Phone numbers are digits, E.164 without `+`. Empty text is "".
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = [
    "Am",
    "BlackListEntry",
    "Branch",
    "CallerIds",
    "Domain",
    "ExternalCall",
    "Group",
    "GroupMember",
    "GroupRef",
    "Info",
    "InnerCall",
    "LiveCall",
    "LoginName",
    "MadeCall",
    "MediaRef",
    "Model",
    "Music",
    "Named",
    "NewUser",
    "NumberState",
    "Page",
    "Record",
    "Redirect",
    "Restrictions",
    "Rule",
    "SentCommand",
    "SipRegistration",
    "SipuriTransfer",
    "State",
    "Supervision",
    "Telnum",
    "Timeout",
    "User",
    "Webhook",
]

T = TypeVar("T")


class Model(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(extra="allow", populate_by_name=True, coerce_numbers_to_str=True)


def _no_time(value: Any) -> Any:
    return None if value == "" else value


Time = Annotated[datetime | None, BeforeValidator(_no_time)]


class Info(Model):
    """Where in a list a page is."""

    search: str = ""
    total: int = 0
    start: int = 0
    limit: int = 0
    next: int | None = None


class Page(Model, Generic[T]):
    """A page of a list."""

    items: list[T]
    info: Info


class Redirect(Model):
    """Redirect to the mobile."""

    enabled: bool = False
    forward: bool = False
    delay: int = 0


class User(Model):
    """An employee."""

    login: str
    name: str = ""
    position: str = ""
    email: str = ""
    ext: str = ""
    telnum: str = ""
    role: str = ""
    mobile: str = ""
    mobile_redirect: Redirect = Field(default_factory=Redirect)
    status: str = ""
    """`online` or `offline`, where it was asked for."""


class NewUser(User):
    """An employee just added; `password` only if it was generated: shown this once."""

    password: str = Field("", repr=False)


class GroupRef(Model):
    """A department, by name."""

    id: str
    name: str = ""
    ext: str = ""


class GroupMember(Model):
    """An employee of a department."""

    login: str
    name: str = ""
    calls_enable: bool = True
    group_head: bool = False
    is_absence_active: bool = False
    is_forwarding_disabled: bool = False
    other_pbx_type: str = ""
    branch_domain: str = ""


class Timeout(Model):
    """Where a call goes that a department did not take in time."""

    time: int = 120
    target: str = "voicemail"
    user: str = ""
    group: str = ""
    telnum: str = ""


class Group(Model):
    """A department."""

    id: str
    name: str = ""
    ext: str = ""
    call_order: str = "ALL"
    call_duration: int = 0
    users: list[GroupMember] = Field(default_factory=list)
    timeout: Timeout = Field(default_factory=Timeout)
    advanced: str = "off"
    queue_position: bool = False


class Telnum(Model):
    """A number; its route (`ivr`, `work`, `other`, …) as the API writes it."""

    telnum: str
    name: str = ""
    type: str = "user"
    greeting: bool = False
    is_main_phone: bool = False
    location: str = ""
    disabled: bool = False
    crm: str = ""
    calltracking: str = ""
    greeting_custom: bool = False
    greeting_file: str = ""
    user: str = ""
    user_name: str = ""
    group: str = ""
    group_name: str = ""
    ivr: dict[str, Any] | None = None
    work: dict[str, Any] | None = None
    other: dict[str, Any] | None = None
    custom_routes: list[dict[str, Any]] = Field(default_factory=list)
    schedule: dict[str, Any] | None = None


class ExternalCall(Model):
    """A call with the outside, as history has it. wait and duration: seconds."""

    uid: str
    type: str
    status: str
    reason: str = ""
    missed_status: int | None = Field(None, alias="missedStatus")
    client: str = ""
    account: str = ""
    diversion: str = ""
    telnum_name: str = ""
    destination: str = ""
    user: str = ""
    user_name: str = ""
    group_name: str = ""
    start: datetime
    wait: int = 0
    duration: int = 0
    record: str = ""
    rating: int | None = None


class InnerCall(Model):
    """A call between employees."""

    uid: str
    status: str
    from_: str = Field("", alias="from")
    to: str = ""
    from_name: str = ""
    to_name: str = ""
    start: datetime
    wait: int = 0
    duration: int = 0
    record: str = ""


class MadeCall(Model):
    """A call under way; `clid` only if it was sent and may be used."""

    callid: str
    clid: str = ""


class LiveCall(Model):
    """A call in progress (beyond the original interface)."""

    callid: str
    direction: str
    state: str = ""
    phone: str = ""
    diversion: str = ""
    user: str = ""
    group: str = ""
    since: Time = None
    answered: Time = None
    on_hold: bool = False
    parked: str = ""
    recording: bool = False
    supervises: str = ""
    mode: str = ""


class Supervision(Model):
    """A supervisor's own call: `callid` is what ends it."""

    callid: str


class State(Model):
    """A switch."""

    state: bool


class CallNote(Model):
    """What is written to a call that is over, by whom and when (UTC)."""

    uid: str
    note: str = ""
    tags: list[str] = []
    author: str = ""
    time: str = ""


class BlackListEntry(Model):
    """A caller who is refused; `week` and `year`: how often, where it was asked for."""

    telnum: str
    comment: str = ""
    week: int | None = None
    year: int | None = None


class LoginName(Model):
    """An employee, in lists."""

    login: str
    name: str = ""


class Named(Model):
    """Something with an id and a name."""

    id: str
    name: str = ""


MediaRef = Named


class Domain(Model):
    """The company: time zone, limits and services as the API writes them."""

    timezone: dict[str, Any]
    limits: dict[str, Any]
    services: dict[str, Any]


class Music(Model):
    """What callers hear while they wait."""

    ringback: dict[str, Any]
    holdmusic: dict[str, Any]


class Record(Model):
    """What is recorded."""

    external: bool
    inner: bool
    users_exception: list[LoginName] = Field(default_factory=list)


class Am(Model):
    """Who gets voicemail."""

    all: bool = False
    users: list[LoginName] = Field(default_factory=list)
    groups: list[Named] = Field(default_factory=list)
    email: str = ""


class CallerIds(Model):
    """Outgoing numbers."""

    main: str = ""
    users: list[dict[str, Any]] = Field(default_factory=list)
    groups: list[dict[str, Any]] = Field(default_factory=list)
    regions: list[dict[str, Any]] = Field(default_factory=list)


class NumberState(Model):
    """A number, and whether calls may leave with it."""

    telnum: str
    enabled: bool


class Rule(Model):
    """Directions allowed to an employee (`login`) or a department (`id`)."""

    login: str = ""
    id: str = ""
    name: str = ""
    allowed: list[str] = Field(default_factory=list)


class Restrictions(Model):
    """Where employees may call."""

    main: list[str] = Field(default_factory=list)
    users: list[Rule] = Field(default_factory=list)
    groups: list[Rule] = Field(default_factory=list)


class SipRegistration(Model):
    """A number of another operator."""

    telnum: str
    active: bool = True
    name: str = ""
    domain: str = ""
    auth_name: str = ""
    expires: int = 0
    proxy: str = ""
    status: str = ""
    outgoing: bool = False


class SipuriTransfer(Model):
    """A SIP address to which another operator sends a number's calls."""

    telnum: str
    uri: str = ""
    active: bool = True


class Branch(Model):
    """A connected PBX."""

    domain: str
    name: str = ""
    status: str = ""
    users_count: int = 0
    groups_count: int = 0
    exts_count: int = 0
    collisions_count: int = 0


class Webhook(Model):
    """A subscription."""

    id: str
    type: str
    url: str


class SentCommand(Model):
    """A command of the PBX to the CRM, and what came of it."""

    id: str
    """Grows in the order in which commands can be seen."""
    cmd: str
    callid: str = ""
    address: str = ""
    """Name of the company's address it is for."""
    time: datetime
    command: dict[str, Any] = Field(default_factory=dict)
    """What is sent, without `crm_token`."""
    state: str = ""
    """waiting, taken, failed, left out or kept."""
    attempts: int = 0
    status: int = 0
    """Of the last answer; 0: there was none."""
    answer: str = ""
    error: str = ""
    done: Time = None
    next_try: Time = None
    replay_of: str = ""
    """The `id` of what is sent once more."""
