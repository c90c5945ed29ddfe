"""From a path to its operation: one dictionary look-up, then the few routes of one section.

FastAPI tries all its routes one after the other, and there are about a hundred.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from vpbx.api.services import PREFIX

__all__ = ["Switch", "route_to"]


def route_to(path: str, method: str, app: ASGIApp) -> Route:
    """Return the route of one method of one path; HEAD is not thrown in."""
    route = Route(path, app, methods=[method])
    route.methods = {method}
    return route


class Switch(BaseRoute):
    """All routes of the API as one."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_word: defaultdict[str, list[Route]] = defaultdict(list)
        for route in routes:
            self._by_word[_word(route.path)].append(route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return the match of the first route that answers, else of one with another method."""
        best: tuple[Match, Scope] = (Match.NONE, {})
        for route in self._by_word.get(_word(scope["path"]), ()):
            match, child_scope = route.matches(scope)
            child_scope["route"] = route
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
