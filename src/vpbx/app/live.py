"""What commands may ask a running server about its calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from vpbx.accounts import Audit
from vpbx.acting import Actor, acting
from vpbx.app.control import Answers, ControlFault, Question
from vpbx.branches import BranchLinks
from vpbx.calls import ActiveCall, CallService, Mode
from vpbx.directory import Directory, DomainConfig, Invalid, NotFound

__all__ = ["answers"]


def answers(
    calls: CallService, directory: Directory, branches: BranchLinks, audit: Audit
) -> Mapping[str, Answers]:
    """Return the verbs `calls` (domain: one company's only), `hangup` (domain, callid, by),
    `transfer` (and to, attended), `supervise` (domain, callid, user, mode), `pickup` (domain,
    callid, user, by), `trunks`, `sync` (domain, peer). `by`: who gives the command."""
    now = _Now(calls, directory, branches, audit)
    return {
        "calls": now.listed,
        "hangup": now.hangup,
        "transfer": now.transfer,
        "supervise": now.supervise,
        "pickup": now.pickup,
        "trunks": now.trunks,
        "sync": now.sync,
    }


class _Now:
    """What goes on, and what commands do to it."""

    def __init__(
        self, calls: CallService, directory: Directory, branches: BranchLinks, audit: Audit
    ) -> None:
        self._calls = calls
        self._directory = directory
        self._branches = branches
        self._audit = audit

    async def listed(self, question: Question) -> list[dict[str, Any]]:
        domain = question.get("domain") or ""
        found = [call for call in self._calls.active() if domain in ("", call.info.domain)]
        return [_row(call) for call in sorted(found, key=lambda call: call.info.started_at)]

    async def hangup(self, question: Question) -> None:
        callid = _text(question, "callid")
        domain = await self._company(question)
        if not self._calls.hang_up(domain.name, callid):
            raise _no_call(callid)
        await self._note(question, domain, "ended")

    async def transfer(self, question: Question) -> None:
        callid, to = _text(question, "callid"), _text(question, "to")
        domain, attended = await self._company(question), bool(question.get("attended"))
        with _told_plainly():
            if not self._calls.transfer(domain, callid, to, attended=attended):
                raise _no_call(callid)
        await self._note(question, domain, f"passed on to {to}")

    async def supervise(self, question: Question) -> dict[str, str]:
        callid, user, mode = (_text(question, name) for name in ("callid", "user", "mode"))
        if mode not in list(Mode):
            raise ControlFault(f"mode: must be one of {', '.join(Mode)}")
        domain = await self._company(question)
        with _told_plainly(), acting(Actor(user, "command")):
            own = await self._calls.supervisors.begin(domain, callid, user=user, mode=Mode(mode))
        if own is None:
            raise _no_call(callid)
        return {"callid": own}

    async def pickup(self, question: Question) -> None:
        callid, user = _text(question, "callid"), _text(question, "user")
        domain = await self._company(question)
        with _told_plainly():
            if not self._calls.supervisors.take_ringing(domain, callid, user=user):
                raise _no_call(callid)
        await self._note(question, domain, f"picked up for {user}")

    async def trunks(self, _question: Question) -> list[dict[str, Any]]:
        return [
            {
                "name": trunk.name,
                "state": trunk.state,
                "reason": trunk.reason,
                "calls": trunk.calls,
                "reached": list(trunk.addresses),
            }
            for trunk in self._calls.connections.carriers.states()
        ]

    async def sync(self, question: Question) -> dict[str, Any]:
        domain = await self._company(question)
        try:
            branch = await self._branches.sync(domain, _text(question, "peer"))
        except NotFound as error:
            raise ControlFault(str(error)) from error
        return {"domain": branch.domain, "status": str(branch.status), "reason": branch.reason}

    async def _note(self, question: Question, domain: DomainConfig, told: str) -> None:
        """Write into the log of changes who meddled with a call."""
        with acting(Actor(_text(question, "by") or "command", "command")):
            await self._audit.note_call(domain.id, _text(question, "callid"), told)

    async def _company(self, question: Question) -> DomainConfig:
        found = await self._directory.domain(_text(question, "domain"))
        if found is None:
            raise ControlFault("there is no such company")
        return found


def _text(question: Question, name: str) -> str:
    return str(question.get(name, ""))


def _no_call(callid: str) -> ControlFault:
    return ControlFault(f"there is no call {callid} now; `vpbx calls list` shows them")


@contextmanager
def _told_plainly() -> Iterator[None]:
    """Tell what is wrong with a question in a sentence."""
    try:
        yield
    except Invalid as error:
        first = error.errors[0]
        raise ControlFault(f"{first.field}: {first.message}") from error


def _row(call: ActiveCall) -> dict[str, Any]:
    info = call.info
    return {
        "domain": info.domain,
        "callid": info.callid,
        "direction": str(info.direction),
        "phone": info.client,
        "diversion": info.diversion,
        "user": call.user.login if call.user else "",
        "state": "ringing" if call.answered_at is None else "talking",
        "since": f"{datetime.fromtimestamp(info.started_at, UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
