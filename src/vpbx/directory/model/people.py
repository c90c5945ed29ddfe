"""Who is called: employees and departments (crm-api §6, §8)."""

from __future__ import annotations

from enum import StrEnum

from vpbx.frozen import dataclass


class Role(StrEnum):
    """What an employee may do in the console (crm-api §6)."""

    ADMIN = "admin"
    GROUP_HEAD = "group_head"
    USER = "user"
    RESTRICTED_USER = "restricted_user"


@dataclass(frozen=True, slots=True)
class Ha1Pair:
    """H(username:realm:password), hex, realm = the domain's name. Empty: no such login."""

    md5: str = ""
    sha256: str = ""

    def __repr__(self) -> str:
        return "Ha1Pair(...)"


@dataclass(frozen=True, slots=True)
class MobileRedirect:
    """Whether and how the mobile rings (crm-api §6). forward: only the mobile; delay: seconds."""

    enabled: bool = False
    forward: bool = False
    delay: int = 0


@dataclass(frozen=True, slots=True)
class Employee:
    """An employee (crm-api §6 User)."""

    id: int
    login: str
    ext: str
    name: str
    position: str = ""
    email: str = ""
    role: Role = Role.USER
    mobile: str = ""
    mobile_redirect: MobileRedirect = MobileRedirect()
    receives_calls: bool = True
    """False: do not disturb (crm-api §6 dnd, is_absence_active)."""
    telnum: str = ""
    """Direct number: the lowest number that is routed to this employee."""
    ha1_login: Ha1Pair = Ha1Pair()
    ha1_ext: Ha1Pair = Ha1Pair()
    call_waiting: bool = False
    since_ms: int = 0
    """From when on what bears the login is this employee's (since 1970): somebody had it before
    them; 0: nobody had."""


class CallOrder(StrEnum):
    """How a department's employees are rung (crm-api §8)."""

    ALL = "ALL"
    EVENLY = "EVENLY"
    BYORDER = "BYORDER"
    WATERFALL = "WATERFALL"


class Advanced(StrEnum):
    """What a waiting caller is offered when all are busy (crm-api §8)."""

    OFF = "off"
    MSG_BUSY = "msg_busy"
    CALLBACK = "callback"


class TimeoutTarget(StrEnum):
    """Where a call goes that a department did not take in time (crm-api §8)."""

    VOICEMAIL = "voicemail"
    USER = "user"
    GROUP = "group"
    TELNUM = "telnum"
    MSG_BUSY = "msg_busy"


@dataclass(frozen=True, slots=True)
class Member:
    """An employee's place in a department. branch_domain: of an employee of a connected PBX."""

    login: str
    calls_enable: bool = True
    group_head: bool = False
    name: str = ""
    other_pbx_type: str = ""
    branch_domain: str = ""


@dataclass(frozen=True, slots=True)
class Timeout:
    """Where the call goes after `time` seconds; user, group or telnum by target."""

    time: int = 120
    target: TimeoutTarget = TimeoutTarget.VOICEMAIL
    user: str = ""
    group: str = ""
    telnum: str = ""


@dataclass(frozen=True, slots=True)
class Department:
    """A department (crm-api §8 Group). `call_duration` is 0 for ALL."""

    row_id: int
    id: str
    name: str
    ext: str
    call_order: CallOrder = CallOrder.ALL
    call_duration: int = 15
    members: tuple[Member, ...] = ()
    timeout: Timeout = Timeout()
    advanced: Advanced = Advanced.OFF
    queue_position: bool = False
