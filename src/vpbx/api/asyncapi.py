"""The commands to the CRM as an AsyncAPI document: the same as OpenAPI's `webhooks`, for the
tools that make receivers, pages and tests from it (AsyncAPI 3.0.0, HTTP binding 0.3.0)."""

from __future__ import annotations

from typing import Any

__all__ = ["asyncapi_document"]

_FORM = "application/x-www-form-urlencoded"
_DESCRIPTION = """\
What the PBX tells a CRM: each command is one POST to the address that the company has set, with
its token in it. Any 2xx is success; all else is tried again for 24 hours, so a command may come
twice: `X-VPBX-Delivery` is the same each time. Commands of one call come in order, those of
different calls do not wait for each other. Sent as a form, or as JSON, as the company has set;
unless it has, the other is tried once where one is refused by 400, 415 or 422."""


def asyncapi_document(webhooks: dict[str, Any], version: str) -> dict[str, Any]:
    """Return the document of what `webhooks` (of the OpenAPI document) says."""
    posts = {name: item["post"] for name, item in webhooks.items()}
    answers = {name: post for name, post in posts.items() if _answer(post)}
    messages = {name: _message(name, post) for name, post in posts.items()}
    messages |= {f"{name}Answer": _answer_message(name, post) for name, post in answers.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "VPBX commands to a CRM",
            "version": version,
            "description": _DESCRIPTION,
        },
        "defaultContentType": _FORM,
        "servers": {
            "crm": {
                "host": "crm.example",
                "pathname": "/vpbx",
                "protocol": "https",
                "description": "The CRM's address, as set by `vpbx crm set --url`.",
            }
        },
        "channels": {
            "commands": {
                "address": "/",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {name: _operation(name, post) for name, post in posts.items()},
        "components": {"messages": messages},
    }


def _operation(name: str, post: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "action": "send",
        "channel": {"$ref": "#/channels/commands"},
        "title": post["summary"],
        "description": post["description"],
        "messages": [{"$ref": f"#/channels/commands/messages/{name}"}],
        "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
    }
    if _answer(post):
        made["reply"] = {
            "channel": {"$ref": "#/channels/commands"},
            "messages": [{"$ref": f"#/channels/commands/messages/{name}Answer"}],
        }
    return made


def _message(name: str, post: dict[str, Any]) -> dict[str, Any]:
    contents = post["requestBody"]["content"]
    kind, media = next(iter(contents.items()))  # a form, where it may be one
    headers = {
        header["name"]: {"description": header["description"], **header["schema"]}
        for header in post["parameters"]
    }
    return {
        "name": name,
        "title": post["summary"],
        "contentType": kind,
        "headers": {"type": "object", "properties": headers},
        "payload": media["schema"],
        "examples": [{"name": name, "payload": media["example"]}],
    }


def _answer(post: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = post["responses"]["2XX"].get("content", {})
    return found


def _answer_message(name: str, post: dict[str, Any]) -> dict[str, Any]:
    kind, media = next(iter(_answer(post).items()))
    return {
        "name": f"{name}Answer",
        "title": "What the CRM knows; `{}` is nothing",
        "contentType": kind,
        "payload": media["schema"],
        "examples": [{"name": name, "payload": media["example"]}],
    }
