"""One endpoint: what it takes, what it answers, which right it needs, and how it runs.

A section of the API is a `Section`; its `get`, `post`, `put` and `delete` turn a coroutine
`handler(call)` or `handler(call, params)` into an `Operation`. `query` and `body` models say
where parameters belong; `parameters` looks for them in the other place too.

FastAPI routes to an operation and documents it; the request itself is read, checked and
answered here, because no declared FastAPI parameter can be "a query or a JSON body or a form".
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, get_origin

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vpbx.acting import Actor, acting
from vpbx.api import cors
from vpbx.api.auth import Door, Right
from vpbx.api.body import read_body
from vpbx.api.errors import ApiError, not_found, refuse, refuse_fields
from vpbx.api.gate import CLIENT, asked_domain
from vpbx.api.parameters import Parameters
from vpbx.api.services import ApiServices
from vpbx.directory import AuthFailure, DomainConfig, Invalid, KeyIdentity, NotFound, composed

__all__ = ["Call", "Handler", "Operation", "Section"]

Handler = Callable[..., Awaitable[Response]]


@dataclass(slots=True)
class Call:
    """A request that has been let in."""

    services: ApiServices
    request: Request
    identity: KeyIdentity
    path: dict[str, str]

    @property
    def domain(self) -> DomainConfig:
        """The company that asks; every operation is about its own things only."""
        return self.identity.domain

    async def is_still_let_in(self, right: Right) -> bool:
        """Say whether the request would be let in now; for answers that go on for long."""
        scope = self.request.scope
        key = self.request.headers.get("x-api-key", "").strip()
        source: str = scope[CLIENT]
        try:
            identity = await self.services.directory.authenticate_key(
                key, asked_domain(scope), source or None
            )
        except AuthFailure:
            return False
        return identity.key_id == self.identity.key_id and identity.allows(*right)


@dataclass(frozen=True, slots=True)
class Operation:
    """An endpoint, as routing and documentation need it."""

    method: str
    path: str
    handler: Handler
    section: Section
    summary: str
    right: Right | None = None
    query: Any = None
    body: Any = None
    item: str = ""
    """What an item is called where the body is a list of texts and came under a name."""
    answer: Any = None
    """Model of the 200 body; None answers 204."""
    example: Any = None
    """An example body."""
    shows: Any = None
    """An example answer."""
    media_type: str = "application/json"

    @property
    def takes_list(self) -> bool:
        """Whether the body is a list."""
        return get_origin(self.body) is list

    @property
    def description(self) -> str:
        text = inspect.cleandoc(self.handler.__doc__ or "")
        if self.right is not None:
            text += f"\n\nAccess right: {self.right[0]} -> {self.right[1]}."
        return text

    def endpoint(self, services: ApiServices, door: Door) -> _Endpoint:
        """Return the ASGI application that answers this operation."""
        return _Endpoint(self, services, door)


class Section:
    """A chapter of the API: its title and its operations, in the order they are shown."""

    def __init__(self, title: str, description: str = "") -> None:
        self.title = title
        self.description = description
        self.operations: list[Operation] = []

    def get(self, path: str, **what: Any) -> Callable[[Handler], Handler]:
        """Add a GET; keywords are fields of `Operation`."""
        return self._add("GET", path, what)

    def post(self, path: str, **what: Any) -> Callable[[Handler], Handler]:
        """Add a POST; keywords are fields of `Operation`."""
        return self._add("POST", path, what)

    def put(self, path: str, **what: Any) -> Callable[[Handler], Handler]:
        """Add a PUT; keywords are fields of `Operation`."""
        return self._add("PUT", path, what)

    def delete(self, path: str, **what: Any) -> Callable[[Handler], Handler]:
        """Add a DELETE; keywords are fields of `Operation`."""
        return self._add("DELETE", path, what)

    def _add(self, method: str, path: str, what: dict[str, Any]) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            self.operations.append(Operation(method, path, handler, self, **what))
            return handler

        return register


class _Endpoint:
    """Runs one operation."""

    def __init__(self, operation: Operation, services: ApiServices, door: Door) -> None:
        self._operation = operation
        self._services = services
        self._door = door
        self._max_body = services.config.max_body_bytes
        model = operation.query or operation.body
        self._parameters: Parameters | None = None
        if model is not None:
            query_first = operation.method in ("GET", "DELETE")
            self._parameters = Parameters(model, query_first=query_first, item=operation.item)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        domain: DomainConfig | None = None
        try:
            identity = await self._door.admit(request, self._operation.right)
            domain = identity.domain
            call = Call(self._services, request, identity, _path(scope))
            with acting(Actor(f"API key {identity.key_id}", "api", scope[CLIENT])):
                response = await self._answer(call)
        except ApiError as error:
            response = refuse(error)
        except Invalid as error:
            response = refuse(refuse_fields(*error.errors))
        except NotFound:
            response = refuse(not_found())
        if domain is not None:
            cors.allow(request, response, domain)
        await response(scope, receive, send)

    async def _answer(self, call: Call) -> Response:
        if self._parameters is None:
            return await self._operation.handler(call)
        payload = await read_body(call.request, self._max_body)
        params = self._parameters.read(call.request.scope["query_string"], payload)
        return await self._operation.handler(call, params)


def _path(scope: Scope) -> dict[str, str]:
    """Return the variable parts of the path, composed as the texts they are compared with."""
    parameters: dict[str, str] = scope["path_params"]
    if any("\x00" in value for value in parameters.values()):
        raise not_found()
    return {name: composed(value) for name, value in parameters.items()}
