"""The application: sections, routes, refusals and the gate, put together."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

import vpbx
from vpbx.api import branch_link, cors, docs, older, openapi, records
from vpbx.api.answer import answer, to_json
from vpbx.api.asyncapi import asyncapi_document
from vpbx.api.auth import Door
from vpbx.api.errors import METHOD_NOT_ALLOWED, ApiError, not_found, refuse
from vpbx.api.gate import Gate, asked_base, asked_domain
from vpbx.api.outgoing import WEBHOOKS
from vpbx.api.routing import Switch, route_to
from vpbx.api.sections import SECTIONS
from vpbx.api.services import PREFIX, ApiServices
from vpbx.history import FAX_PATH, LINK_PATH

__all__ = ["create_app", "create_commands_document", "create_document"]


def create_app(services: ApiServices) -> FastAPI:
    """Return the ASGI application of the whole API.

    The server must leave X-Forwarded-* alone (uvicorn: `proxy_headers=False`): whom to believe
    is settled here, by `ApiConfig.trusted_proxies`.
    """
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    door = Door(services.directory, services.clock, services.config.wrong_keys_per_minute)
    routes = [
        route_to(PREFIX + operation.path, operation.method, operation.endpoint(services, door))
        for section in SECTIONS
        for operation in section.operations
    ]
    recordings = records.RecordEndpoint(services)
    for path in (LINK_PATH, FAX_PATH):
        routes += [route_to(path, method, recordings) for method in ("GET", "HEAD")]
    older_version = older.OlderVersion(services, door)
    routes += [route_to(older.PATH, method, older_version) for method in ("GET", "POST")]
    if services.branches is not None:
        routes += branch_link.routes(services.branches.answering)
    switch = Switch(routes)
    app.router.routes.append(switch)
    _add_document(app, services)
    app.add_exception_handler(HTTPException, _refuse_http(services, switch))
    app.add_middleware(Gate, trusted_proxies=services.config.trusted_proxies)
    return app


@cache
def create_document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    return openapi.document(SECTIONS, vpbx.__version__)


@cache
def create_commands_document() -> dict[str, Any]:
    """Return the AsyncAPI document of the commands to the CRM."""
    return asyncapi_document(WEBHOOKS, vpbx.__version__)


def _add_document(app: FastAPI, services: ApiServices) -> None:
    """Serve the documents and their page, without a key; OpenAPI's server is the one asked."""

    async def show_document(request: Request) -> Response:
        return answer(_document_of(asked_base(request.scope, services.config.https_port)))

    async def show_commands(_request: Request) -> Response:
        return answer(to_json(create_commands_document()))

    async def show_page(_request: Request) -> Response:
        return docs.page(create_document())

    app.openapi = create_document  # type: ignore[method-assign]
    app.router.add_route(f"{PREFIX}/openapi.json", show_document, methods=["GET"])
    app.router.add_route(f"{PREFIX}/asyncapi.json", show_commands, methods=["GET"])
    app.router.add_route(f"{PREFIX}/docs", show_page, methods=["GET"])


def _document_of(base: str) -> bytes:
    """Return the document as JSON, for a server whose address is `base` ("": not known)."""
    servers = [{"url": base}] if base else create_document()["servers"]
    return to_json(servers).join(_encoded_document())


@cache
def _encoded_document() -> list[bytes]:
    """Return what stands before and after the list of servers."""
    mark = "the servers"
    return to_json({**create_document(), "servers": mark}).split(to_json(mark), 1)


def _refuse_http(services: ApiServices, switch: Switch) -> Any:
    """Return the handler of what the router itself refuses: unknown path, wrong method."""

    async def handle(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            return refuse(not_found())
        if error.status_code != 405:
            return refuse(ApiError(error.status_code, error.detail, headers=error.headers))
        methods = ", ".join(switch.methods(request.scope)) or "GET"
        if request.method == "OPTIONS":
            answered = await _preflight(services, request, methods)
            if answered is not None:
                return answered
        return refuse(ApiError(405, METHOD_NOT_ALLOWED, headers={"Allow": methods}))

    return handle


async def _preflight(services: ApiServices, request: Request, methods: str) -> Response | None:
    """Answer a browser's preflight for an origin that is allowed; it bears no key.

    So the host must name the company, unless there is only one on this server.
    """
    origin = request.headers.get("origin", "")
    if not origin or "access-control-request-method" not in request.headers:
        return None
    directory = services.directory
    names = directory.domain_names()
    name = asked_domain(request.scope)
    if name is None and len(names) == 1:
        name = names[0]
    domain = await directory.domain(name) if name is not None else None
    if domain is None or not cors.is_allowed(origin, domain):
        return None
    return Response(status_code=204, headers=cors.preflight_headers(origin, methods))
