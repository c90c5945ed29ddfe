"""What commands may ask a running server about its connection to the companies' CRMs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from vpbx.app.control import Answers, ControlFault, Follows, Question
from vpbx.crm import Asked, CrmRecorder, Outbox, State
from vpbx.directory import Directory, NotFound

__all__ = ["integration_answers", "integration_follows"]

_MOST = 100_000
_PAGE = 1000


def integration_answers(directory: Directory, outbox: Outbox) -> Mapping[str, Answers]:
    """Return the verb `crm-replay` (domain; id, callid or failed; since_ms)."""

    async def replay(question: Question) -> int:
        domain_id = await _company(directory, question)
        asked = Asked(
            domain_id,
            after=0,
            limit=_PAGE,
            callid=str(question.get("callid", "")),
            state=State.FAILED if question.get("failed") else "",
            since_ms=int(question.get("since_ms") or 0),
            ids=(int(question["id"]),) if question.get("id") else (),
        )
        if not (asked.callid or asked.state or asked.ids):
            raise ControlFault("which commands? --id, --callid or --failed")
        if integration_is_off(await directory.domain_by_id(domain_id)):
            raise ControlFault("no CRM is set, or it is switched off; see `vpbx crm set`")
        sent = 0
        while sent < _MOST:
            page = await outbox.record.find(asked)
            mine = [entry for entry in page if entry.cmd != "contact"]
            sent += await outbox.replays.add(domain_id, mine)
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


def integration_is_off(domain: Any) -> bool:
    """Tell whether nothing would be sent."""
    integration = domain.integration if domain is not None else None
    return integration is None or not integration.enabled or not integration.url


async def _company(directory: Directory, question: Question) -> int:
    try:
        return (await directory.companies.get(str(question.get("domain", "")))).id
    except NotFound as error:
        raise ControlFault(str(error)) from error


def _values(asked: Asked) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in asked.__slots__}
