"""The phone in other sites' pages: the script they load, the frame it makes, and the way in."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from vpbx.console.admit import company_of_host
from vpbx.console.areas import Area
from vpbx.console.look import HEADERS
from vpbx.console.page import Door, Page
from vpbx.console.visit import Visit
from vpbx.console.widget import WIDGET, Ask, widget_cookie
from vpbx.directory import NotFound

_CSP = "Content-Security-Policy"
_LATER = 202


async def script(visit: Visit) -> Response:
    """Answer `/widget.js`, which any page may load; it makes the frame."""
    file = visit.look.assets.plain("bundle/widget.js")
    if file is None:
        return Response(status_code=404)
    headers = {
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Cache-Control": "public, max-age=300",
    }
    return Response(file, media_type="text/javascript; charset=utf-8", headers=headers)


async def frame(visit: Visit) -> Response:
    """Answer `/widget?origin=https://crm.example`: the phone, or how to get in; only sites that
    the company allows may frame it, and each only for itself."""
    company, origin = await company_of_host(visit), visit.asked("origin")
    if company is None or origin not in company.widget_origins:
        return visit.page("widget/refused.html", status=403)
    session, domain = visit.session, visit.domain
    known = session is not None and not session.pending and visit.employee is not None
    ask: Ask | None = None
    if not known or domain is None or domain.id != company.id:
        visit.session, visit.employee, visit.domain, visit.token = None, None, company, ""
        ask = visit.services.asks.begin(company.id, origin, visit.source, _agent(visit))
    answer = visit.page("widget/frame.html", origin=origin, ask=ask)
    answer.headers[_CSP] = HEADERS[_CSP].replace(
        "frame-ancestors 'none'", f"frame-ancestors {origin}"
    )
    return answer


async def show_enter(visit: Visit) -> Response:
    return visit.page("widget/enter.html", ask=_ask(visit, visit.asked("code")))


async def enter(visit: Visit) -> Response:
    """Let the frame that asks have a phone for who is logged in here: a session of its own, which
    outlives the one that allows it."""
    ask = _ask(visit, visit.value("code"))
    ask.account = visit.mine.account
    await visit.services.audit.note(
        visit.company.id, "phone in another site", "", f"{visit.mine_employee.login}: {ask.origin}"
    )
    return visit.page("widget/enter.html", ask=None)


def _ask(visit: Visit, code: str) -> Ask:
    found = visit.services.asks.find(code, visit.company.id, visit.source, _agent(visit))
    if found is None or found.origin not in visit.company.widget_origins:
        raise NotFound("nobody waits for this any more")
    return found


async def begin(visit: Visit) -> Response:
    """Give the frame its session, as soon as its owner has let it have one."""
    code, secret = visit.value("code"), visit.value("secret")
    ask = visit.services.asks.take(code, secret, visit.source, _agent(visit))
    if ask is None:
        return JSONResponse({"state": "gone"}, status_code=410)
    if ask.account is None:
        return JSONResponse({"state": "waiting"}, status_code=_LATER)
    token = await visit.services.accounts.open(
        ask.account, pending=False, address=visit.source, agent=WIDGET + ask.origin
    )
    answer = JSONResponse({"state": "ready"})
    answer.headers["Set-Cookie"] = widget_cookie(token)
    return answer


async def leave(visit: Visit) -> Response:
    """End the frame's session."""
    session = visit.mine
    if session.agent.startswith(WIDGET):
        await visit.services.accounts.end(session.account, session.id)
    answer = JSONResponse({"state": "gone"})
    answer.headers["Set-Cookie"] = widget_cookie("")
    return answer


def _agent(visit: Visit) -> str:
    return visit.request.headers.get("user-agent", "")[:300]


pages = (
    Page("/widget.js", None, get=script, door=Door.OPEN),
    Page("/widget", None, get=frame, door=Door.OPEN, framed=True),
    Page("/widget/session", None, post=begin, door=Door.OPEN),
    Page("/widget/leave", Area.MINE, post=leave, framed=True),
    Page("/widget/enter", Area.MINE, get=show_enter, post=enter, weighty=True),
)
