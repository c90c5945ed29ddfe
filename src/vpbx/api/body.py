"""Reading what a request carries: query and body, in every encoding of crm-api D5 and D6.

Nothing here knows what the values mean; the result is plain lists, dicts and texts for the
request models of the sections.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from vpbx.api.errors import ApiError, refuse_fields
from vpbx.directory import FieldError

__all__ = ["Payload", "query_values", "read_body"]

MAX_FIELDS = 1000
BODY_TIMEOUT_S = 30.0
_INDEX = re.compile(r"\[[0-9]*\]\Z")
_FORM_START = re.compile(rb"[A-Za-z_][\w.%\[\]-]*=")
TOO_LARGE = "Request body is too large"


@dataclass(frozen=True, slots=True)
class Payload:
    """A body: `value` is a dict or list (of JSON), or a dict of texts when `is_form`."""

    value: Any
    is_form: bool = False


_EMPTY = Payload({})


async def read_body(request: Request, max_bytes: int) -> Payload:
    """Read and decode the body; an empty one is `{}`.

    The content type is believed unless the bytes say otherwise: clients forget it, or send
    JSON under the form type that curl puts in by itself.
    Raises ApiError: 400 for what cannot be read, 408 when it does not arrive, 413 too big.
    """
    headers = request.headers
    if "content-length" not in headers and "transfer-encoding" not in headers:
        return _EMPTY
    raw = await _read(request, max_bytes)
    text = raw.strip()
    if not text:
        return _EMPTY
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return Payload(await _multipart(headers, raw), is_form=True)
    looks_like_json = text[:1] in (b"{", b"[")
    if looks_like_json or kind.endswith("json") or not _FORM_START.match(text):
        try:
            return Payload(_json(text))
        except ApiError:
            if looks_like_json or not _FORM_START.match(text):
                raise
    return Payload(_grouped(_pairs(text.decode("utf-8", "replace"))), is_form=True)


def query_values(query_string: bytes) -> dict[str, list[str]]:
    """Return each parameter of a query with all its values; `name[]` and `name[0]` is `name`."""
    if not query_string:
        return {}
    values: dict[str, list[str]] = {}
    for name, value in _pairs(query_string.decode("utf-8", "replace")):
        values.setdefault(_INDEX.sub("", name), []).append(value)
    return values


async def _read(request: Request, max_bytes: int) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > max_bytes:
        raise ApiError(413, TOO_LARGE, headers={"Connection": "close"})
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > max_bytes:
                    raise ApiError(413, TOO_LARGE, headers={"Connection": "close"})
                chunks.append(chunk)
    except TimeoutError:
        raise ApiError(
            408, "Request body did not arrive", headers={"Connection": "close"}
        ) from None
    except ClientDisconnect:
        raise ApiError(400, "Client went away") from None
    return b"".join(chunks)


def _json(text: bytes) -> Any:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _unreadable("is not valid JSON") from None
    if not isinstance(value, dict | list):
        raise _unreadable("must be a JSON object or array")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise _unreadable(f"has more than {MAX_FIELDS} fields") from None


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Return a form as a dict; `name[]` and `name[0]` make a list, else the last one counts."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        plain = _INDEX.sub("", name)
        if plain == name:
            fields[name] = value
        else:
            items = fields.setdefault(plain, [])
            if isinstance(items, list):
                items.append(value)
    return fields


async def _multipart(headers: Headers, raw: bytes) -> dict[str, Any]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield raw

    try:
        form = await MultiPartParser(
            headers, stream(), max_files=10, max_fields=MAX_FIELDS, max_part_size=len(raw)
        ).parse()
    except (MultiPartException, KeyError, UnicodeDecodeError):
        raise _unreadable("is not valid multipart/form-data") from None
    try:
        pairs = [(k, v) for k, v in form.multi_items() if not isinstance(v, UploadFile)]
    finally:
        await form.close()
    return _grouped(pairs)


def _unreadable(message: str) -> ApiError:
    return refuse_fields(FieldError("body", message))
