"""Reading what a request carries: query and body, in every encoding clients use.

Bodies are JSON, `application/x-www-form-urlencoded` or `multipart/form-data`, in UTF-8 or the
charset they name. Nothing here knows what the values mean; the result is plain lists, dicts
and texts for the request models of the sections.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.requests import ClientDisconnect, Request

from vpbx.api.charset import NotText, charset_of, decode
from vpbx.api.errors import ApiError, refuse_fields
from vpbx.api.multipart import Broken, read_multipart
from vpbx.directory import FieldError

__all__ = ["Payload", "query_pairs", "query_values", "read_body", "read_form"]

MAX_FIELDS = 1000
MAX_DEPTH = 6
_MAX_NESTED = 20_000
"""Lists and objects in JSON; a megabyte of nothing else takes a tenth of a second to read."""
BODY_TIMEOUT_S = 30.0
_INDEX = re.compile(r"\[[0-9]*\]\Z")
_KEY = re.compile(r"([^\[\]]*)((?:\[[^\[\]]*\])*)\Z")
_FORM_START = re.compile(rb"[A-Za-z0-9_][\w.%\[\]-]*=")
TOO_LARGE = "Request body is too large"


@dataclass(frozen=True, slots=True)
class Payload:
    """A body: `value` is a dict or list (of JSON), or a dict of texts when `is_form`."""

    value: Any
    is_form: bool = False
    repeated: dict[str, list[str]] = field(default_factory=dict)
    """Of a form: all values of the names that stand there more than once."""


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
    if not raw.strip():
        return _EMPTY
    packed = headers.get("content-encoding", "identity").strip().lower()
    if packed not in ("", "identity"):
        raise _unreadable(f"must not be compressed (Content-Encoding: {packed[:20]})")
    try:
        return _decoded(headers.get("content-type", ""), raw)
    except NotText as error:
        raise _unreadable(str(error)) from None


def _decoded(content_type: str, raw: bytes) -> Payload:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        try:
            return read_form(read_multipart(content_type, raw, MAX_FIELDS))
        except Broken:
            raise _unreadable("is not valid multipart/form-data") from None
    charset = charset_of(content_type)
    text = raw.strip()
    looks_like_json = _begins_json(raw)
    is_form = _FORM_START.match(text) is not None
    if looks_like_json or kind.endswith("json") or not is_form:
        try:
            return Payload(_json(raw, charset))
        except ApiError:
            if looks_like_json or not is_form:
                raise
    return read_form(_pairs(text, charset))


def query_pairs(query_string: bytes) -> list[tuple[str, str]]:
    """Return names and values of a query, which is UTF-8; ApiError 400 when it is not."""
    try:
        return _pairs(query_string, "utf-8", "query")
    except NotText:
        raise refuse_fields(FieldError("query", "is not text in UTF-8")) from None


def query_values(query_string: bytes) -> dict[str, list[str]]:
    """Return each parameter of a query with all its values; `name[]` and `name[0]` is `name`."""
    values: dict[str, list[str]] = {}
    for name, value in query_pairs(query_string) if query_string else ():
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
        raise _unreadable("did not arrive whole") from None
    return b"".join(chunks)


def _begins_json(raw: bytes) -> bool:
    """Say whether the first character is that of an object or array, in any UTF."""
    start = raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:4]
    return start.removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").strip(b"\x00")[:1] in (
        b"{",
        b"[",
    )


def _json(raw: bytes, charset: str) -> Any:
    # JSON tells UTF-8, UTF-16 and UTF-32 by itself (RFC 4627 §3).
    found = json.detect_encoding(raw)
    text = decode(raw, charset if found == "utf-8" else found)
    if text.count("[") + text.count("{") > _MAX_NESTED:  # the loop would stand still for it
        raise _unreadable("holds too many lists and objects")
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _unreadable("is not valid JSON") from None
    if not isinstance(value, dict | list):
        raise _unreadable("must be a JSON object or array")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _pairs(data: bytes, charset: str, what: str = "body") -> list[tuple[str, str]]:
    """Return names and values of a form or query; NotText where they are no text."""
    parts = data.split(b"&", MAX_FIELDS)
    if len(parts) > MAX_FIELDS:
        raise refuse_fields(FieldError(what, f"has more than {MAX_FIELDS} fields"))
    pairs = []
    for part in parts:
        name, _, value = part.partition(b"=")
        if part:
            pairs.append((_unescaped(name, charset), _unescaped(value, charset)))
    return pairs


def _unescaped(data: bytes, charset: str) -> str:
    return decode(unquote_to_bytes(data.replace(b"+", b" ")), charset)


def read_form(pairs: Iterable[tuple[str, str]]) -> Payload:
    """Return a form as a dict, with parts in it as PHP and jQuery write them.

    `name[]` and `name[0]` make a list, `name[key]` a dict; of a plain name the last one counts.
    """
    fields: dict[str, Any] = {}
    repeated: dict[str, list[str]] = {}
    for name, value in pairs:
        if "[" not in name or not (found := _KEY.match(name)) or not found[1]:
            if name in fields and isinstance(fields[name], str):
                repeated.setdefault(name, [fields[name]]).append(value)
            fields[name] = value
            continue
        keys = [found[1], *found[2][1:-1].split("][")]
        if len(keys) > MAX_DEPTH:
            raise _unreadable(f"has fields nested deeper than {MAX_DEPTH}")
        _put(fields, keys, value)
    return Payload({name: _listed(each) for name, each in fields.items()}, True, repeated)


def _put(into: dict[str, Any], keys: list[str], value: str) -> None:
    for key in keys[:-1]:
        inner = into.setdefault(key or str(len(into)), {})
        if not isinstance(inner, dict):
            return  # the name alone and the name with a key: the first counts
        into = inner
    into[keys[-1] or str(len(into))] = value


def _listed(value: Any) -> Any:
    """Return dicts whose keys are numbers as lists."""
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(each) for key, each in value.items()}
    return list(inner.values()) if all(key.isdigit() for key in inner) else inner


def _unreadable(message: str) -> ApiError:
    return refuse_fields(FieldError("body", message))
