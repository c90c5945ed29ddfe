"""From a path to its operation: one dictionary look-up, then the few routes of one section.

FastAPI tries all its routes one after the other, and there are about a hundred.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from vpbx.api import openapi
from vpbx.api.operation import Operation

__all__ = ["PREFIX", "OperationRoute", "Switch"]

PREFIX = "/crmapi/v1"


class OperationRoute(APIRoute):
    """A route that runs an operation without FastAPI's own reading of the request."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(
            PREFIX + operation.path,
            documented,
            methods=[operation.method],
            **openapi.describe(operation),
        )
        self.operation = operation


async def documented() -> None:
    """Stand in as the endpoint that FastAPI documents; the route's `app` answers."""


class Switch(BaseRoute):
    """All routes of the API as one."""

    def __init__(self, routes: Iterable[APIRoute]) -> None:
        self._by_word: defaultdict[str, list[APIRoute]] = defaultdict(list)
        for route in routes:
            self._by_word[_word(route.path)].append(route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return the match of the first route that answers, else of one with another method."""
        best: tuple[Match, Scope] = (Match.NONE, {})
        for route in self._by_word.get(_word(scope["path"]), ()):
            match, child_scope = route.matches(scope)
            if match is Match.FULL:
                return match, child_scope
            if match is Match.PARTIAL and best[0] is Match.NONE:
                best = (match, child_scope)
        return best

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the route that matched."""
        await scope["route"].handle(scope, receive, send)

    def methods(self, scope: Scope) -> list[str]:
        """Return every method the path knows."""
        found: set[str] = set()
        for route in self._by_word.get(_word(scope["path"]), ()):
            if route.matches(scope)[0] is not Match.NONE:
                found |= route.methods or set()
        return sorted(found)


def _word(path: str) -> str:
    """Return the first part of a path below the prefix."""
    return path[len(PREFIX) + 1 :].partition("/")[0] if path.startswith(PREFIX) else ""
