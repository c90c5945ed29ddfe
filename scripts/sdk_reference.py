"""Make the reference page of the SDK from its docstrings: a file of the release.

    PYTHONPATH=sdk/src python scripts/sdk_reference.py dist/vpbx-sdk.md

Everything public stands there: each module's `__all__`, the sections of `api` with their
operations, and the public methods and fields of classes, with signatures and what is said of them.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

MODULES = ("", "api", "models", "commands", "receiver", "calls", "polling", "errors", "testing")


def page() -> str:
    """Return the page, Markdown."""
    parts = ["# vpbx_sdk, reference\n"]
    told: set[tuple[int, str]] = set()
    for name in MODULES:
        module = importlib.import_module(f"vpbx_sdk.{name}" if name else "vpbx_sdk")
        parts.append(f"\n## {module.__name__}\n\n{_said(module)}")
        for word in module.__all__:
            thing = getattr(module, word)
            if not inspect.ismodule(thing) and (id(thing), word) not in told:
                told.add((id(thing), word))
                parts += _entry(word, thing, f"{name}." if name == "api" else "")
    return "\n".join(parts)


def _entry(name: str, thing: Any, before: str) -> Iterator[str]:
    if inspect.isfunction(thing):
        yield f"\n### {before}{name}{_signature(thing)}\n\n{_said(thing)}"
    elif inspect.isclass(thing) or before:  # a section of `api` is an object of a class
        kind = thing if inspect.isclass(thing) else type(thing)
        start = _signature(thing) if inspect.isclass(thing) and not _is_model(thing) else ""
        yield f"\n### {before}{name}{start}\n\n{_said(kind)}"
        if _is_model(kind):
            for field, info in kind.model_fields.items():
                said = f": {info.description}" if info.description else ""
                yield f"- `{field}: {_type(info.annotation)}`{said}"
        for method, function in inspect.getmembers(kind, inspect.isroutine):
            if not method.startswith("_") and _is_ours(function):
                yield f"\n#### {before}{name}.{method}{_signature(function)}\n\n{_said(function)}"
    else:
        yield f"\n### {before}{name}\n\n`{str(thing)[:200]}`"


def _is_ours(function: Any) -> bool:
    return (getattr(function, "__module__", None) or "").startswith("vpbx_sdk")


def _is_model(thing: Any) -> bool:
    return inspect.isclass(thing) and issubclass(thing, BaseModel)


def _type(annotation: Any) -> str:
    return annotation.__name__ if inspect.isclass(annotation) else str(annotation)


def _signature(function: Any) -> str:
    try:
        text = str(inspect.signature(function))
    except (TypeError, ValueError):
        return "()"
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)  # annotations, which are texts
    return text.replace("(self, ", "(").replace("(self)", "()")


def _said(thing: Any) -> str:
    return inspect.getdoc(thing) or ""


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page())
    print(f"{target} is made")
