"""Single acts: one call that goes as somebody says, on the command line or in a scenario.

An act comes as a mapping with the names of `FIELDS`, as a `[[call]]` of a TOML file has them:

    [[call]]
    from = "79101234567"        # a customer; an employee's login or ext calls out
    to = "74951234567"          # a number of the company; from an employee: any
    answered_by = "olga"
    talk = "20s"
    then = "transfer:sales"     # or "hangup", "rate:5"; a list of them goes in its order
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from vpbx.directory import Department, DomainConfig, Employee, Invalid, Menu, Number, read_number
from vpbx.sim import Answer, Part, Plan

__all__ = ["FIELDS", "Act", "BadAct", "Kind", "read_act", "seconds"]

FIELDS = (
    *("at", "kind", "from", "to", "press", "answered_by", "after", "talk", "then"),
    *("patience", "message", "customer"),
)
_DURATION = re.compile(r"(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")
_LONGEST_S = 3600.0
_CUSTOMER = {
    "answers": Answer.TAKE,
    "busy": Answer.BUSY,
    "ignores": Answer.IGNORE,
    "unknown": Answer.UNKNOWN,
}
_AFTER_S, _TALK_S, _PATIENCE_S, _MISS_S, _MESSAGE_S = 2.0, 10.0, 45.0, 8.0, 5.0
_MAILBOX_S = 90.0
"""For departments to give up before their voicemail answers."""


class BadAct(Exception):
    """An act that cannot be played; `str()` names the field."""


class Kind(StrEnum):
    """What comes of a customer's call."""

    CALL = "call"
    MISS = "miss"
    VOICEMAIL = "voicemail"


@dataclass(frozen=True, slots=True)
class Act:
    """An act, checked against the company as it is now."""

    at_s: float
    """After the scenario's beginning."""
    kind: Kind
    plan: Plan | None
    """Of a customer's call; None where an employee calls."""
    login: str = ""
    """The employee who calls,"""
    number: str = ""
    """this ext or number,"""
    part: Part = field(default_factory=Part)
    """and what is done there."""
    answer: Answer = Answer.TAKE
    patience_s: float = _PATIENCE_S


def read_act(domain: DomainConfig, values: Mapping[str, Any]) -> Act:
    """Check an act; raises BadAct."""
    unknown = values.keys() - set(FIELDS)
    if unknown:
        raise BadAct(f"{min(unknown)}: is not known; there are {', '.join(FIELDS)}")
    kind = _one_of(values, "kind", [each.value for each in Kind], Kind.CALL)
    at_s = seconds(values, "at", 0.0)
    caller = _text(values, "from")
    if not caller:
        raise BadAct("from: is needed, a customer's number or an employee's login")
    employee = domain.find_employee(caller)
    if employee is not None:
        return _employee_calls(domain, employee, values, Kind(kind), at_s)
    return Act(at_s, Kind(kind), _customer_calls(domain, values, Kind(kind)))


def _customer_calls(domain: DomainConfig, values: Mapping[str, Any], kind: Kind) -> Plan:
    if values.get("customer"):
        raise BadAct("customer: is for calls from an employee (from = a login)")
    number = _own_number(domain, _text(values, "to"))
    talk_s = seconds(values, "talk", _TALK_S)
    after_s = seconds(values, "after", _AFTER_S)
    by = _text(values, "answered_by")
    who = _employee(domain, by, "answered_by") if by else None
    if kind is not Kind.CALL:
        for name in ("answered_by", "talk", "then"):
            if values.get(name):
                raise BadAct(f"{name}: goes with kind call only; nobody answers a {kind}")
    passes_to, hangs_up, mark = _after_the_talk(domain, values)
    if mark and not number.rating:
        rated = ", ".join(each.telnum for each in domain.numbers.values() if each.rating)
        raise BadAct(f"then: calls to {number.telnum} are not rated; those to {rated} are")
    parts: tuple[Part, ...] = ()
    if kind is Kind.CALL:
        for place, whom in enumerate((*passes_to, "")):
            first_by = who.login if who is not None and place == 0 else ""
            last = not whom
            parts += (Part(first_by, after_s, talk_s, last and hangs_up, whom),)
    waits_s = {Kind.CALL: _PATIENCE_S, Kind.MISS: _MISS_S, Kind.VOICEMAIL: _MAILBOX_S}[kind]
    message_s = seconds(values, "message", _MESSAGE_S) if kind is Kind.VOICEMAIL else 0.0
    return Plan(
        caller=_digits(domain, _text(values, "from"), "from"),
        number=number.telnum,
        parts=parts,
        press=_text(values, "press") if "press" in values else _button(domain, number, who),
        patience_s=seconds(values, "patience", waits_s),
        message_s=message_s,
        rating=mark,
        listens=True,
    )


def _employee_calls(
    domain: DomainConfig, who: Employee, values: Mapping[str, Any], kind: Kind, at_s: float
) -> Act:
    for name in ("answered_by", "press", "message"):
        if values.get(name):
            raise BadAct(f"{name}: is for calls from a customer, and {who.login} is an employee")
    if kind is Kind.VOICEMAIL:
        raise BadAct("kind: voicemail is for calls from a customer")
    passes_to, hangs_up, mark = _after_the_talk(domain, values)
    if passes_to or mark:
        raise BadAct("then: a call from an employee takes hangup only (the one called hangs up)")
    default = "answers" if kind is Kind.CALL else "ignores"
    customer = _one_of(values, "customer", list(_CUSTOMER), default)
    called = _text(values, "to")
    if not called:
        raise BadAct("to: is needed, a number or a colleague's login")
    colleague = domain.find_employee(called)
    if colleague is not None and colleague.login == who.login:
        raise BadAct(f"to: {who.login} cannot call themselves")
    number = colleague.ext if colleague is not None else _digits(domain, called, "to")
    after_s, talk_s = seconds(values, "after", _AFTER_S), seconds(values, "talk", _TALK_S)
    patience_s = seconds(values, "patience", _PATIENCE_S if kind is Kind.CALL else _MISS_S)
    part = Part("", after_s, talk_s, hangs_up)
    return Act(at_s, kind, None, who.login, number, part, _CUSTOMER[customer], patience_s)


def _after_the_talk(
    domain: DomainConfig, values: Mapping[str, Any]
) -> tuple[tuple[str, ...], bool, int]:
    """Read `then`: to whom the call is passed on, whether the last one hangs up, the mark."""
    found = values.get("then") or ()
    passes_to: list[str] = []
    hangs_up, mark = False, 0
    for step in [found] if isinstance(found, str) else found:
        word, _, what = str(step).partition(":")
        if word == "transfer" and what:
            passes_to.append(_dialled(domain, what))
        elif word == "hangup" and not what:
            hangs_up = True
        elif word == "rate" and what in ("1", "2", "3", "4", "5"):
            hangs_up, mark = True, int(what)
        else:
            raise BadAct(
                f"then: '{step}' is neither transfer:WHOM (a department, an employee or a "
                "number), hangup (the employee hangs up) nor rate:1 to rate:5"
            )
    return tuple(passes_to), hangs_up, mark


def _dialled(domain: DomainConfig, whom: str) -> str:
    """Return what an employee dials to pass a call on to somebody."""
    group = _department(domain, whom)
    if group is not None:
        return group.ext
    employee = domain.find_employee(whom)
    return employee.ext if employee is not None else _digits(domain, whom, "then")


def _department(domain: DomainConfig, name: str) -> Department | None:
    wanted = name.casefold()
    for each in domain.departments.values():
        if wanted in (each.id, each.ext, each.name.casefold()):
            return each
    return None


def _employee(domain: DomainConfig, name: str, field: str) -> Employee:
    found = domain.find_employee(name)
    if found is None:
        known = ", ".join(sorted(domain.employees))
        raise BadAct(f"{field}: there is no employee '{name}'; there are {known}")
    return found


def _own_number(domain: DomainConfig, text: str) -> Number:
    known = ", ".join(sorted(domain.numbers))
    if not text:
        raise BadAct(f"to: is needed, one of {known}")
    found = domain.numbers.get(_digits(domain, text, "to"))
    if found is None:
        raise BadAct(f"to: '{text}' is no number of the company; there are {known}")
    return found


def _button(domain: DomainConfig, number: Number, who: Employee | None) -> str:
    """Return what to press in the menu of a number to get to somebody; "" where there is none."""
    if number.ivr is None:
        return ""
    way = _way(domain, number.ivr, who.login) if who is not None else None
    return way or _way(domain, number.ivr, "") or ""


def _way(domain: DomainConfig, menu: Menu, login: str) -> str | None:
    """Return the buttons that lead to an employee ("": to anybody), with a comma between menus."""
    for item in menu.items:
        if item.button == "timeout":
            continue
        if item.ivr is not None:
            deeper = _way(domain, item.ivr, login)
            if deeper is not None:
                return f"{item.button},{deeper}"
        group = domain.departments.get(item.group)
        members = [member.login for member in group.members] if group is not None else [item.user]
        if not login or login in members:
            return item.button
    return None


def _digits(domain: DomainConfig, text: str, field: str) -> str:
    try:
        return read_number(text, domain.country).digits
    except Invalid:
        raise BadAct(
            f"{field}: '{text}' is neither a phone number nor the login of an employee"
        ) from None


def _text(values: Mapping[str, Any], field: str) -> str:
    found = values.get(field, "")
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    if not isinstance(found, str):
        raise BadAct(f"{field}: must be text")
    return found.strip()


def _one_of(values: Mapping[str, Any], field: str, known: list[str], default: str) -> str:
    found = _text(values, field) or default
    if found not in known:
        raise BadAct(f"{field}: '{found}' is not one of {', '.join(known)}")
    return found


def seconds(values: Mapping[str, Any], field: str, default: float) -> float:
    """Read a length of time: 20, "20s", "1m30s"; up to an hour."""
    found = values.get(field)
    if found is None or found == "":
        return default
    text = str(found).strip()
    match = _DURATION.fullmatch(text)
    if match is None or not text or isinstance(found, bool):
        raise BadAct(f"{field}: '{found}' is no length of time, like 20s or 1m30s")
    length = 60.0 * int(match[1] or 0) + float(match[2] or 0)
    if length > _LONGEST_S:
        raise BadAct(f"{field}: '{found}' is longer than an hour")
    return length
