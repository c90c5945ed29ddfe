"""Browsers from other origins: off, unless a company's integration names the origin.

An origin that is not named gets the same answer without CORS headers; the browser then keeps
it from the page.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from vpbx.directory import DomainConfig

__all__ = ["allow", "preflight_headers"]

MAX_AGE_S = 600


def is_allowed(origin: str, domain: DomainConfig) -> bool:
    """Tell whether the company's integration names this origin."""
    integration = domain.integration
    return integration is not None and origin.lower() in integration.origins


def allow(request: Request, response: Response, domain: DomainConfig) -> None:
    """Let a page of an allowed origin read `response`."""
    origin = request.headers.get("origin")
    if origin is not None:
        response.headers["Vary"] = "Origin"
        if is_allowed(origin, domain):
            response.headers["Access-Control-Allow-Origin"] = origin


def preflight_headers(origin: str, allowed_methods: str) -> dict[str, str]:
    """Return what lets a browser send the real request."""
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": allowed_methods,
        "Access-Control-Allow-Headers": "X-API-KEY, Content-Type",
        "Access-Control-Max-Age": str(MAX_AGE_S),
        "Vary": "Origin",
    }
