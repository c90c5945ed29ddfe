"""Answers of success: 200 with JSON, or 204 with nothing; never 201, which clients do not know."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

__all__ = ["answer", "no_content", "to_json"]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def to_json(value: Any) -> bytes:
    """Return `value` as JSON in UTF-8."""
    return _encode(value).encode()


def answer(value: Any) -> Response:
    """Return 200 with `value` as JSON; bytes are taken as JSON made before."""
    body = value if isinstance(value, bytes) else to_json(value)
    return Response(body, media_type="application/json")


def no_content() -> Response:
    """Return 204."""
    return Response(status_code=204)
