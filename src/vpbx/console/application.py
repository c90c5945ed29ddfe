"""The console as an ASGI application: pages, put together and guarded alike."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Callable, Sequence

import structlog
from python_multipart.multipart import parse_options_header
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vpbx.accounts import Busy, Refused, TooMany
from vpbx.acting import Actor, acting
from vpbx.api.gate import SECURE, Gate
from vpbx.console.admit import Turned, admit, check_form
from vpbx.console.confirm import confirm
from vpbx.console.look import HEADERS, Entry, Look
from vpbx.console.page import Door, Page
from vpbx.console.services import ConsoleServices
from vpbx.console.shares import Crowded, Held
from vpbx.console.visit import Visit
from vpbx.directory import Invalid, NotFound, is_unavailable

__all__ = ["create_console", "with_console"]

log = structlog.get_logger("vpbx.console")

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

_BOUNDARY = re.compile(rb"[\w'()+,./:=? -]{1,70}")
"""RFC 2046 §5.1.1."""


class _TooBig(Exception):
    pass


def create_console(services: ConsoleServices, pages: Sequence[Page]) -> ASGIApp:
    """Return the application of all pages."""
    look = Look([Entry(p.path, p.label, p.icon, p.area) for p in pages if p.label])
    routes = [Route("/assets/{version}/{name:path}", look.assets.answer)]
    for page in pages:
        methods = [name for name, at in (("GET", page.get), ("POST", page.post)) if at]
        routes.append(Route(page.path, _endpoint(page, services, look), methods=methods))
    return Gate(Router(routes, redirect_slashes=False), services.trusted_proxies)


def with_console(app: ASGIApp, console: ASGIApp, pages: Sequence[Page]) -> ASGIApp:
    """Give the console what lies under the first words of its pages' paths, `app` the rest."""
    own = {"assets", *(page.path.split("/")[1] for page in pages)}

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        is_ours = scope["type"] == "http" and scope["path"].lstrip("/").split("/")[0] in own
        await (console if is_ours else app)(scope, receive, send)

    return handle


def _endpoint(page: Page, services: ConsoleServices, look: Look) -> Callable[[Request], object]:
    async def answer(request: Request) -> Response:
        found = await _answer(page, request, services, look)
        framed = "Content-Security-Policy" in found.headers  # which says by whom
        for name, value in HEADERS.items():
            if framed and name == "X-Frame-Options":
                continue
            found.headers.setdefault(name, value)
        if request.scope[SECURE]:  # over plain HTTP browsers only complain about it
            found.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        found.headers.setdefault("Cache-Control", "no-store")
        return found

    return answer


async def _answer(page: Page, request: Request, services: ConsoleServices, look: Look) -> Response:
    visit: Visit | None = None
    try:
        visit = await admit(page, request, services, look)
        return await _use(page, visit)
    except Turned as turned:
        return turned.answer
    except ClientDisconnect:
        return Response(status_code=400)
    except Exception as error:
        if visit is None or (is_unavailable(error) and not is_full(error)):
            raise  # the gate knows what to say
        return _explain(visit, error)


async def _use(page: Page, visit: Visit) -> Response:
    handler = page.get
    if visit.request.method == "POST":
        handler = page.post
        await _read_form(visit, page.max_body)
        if page.door is not Door.OPEN:
            check_form(visit)
        if page.weighty:
            await confirm(page, visit)
    assert handler is not None
    if visit.session is None:
        return await handler(visit)
    who = Actor(str(visit.session.account), "console", visit.source)
    if page.share is None:
        with acting(who):
            return await handler(visit)
    release = visit.services.shares.take(page.share, visit.session.account.id)
    try:
        with acting(who):
            return Held(await handler(visit), release)
    except BaseException:
        release()
        raise


async def _read_form(visit: Visit, at_most: int) -> None:
    """Read the form, and no more of it than the page takes."""
    request, read = visit.request, 0

    async def counted() -> Message:
        nonlocal read
        message = await request.receive()
        read += len(message.get("body", b""))
        if read > at_most:
            raise _TooBig
        return message

    if int(request.headers.get("content-length") or 0) > at_most:
        raise _TooBig
    bounded = Request(_in_utf8(request.scope), counted)
    visit.form = await bounded.form(max_files=1, max_fields=2000, max_part_size=at_most)


def _in_utf8(scope: Scope) -> Scope:
    """Return the scope without a charset of the form's: pages are UTF-8, so are their forms.

    There are charsets whose decoding takes a minute (`known_charset`).
    """
    headers = []
    for name, value in scope["headers"]:
        if name == b"content-type":
            kind, options = parse_options_header(value)
            boundary = options.get(b"boundary", b"")
            if kind == b"multipart/form-data" and not _BOUNDARY.fullmatch(boundary):
                raise MultiPartException("No boundary.")
            value = kind + (b'; boundary="' + boundary + b'"' if boundary else b"")
        headers.append((name, value))
    return {**scope, "headers": headers}


def _explain(visit: Visit, error: Exception) -> Response:
    """Return the page that says what went wrong."""
    if isinstance(error, _TooBig):
        return _fault(visit, 413, "Too big", "This is more than can be taken at once.")
    if isinstance(error, MultiPartException):
        return _fault(visit, 400, "Not understood", "The form came broken. Try again.")
    if isinstance(error, NotFound):
        return _fault(visit, 404, "Not here", "It is gone, or never was.")
    if isinstance(error, TooMany):
        answer = _fault(visit, 429, "Too many tries", "Wait a few minutes, then try again.")
        answer.headers["Retry-After"] = str(error.wait_s)
        return answer
    if isinstance(error, Crowded):
        text = "You have as many of these open as can be. Close one, or wait until one is done."
        answer = _fault(visit, 429, "One moment", text)
        answer.headers["Retry-After"] = str(error.wait_s)
        return answer
    if isinstance(error, Busy):
        return _fault(visit, 503, "One moment", "Many log in right now. Try again in a moment.")
    if isinstance(error, Invalid | Refused):
        return _fault(visit, 400, "Not done", visit.texts.error(_message(error)))
    if is_full(error):
        log.error("no room on the disk", path=visit.request.url.path, error=str(error))
        text = (
            "The server's disk is full. Nothing was changed; who looks after it has to make room."
        )
        return _fault(visit, 507, "No room", text)
    number = secrets.token_hex(8)
    log.error(
        "a page of the console failed",
        request_id=number,
        path=visit.request.url.path,
        exc_info=error,
    )
    text = visit.texts("Something broke. It is logged as {number}.", number=number)
    return _fault(visit, 500, "Our fault", text)


def is_full(error: Exception) -> bool:
    """Say whether an error means that a disk has no room, here or where a sound is converted."""
    code = error.errno if isinstance(error, OSError) else None
    return code in _NO_ROOM or any(os.strerror(each) in str(error) for each in _NO_ROOM)


def _message(error: Invalid | Refused) -> str:
    return error.message if isinstance(error, Refused) else error.errors[0].message


def _fault(visit: Visit, status: int, title: str, text: str) -> Response:
    return visit.page("error.html", status=status, title=title, text=text)
