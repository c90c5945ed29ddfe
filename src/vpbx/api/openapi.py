"""The OpenAPI document, made from the operations: every parameter, body, answer and error."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.responses import JSONResponse, Response

from vpbx.api import records
from vpbx.api.models import Error
from vpbx.api.operation import Operation, Section
from vpbx.api.outgoing import WEBHOOKS
from vpbx.api.services import PREFIX
from vpbx.history import LINK_PATH

__all__ = ["DESCRIPTION", "document"]

_ANY_SERVER = {
    "url": "https://{domain}",
    "description": "The company's domain on this server; its name says which company is meant.",
    "variables": {"domain": {"default": "acme.vpbx.example"}},
}
_NULL = {"type": "null"}
_REF = "#/components/schemas/{model}"
_MENU = _REF.format(model="IvrSetting")
_JSON = "application/json"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_REASONS = {
    400: ("Validation error", "Wrong parameters; `errors` names each field."),
    401: ("Invalid token", "`Invalid token`, `CRM disabled` or `CRM switched off`."),
    403: ("Don't have permission to access", "The key lacks the right, or HTTPS was not used."),
    404: ("Not found", "No such object."),
    413: ("Request body is too large", "The body is too large."),
    429: ("Too many wrong keys", "Too many wrong keys or calls for now; see Retry-After."),
    500: ("Internal error", "A fault of the server; X-Request-Id names it in its log."),
}
_PATH_WORDS = {
    "login": ("Login or internal number of an employee.", "admin"),
    "user": ("Login or internal number of an employee.", "admin"),
    "telnum": ("A number, with any punctuation.", "79001112233"),
    "domain": ("Domain of the connected PBX.", "example1.com"),
    "groups/id": ("A department's id.", "sales"),
    "regions/id": ("A region's id, from GET /caller-ids/regions.", "43"),
    "interval-schedule/id": (
        "Id of the extra interval, from the number.",
        "65dc1cf4-33d4-4ec4-a7ac-c5c37fd5ffd8",
    ),
    "calendar-schedule/id": (
        "Id of the special day, from the number.",
        "d9c3b8c7-5f3b-4f3e-8c5e-0a52a4a7c0d1",
    ),
    "callid": ("A call in progress, from GET /calls or a command.", "201594855300017"),
    "uid": ("A call that is over, as history has it.", "1755936870"),
    "webhook/id": ("Id of the subscription.", "898254be-e2cd-4e8a-90d1-1615a42eb2dd"),
    "events/id": ("Id of the command, from GET /events.", "7394857643219841024"),
    "music/type": ("Which music.", "holdmusic"),
    "media-catalog/type": ("What the files are for.", "greeting"),
}
_PATH_TYPES = {
    "music": ("ringback", "holdmusic"),
    "media-catalog": ("greeting", "music", "ivr", "ringback", "holdmusic"),
}
DESCRIPTION = """\
The API between a CRM and the virtual PBX.

Every request bears its key in the `X-API-KEY` header and is about the company the key belongs
to. Success is 200 with JSON or 204 with nothing. Bodies may be JSON,
`application/x-www-form-urlencoded` or `multipart/form-data` (parts of an object as
`timeout[time]=30`), in UTF-8 or the charset they name. Parameters of GET and DELETE stand in the
query; where the query lacks one, a JSON body is read too. Those of POST and PUT stand in the
body; where the body lacks one, the query is read too. Lists repeat (`telnum=1&telnum=2`); where
a list is meant, a single item will do. Unknown parameters are ignored, `null`
counts as not sent. Booleans may be `true`, `false`, `1` or `0`; numbers may be digit strings.
Phone numbers are answered as digits only and accepted with any punctuation. Times are UTC.
A `{login}` is a username or an internal number. Other methods than those listed answer 405 with
an `Allow` header."""


def document(sections: Sequence[Section], version: str) -> dict[str, Any]:
    """Return the whole document."""
    routes = [_route(operation) for section in sections for operation in section.operations]
    routes.append(APIRoute(LINK_PATH, _nothing, methods=["GET"], **records.DESCRIPTION))
    made = get_openapi(
        title="VPBX CRM API",
        version=version,
        description=DESCRIPTION,
        routes=routes,
        tags=[{"name": s.title, "description": s.description} for s in sections],
    )
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for section in sections:
        for operation in section.operations:
            if operation.body is not None:
                schema = _schema(operation.body)
                schemas.update(schema.pop("$defs", {}))
                if not operation.takes_list:
                    schemas[operation.body.__name__] = schema
    components["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "X-API-KEY"}}
    made["security"] = [{"key": []}]
    made["webhooks"] = WEBHOOKS
    made["servers"] = [_ANY_SERVER]
    return made


async def _nothing() -> None:
    """Stand in as the endpoint of a route that is only there to be documented."""


def _route(operation: Operation) -> APIRoute:
    """Return the operation as FastAPI's document maker wants it."""
    return APIRoute(
        PREFIX + operation.path,
        _nothing,
        methods=[operation.method],
        summary=operation.summary,
        description=operation.description,
        tags=[operation.section.title],
        operation_id=f"{operation.method.lower()}_{_words(operation.path)}",
        status_code=204 if operation.answer is None else 200,
        response_class=JSONResponse if operation.media_type == _JSON else Response,
        responses=_responses(operation),
        openapi_extra=_extra(operation),
    )


def _words(path: str) -> str:
    return "_".join(part.strip("{}").replace("-", "_") for part in path.strip("/").split("/"))


def _schema(model: Any) -> dict[str, Any]:
    """Return the schema of a request model: what need not be sent may be null, and where a
    list is meant a single item will do."""
    schema = TypeAdapter(model).json_schema(ref_template=_REF)
    if schema.get("type") == "array":
        schema = {"$defs": schema.pop("$defs", {}), **_or_one(schema)}
    for part in (schema, *schema.get("$defs", {}).values()):
        needed = part.get("required", ())
        fields = part.get("properties", {})
        fields.update({n: _or_one(field) for n, field in fields.items()})
        fields.update({n: _or_null(field) for n, field in fields.items() if n not in needed})
    return schema


def _or_one(field: dict[str, Any]) -> dict[str, Any]:
    """Return what a field may be: a list or one of its items; a menu or the name of one."""
    words, arms = _parted(field)
    more: list[dict[str, Any]] = []
    for arm in arms:
        if arm.get("type") == "array" and "items" in arm:
            more.append(arm["items"])
        elif arm.get("$ref") == _MENU:
            more.append({"type": "string"})
    return {**words, "anyOf": [*arms, *more]} if more else field


def _or_null(field: dict[str, Any]) -> dict[str, Any]:
    words, arms = _parted(field)
    if _NULL not in arms:
        arms = [*arms, _NULL]
    return {**words, "anyOf": arms}


def _parted(field: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what is said about a field, and the types it may have.

    An empty default only means that the field need not be sent.
    """
    words = {k: v for k, v in field.items() if k in ("title", "description", "default")}
    rest = {k: v for k, v in field.items() if k not in words}
    if words.get("default") in ("", None):
        words.pop("default", None)
    return words, rest["anyOf"] if rest.keys() == {"anyOf"} else [rest]


def _responses(operation: Operation) -> dict[int | str, dict[str, Any]]:
    statuses = [401, 429, 500]
    if operation.query or operation.body or operation.method != "GET":
        statuses += [400, 413]
    if operation.right:
        statuses.append(403)
    keeps_log = operation.path.startswith("/events")  # else there is nothing of the kind
    if "{" in operation.path or operation.method == "DELETE" or keeps_log:
        statuses.append(404)
    found: dict[int | str, dict[str, Any]] = {
        status: _refusal(status) for status in sorted(statuses)
    }
    if operation.answer is None:
        found[204] = {"description": "Done."}
    elif operation.media_type == _JSON:
        found[200] = {"description": "Success.", "model": operation.answer}
        if operation.shows is not None:
            found[200]["content"] = {_JSON: {"example": operation.shows}}
    else:
        text = {"schema": {"type": "string"}, "example": operation.shows}
        found[200] = {"description": "Success.", "content": {operation.media_type: text}}
    return found


def _refusal(status: int) -> dict[str, Any]:
    message, when = _REASONS[status]
    example: dict[str, Any] = {"message": message}
    if status == 400:
        example["errors"] = [{"field": "name", "message": "is required"}]
    return {"model": Error, "description": when, "content": {_JSON: {"example": example}}}


def _extra(operation: Operation) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    parameters = [
        _path_parameter(part.strip("{}"), before)
        for before, part in pairwise(operation.path.split("/"))
        if part.startswith("{")
    ]
    if operation.query is not None:
        parameters += _query_parameters(operation.query)
    if parameters:
        extra["parameters"] = parameters
    if operation.body is not None:
        extra["requestBody"] = _request_body(operation)
    return extra


def _path_parameter(name: str, before: str) -> dict[str, Any]:
    """Return a parameter of a path; `before` is the word that stands before it."""
    description, example = _PATH_WORDS[f"{before}/{name}" if name in ("id", "type") else name]
    schema: dict[str, Any] = {"type": "string"}
    if name == "type":
        schema["enum"] = list(_PATH_TYPES[before])
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
        "example": example,
    }


def _query_parameters(model: Any) -> list[dict[str, Any]]:
    schema = _schema(model)
    required = schema.get("required", [])
    found = []
    for name, field in schema["properties"].items():
        parameter = {"name": name, "in": "query", "required": name in required}
        field = _without_null(field)
        if name not in required:
            field = _or_empty(field)
        if "description" in field:
            parameter["description"] = field.pop("description")
        field.pop("title", None)
        found.append({**parameter, "schema": field})
    return found


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """A query cannot say null."""
    arms = [arm for arm in field.get("anyOf", ()) if arm.get("type") != "null"]
    rest = {k: v for k, v in field.items() if k != "anyOf" and (k != "default" or v is not None)}
    if not arms:
        return rest
    return {**arms[0], **rest} if len(arms) == 1 else {**rest, "anyOf": arms}


def _or_empty(field: dict[str, Any]) -> dict[str, Any]:
    """Say that a parameter that need not be sent may be sent empty: as good as not sent."""
    words, arms = _parted(field)
    return {**words, "anyOf": [*arms, {"const": ""}]}


def _request_body(operation: Operation) -> dict[str, Any]:
    schema = _schema(operation.body)
    schema.pop("$defs", None)
    is_list = operation.takes_list
    content_schema = schema if is_list else {"$ref": _REF.format(model=operation.body.__name__)}
    content: dict[str, Any] = {"schema": content_schema}
    if operation.example is not None:
        content["example"] = operation.example
    kinds = (_JSON,) if is_list or _is_nested(schema) else (_JSON, *_FORMS)
    return {
        "required": bool(is_list or schema.get("required")),
        "content": dict.fromkeys(kinds, content),
    }


def _is_nested(schema: dict[str, Any]) -> bool:
    """Tell whether an object has parts that a form cannot carry."""
    return any(
        "$ref" in str(field) or "array" in str(field)
        for field in schema.get("properties", {}).values()
    )
