"""The browsable page of the API, rendered from the OpenAPI document: no CDN, nothing to load.

Every endpoint can be tried from the page; the key typed in stays in the page.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape
from typing import Any

from starlette.responses import Response

__all__ = ["page"]

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
h2{margin:2rem 0 .5rem;scroll-margin-top:4rem}h4{margin:1rem 0 .3rem}
code,pre,textarea{font:13px/1.5 ui-monospace,monospace}
p code,td code{background:var(--soft);padding:0 .2rem;border-radius:.2rem}
pre{background:var(--soft);padding:.6rem;overflow:auto;border-radius:.3rem}
details{border:1px solid var(--line);border-radius:.4rem;margin:.3rem 0;padding:.3rem .7rem}
summary{cursor:pointer}summary b{display:inline-block;width:4.6rem}
summary i{opacity:.75;font-style:normal;margin-left:.8rem}
.get{color:#1769aa}.post{color:#2e7d32}.put{color:#b26a00}.delete{color:#c62828}
@media(prefers-color-scheme:dark){.get{color:#7fc4ff}.post{color:#8fd694}.put{color:#ffc266}
.delete{color:#ff8a80}}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;
border-bottom:1px solid var(--line);padding:.2rem .5rem}
td:first-child{width:10rem}td:nth-child(2){width:16rem}
input,textarea{width:100%;box-sizing:border-box;padding:.25rem}label{display:block;margin:.3rem 0}
form{display:grid;grid-template-columns:repeat(auto-fill,minmax(14rem,1fr));gap:0 1rem}
form .wide,form pre{grid-column:1/-1}form button{justify-self:start;padding:.3rem 1.2rem}
#bar{position:sticky;top:0;background:Canvas;padding:.4rem 0;border-bottom:1px solid var(--line)}
#bar label{display:flex;gap:.6rem;align-items:center;white-space:nowrap}
nav a{display:inline-block;margin-right:.8rem}
@media(max-width:40rem){summary i{display:block;margin:0}summary code{overflow-wrap:anywhere}
td{display:block;width:auto!important;border:0;padding:.1rem 0}tr{display:block;
border-bottom:1px solid var(--line);padding:.3rem 0}td:empty{display:none}}
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
        '<p>The same as a document for programs: <a href="openapi.json">openapi.json</a>; '
        'what goes to the CRM: <a href="asyncapi.json">asyncapi.json</a></p>'
        f"<nav>{links}</nav></header>"
        '<div id="bar"><label>X-API-KEY '
        '<input id="key" type="password" autocomplete="off"></label></div>'
        f"<main>{sections}</main>"
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
        parts.append(
            f"<h4>Body <small>({escape(kinds)})</small></h4>{_fields(document, schema, sent=True)}"
        )
    parts.append("<h4>Answers</h4>" + _answers(document, operation["responses"]))
    parts.append(_try(path, method, parameters, body))
    return (
        f'<details><summary><b class="{method}">{method.upper()}</b><code>{escape(path)}</code>'
        f"<i>{escape(operation['summary'])}</i></summary>{''.join(parts)}</details>"
    )


def _parameters(document: dict[str, Any], parameters: list[dict[str, Any]]) -> str:
    rows = "".join(
        _row(
            p["name"],
            _type(document, p["schema"]),
            f"{p['in']}, required" if p["required"] else p["in"],
            p,
        )
        for p in parameters
    )
    return f"<h4>Parameters</h4><table>{rows}</table>"


def _fields(document: dict[str, Any], schema: dict[str, Any], *, sent: bool) -> str:
    """Return the table of an object's fields; for others only their type.

    What must be sent is marked; what an answer may lack says so in its description.
    """
    schema = _resolve(document, schema)
    item = _resolve(document, schema.get("items", {}))
    prefix = "<p>A list of</p>" if "items" in schema else ""
    shown = item if "items" in schema else schema
    if "properties" not in shown:
        return f"<p>{escape(_type(document, schema))}</p>"
    required = shown.get("required", []) if sent else []
    rows = "".join(
        _row(name, _type(document, field), "required" if name in required else "", field)
        for name, field in shown["properties"].items()
    )
    return f"{prefix}<table>{rows}</table>"


def _row(name: str, kind: str, marks: str, field: dict[str, Any]) -> str:
    return (
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td>"
        f"<td>{_prose(field.get('description', ''))}</td><td>{escape(marks)}</td></tr>"
    )


def _answers(document: dict[str, Any], responses: dict[str, Any]) -> str:
    parts, refusals = [], []
    for status, response in sorted(responses.items()):
        contents = response.get("content", {})
        if not status.startswith("2"):
            refusals.append(_refusal(status, response["description"], contents))
            continue
        kinds = ", ".join(contents)
        parts.append(f"<p><b>{status}</b> {_prose(response['description'])} {escape(kinds)}</p>")
        for content in contents.values():
            parts.append(_fields(document, content["schema"], sent=False))
            if "example" in content:
                parts.append(f"<pre>{escape(_pretty(content['example']))}</pre>")
    return "".join(parts) + f"<h4>Refusals</h4><table>{''.join(refusals)}</table>"


def _refusal(status: str, description: str, contents: dict[str, Any]) -> str:
    examples = [content["example"] for content in contents.values() if "example" in content]
    shown = "".join(
        f"<code>{escape(json.dumps(example, ensure_ascii=False))}</code>" for example in examples
    )
    return f"<tr><td><b>{status}</b></td><td>{_prose(description)}</td><td>{shown}</td></tr>"


def _pretty(example: Any) -> str:
    """Return an example as text: CSV as it is, else JSON."""
    if isinstance(example, str):
        return example
    return json.dumps(example, ensure_ascii=False, indent=2)


def _try(path: str, method: str, parameters: list[dict[str, Any]], body: Any) -> str:
    inputs = "".join(
        f'<label>{escape(p["name"])} <input name="{escape(p["name"])}" data-in="{p["in"]}"'
        f' placeholder="{escape(str(p.get("example", "")))}"></label>'
        for p in parameters
    )
    if body is not None:
        example = next(iter(body["content"].values())).get("example", {})
        text = escape(json.dumps(example, ensure_ascii=False, indent=2))
        inputs += f'<label class="wide">Body <textarea rows="6">{text}</textarea></label>'
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
        return " | ".join(str(item) or '""' for item in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        # Empty and null only mean "not sent".
        arms = (a for a in schema["anyOf"] if a.get("type") != "null" and a.get("const") != "")
        return " or ".join(dict.fromkeys(_type(document, arm) for arm in arms))
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
    return "".join(f"<p>{_prose(part)}</p>" for part in text.split("\n\n") if part)


def _prose(text: str) -> str:
    """Return text as HTML, with what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
