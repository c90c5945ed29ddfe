"""Handlers that have the directory do one thing, and answer what came of it or 204.

section.delete("/caller-ids/users/{user}", right=DELETING, summary="…")(
    done(lambda directory: directory.caller_ids.delete_user, "Delete …", path=("user",))
)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from starlette.responses import Response

from vpbx.api.answer import no_content
from vpbx.api.operation import Call, Handler
from vpbx.directory import Directory

__all__ = ["Act", "done", "sent"]

Act: TypeAlias = Callable[[Directory], Callable[..., Awaitable[Any]]]
"""Which operation of the directory: it is given the company, what the path names, and what was
sent, in this order."""


async def _nothing(_call: Call, _result: Any) -> Response:
    return no_content()


def sent(params: Any) -> Any:
    """Take what was sent, and only that; of each item where it is a list of models."""
    if isinstance(params, list):
        return [item if isinstance(item, str) else item.sent() for item in params]
    return params.sent()


def done(
    act: Act,
    doc: str,
    *,
    path: tuple[str, ...] = (),
    take: Callable[[Any], Any] = sent,
    show: Callable[[Call, Any], Awaitable[Response]] = _nothing,
) -> Handler:
    """Return the handler that has `act` done, and is documented by `doc`.

    `path`: which variable parts of the path it is given; `take`: what of the parameters, where
    there are some; `show`: what is answered of its result.
    """

    async def handler(call: Call, *params: Any) -> Response:
        given = (*(call.path[name] for name in path), *map(take, params))
        return await show(call, await act(call.services.directory)(call.domain, *given))

    handler.__doc__ = doc
    return handler
