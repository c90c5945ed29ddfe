"""The browsable page of the API, rendered from the OpenAPI document: no CDN, nothing to load.

Every endpoint can be tried from the page; the key typed in stays in the page.
"""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from typing import Any

from starlette.responses import Response

__all__ = ["page"]

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
h2{margin:2rem 0 .5rem}p{white-space:pre-line}
code,pre,textarea{font:13px/1.5 ui-monospace,monospace}
pre{background:var(--soft);padding:.6rem;overflow:auto;border-radius:.3rem}
details{border:1px solid var(--line);border-radius:.4rem;margin:.3rem 0;padding:.3rem .7rem}
summary{cursor:pointer}summary b{display:inline-block;width:4.2rem}
summary i{opacity:.75;font-style:normal;margin-left:.8rem}
.get{color:#1769aa}.post{color:#2e7d32}.put{color:#b26a00}.delete{color:#c62828}
@media(prefers-color-scheme:dark){.get{color:#7fc4ff}.post{color:#8fd694}.put{color:#ffc266}
.delete{color:#ff8a80}}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;
border-bottom:1px solid var(--line);padding:.2rem .5rem}
input,textarea{width:100%;box-sizing:border-box}label{display:block;margin:.3rem 0}
header label{position:sticky;top:0}nav a{margin-right:.8rem}
"""

_SCRIPT = """
document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target, out = form.querySelector("pre");
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const field of form.querySelectorAll("input")) {
    if (field.dataset.in === "path") {
      path = path.replace("{" + field.name + "}", encodeURIComponent(field.value));
    } else if (field.value) query.append(field.name, field.value);
  }
  const text = String(query), body = form.querySelector("textarea");
  const request = {method: form.dataset.method, headers: {}};
  const key = document.getElementById("key").value;
  if (key) request.headers["X-API-KEY"] = key;
  if (body && body.value.trim()) {
    request.body = body.value;
    request.headers["Content-Type"] = "application/json";
  }
  out.hidden = false;
  try {
    const reply = await fetch(path + (text ? "?" + text : ""), request);
    let shown = await reply.text();
    try { shown = JSON.stringify(JSON.parse(shown), null, 2); } catch { /* not JSON */ }
    out.textContent = reply.status + " " + reply.statusText + "\\n" + shown;
  } catch (error) { out.textContent = String(error); }
});
"""


def page(document: dict[str, Any]) -> Response:
    """Return the page that shows `document`."""
    policy = (
        f"default-src 'none'; style-src '{_hash(_STYLE)}'; script-src '{_hash(_SCRIPT)}'; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    return Response(
        _html(document), media_type="text/html", headers={"Content-Security-Policy": policy}
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _html(document: dict[str, Any]) -> str:
    info = document["info"]
    sections = "".join(_section(document, tag) for tag in document["tags"])
    links = "".join(
        f'<a href="#{_anchor(t["name"])}">{escape(t["name"])}</a>' for t in document["tags"]
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>{escape(info['title'])}</h1>{_paragraphs(info['description'])}"
        '<p>The same as a document for programs: <a href="openapi.json">openapi.json</a></p>'
        '<label>X-API-KEY <input id="key" type="password" autocomplete="off"></label>'
        f"<nav>{links}</nav></header><main>{sections}</main>"
        f"<script>{_SCRIPT}</script></body></html>"
    )


def _section(document: dict[str, Any], tag: dict[str, str]) -> str:
    operations = "".join(
        _operation(document, path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if tag["name"] in operation["tags"]
    )
    return (
        f'<section><h2 id="{_anchor(tag["name"])}">{escape(tag["name"])}</h2>'
        f"{_paragraphs(tag.get('description', ''))}{operations}</section>"
    )


def _operation(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    parts = [_paragraphs(operation.get("description", ""))]
    parameters = operation.get("parameters", [])
    if parameters:
        parts.append(_parameters(document, parameters))
    body = operation.get("requestBody")
    if body is not None:
        kinds = ", ".join(body["content"])
        schema = next(iter(body["content"].values()))["schema"]
        parts.append(f"<h4>Body <small>({escape(kinds)})</small></h4>{_fields(document, schema)}")
    parts.append("<h4>Answers</h4>" + _answers(document, operation["responses"]))
    parts.append(_try(path, method, parameters, body))
    return (
        f'<details><summary><b class="{method}">{method.upper()}</b><code>{escape(path)}</code>'
        f"<i>{escape(operation['summary'])}</i></summary>{''.join(parts)}</details>"
    )


def _parameters(document: dict[str, Any], parameters: list[dict[str, Any]]) -> str:
    rows = "".join(
        _row(p["name"], p["in"], _type(document, p["schema"]), p["required"], p) for p in parameters
    )
    return f"<h4>Parameters</h4><table>{rows}</table>"


def _fields(document: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return the table of an object's fields; for others only their type."""
    schema = _resolve(document, schema)
    item = _resolve(document, schema.get("items", {}))
    prefix = "<p>A list of</p>" if "items" in schema else ""
    shown = item if "items" in schema else schema
    if "properties" not in shown:
        return f"<p>{escape(_type(document, schema))}</p>"
    required = shown.get("required", [])
    rows = "".join(
        _row(name, "", _type(document, field), name in required, field)
        for name, field in shown["properties"].items()
    )
    return f"{prefix}<table>{rows}</table>"


def _row(name: str, where: str, kind: str, required: bool, field: dict[str, Any]) -> str:
    marks = " ".join(filter(None, (where, "required" if required else "")))
    return (
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td>"
        f"<td>{escape(marks)}</td><td>{escape(field.get('description', ''))}</td></tr>"
    )


def _answers(document: dict[str, Any], responses: dict[str, Any]) -> str:
    parts = []
    for status, response in sorted(responses.items()):
        text = f"<p><b>{status}</b> {escape(response['description'])}</p>"
        for kind, content in response.get("content", {}).items():
            if status == "200":
                text += f"<small>{escape(kind)}</small>{_fields(document, content['schema'])}"
            elif "example" in content:
                example = json.dumps(content["example"], ensure_ascii=False)
                text += f"<pre>{escape(example)}</pre>"
        parts.append(text)
    return "".join(parts)


def _try(path: str, method: str, parameters: list[dict[str, Any]], body: Any) -> str:
    inputs = "".join(
        f'<label>{escape(p["name"])} <input name="{escape(p["name"])}" data-in="{p["in"]}"></label>'
        for p in parameters
    )
    if body is not None:
        example = next(iter(body["content"].values())).get("example", {})
        text = escape(json.dumps(example, ensure_ascii=False, indent=2))
        inputs += f'<label>Body <textarea rows="6">{text}</textarea></label>'
    return (
        f'<details><summary>Try it</summary><form data-path="{escape(path)}" '
        f'data-method="{method.upper()}">{inputs}<button>Send</button>'
        "<pre hidden></pre></form></details>"
    )


def _type(document: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return a schema in a few words."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        fields = _resolve(document, schema).get("properties")
        return f"{name} {{{', '.join(fields)}}}" if fields else name
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(document, arm) for arm in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_type(document, schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    found = schema
    if "$ref" in schema:
        found = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _anchor(name: str) -> str:
    return escape(name.lower().replace(" ", "-"))


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n") if part)
