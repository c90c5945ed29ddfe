"""What commands may ask a running server about its connection to the companies' CRMs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from vpbx.app.control import Answers, ControlFault, Follows, Question
from vpbx.crm import Asked, CrmRecorder, Outbox, State
from vpbx.directory import Directory, Integration, NotFound

__all__ = ["integration_answers", "integration_follows"]

_MOST = 100_000
_PAGE = 1000


def integration_answers(directory: Directory, outbox: Outbox) -> Mapping[str, Answers]:
    """Return the verb `crm-replay` (domain; id, callid, failed or since_ms; address, to)."""

    async def replay(question: Question) -> int:
        domain_id = await _company(directory, question)
        asked = _asked(domain_id, question)
        to = str(question.get("to") or "")
        domain = await directory.domain_by_id(domain_id)
        places = _places(domain.integration if domain is not None else None)
        for name in filter(None, (*asked.addresses, to)):
            if name not in places:
                raise ControlFault(f"there is no address {name}, or it is switched off or fetches")
        if not places:
            raise ControlFault("no CRM is set, or it is switched off; see `vpbx crm set`")
        sent = 0
        while sent < _MOST:
            page = await outbox.record.find(asked)
            mine = [
                entry
                for entry in page
                if entry.cmd != "contact" and (to or entry.address in places)
            ]
            sent += await outbox.replays.add(domain_id, mine, to)
            if len(page) < _PAGE:
                break
            asked = Asked(**{**_values(asked), "after": page[-1].id})
        return sent

    return {"crm-replay": replay}


def integration_follows(directory: Directory, recorder: CrmRecorder) -> Mapping[str, Follows]:
    """Return the verb `crm-listen` (domain): each command as it is made."""

    async def listen(question: Question) -> AsyncIterator[Any]:
        domain_id = await _company(directory, question)
        async for fields in recorder.listen(domain_id):
            yield fields

    return {"crm-listen": listen}


def _asked(domain_id: int, question: Question) -> Asked:
    """Return which entries of the log are meant; what was sent once more already is no other."""
    failed, address = bool(question.get("failed")), str(question.get("address") or "")
    asked = Asked(
        domain_id,
        after=0,
        limit=_PAGE,
        callid=str(question.get("callid", "")),
        state=State.FAILED if failed else "",
        since_ms=int(question.get("since_ms") or 0),
        ids=(int(question["id"]),) if question.get("id") else (),
        addresses=(address,) if address else (),
        originals=not question.get("id"),
        unreplayed=failed,
    )
    if not (asked.callid or asked.state or asked.ids or asked.since_ms):
        raise ControlFault("which commands? --id, --callid, --failed or --since")
    return asked


def _places(integration: Integration | None) -> frozenset[str]:
    """Return the names of what can be sent to: addresses that are on, and subscribers."""
    if integration is None or not integration.enabled:
        return frozenset()
    every = (integration, *integration.others)
    names = [each.name for each in every if each.enabled and each.url]
    return frozenset([*names, "webhook"] if names else ())


async def _company(directory: Directory, question: Question) -> int:
    try:
        return (await directory.companies.get(str(question.get("domain", "")))).id
    except NotFound as error:
        raise ControlFault(str(error)) from error


def _values(asked: Asked) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in asked.__slots__}
