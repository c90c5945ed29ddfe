"""What commands may ask a running server about its calls."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from vpbx.app.control import Answers, ControlFault, Question
from vpbx.branches import BranchLinks
from vpbx.calls import ActiveCall, CallService
from vpbx.directory import Directory, NotFound

__all__ = ["answers"]


def answers(
    calls: CallService, directory: Directory, branches: BranchLinks
) -> Mapping[str, Answers]:
    """Return the verbs `calls` (domain: one company's only), `hangup` (domain, callid), `trunks`,
    `sync` (domain, peer)."""

    async def listed(question: Question) -> list[dict[str, Any]]:
        domain = question.get("domain") or ""
        found = [call for call in calls.active() if domain in ("", call.info.domain)]
        return [_row(call) for call in sorted(found, key=lambda call: call.info.started_at)]

    async def hangup(question: Question) -> None:
        callid = str(question.get("callid", ""))
        if not calls.hang_up(str(question.get("domain", "")), callid):
            raise ControlFault(f"there is no call {callid} now; `vpbx calls list` shows them")

    async def trunks(question: Question) -> list[dict[str, Any]]:
        return [
            {
                "name": trunk.name,
                "state": trunk.state,
                "reason": trunk.reason,
                "calls": trunk.calls,
                "reached": list(trunk.addresses),
            }
            for trunk in calls.connections.carriers.states()
        ]

    async def sync(question: Question) -> dict[str, Any]:
        domain = await directory.domain(str(question.get("domain", "")))
        if domain is None:
            raise ControlFault("there is no such company")
        try:
            branch = await branches.sync(domain, str(question.get("peer", "")))
        except NotFound as error:
            raise ControlFault(str(error)) from error
        return {"domain": branch.domain, "status": str(branch.status), "reason": branch.reason}

    return {"calls": listed, "hangup": hangup, "trunks": trunks, "sync": sync}


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
