"""All texts of the console that somebody reads: what the templates and the pages say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from jinja2.ext import babel_extract

import vpbx.console
from vpbx.causes import CAUSES

ROOT = Path(vpbx.console.__file__).parent
_SPOKEN = ("_", "gettext", "ngettext", "count")
_CALLS = {"say", "texts", "Step", "Fault", "_fault", "_refused"}
"""Functions of ours whose arguments are shown."""
_NAMED = {"label", "title", "text"}
_LISTS = ("_WORDS", "FORBIDDEN")


def in_templates() -> Iterator[tuple[str, ...]]:
    """Texts of templates, with their plurals."""
    options = {"trim_blocks": "true", "lstrip_blocks": "true"}
    for file in sorted((ROOT / "templates").rglob("*.html")):
        with file.open("rb") as opened:
            for _line, _name, message, _comments in babel_extract(opened, _SPOKEN, [], options):
                found = message if isinstance(message, tuple) else (message,)
                yield tuple(part for part in found if isinstance(part, str))


def of_causes() -> Iterator[tuple[str, ...]]:
    """Why calls fail, and what to do."""
    for words in CAUSES.values():
        yield (words.said,)
        yield (words.advice,)


def in_code() -> Iterator[tuple[str, ...]]:
    """Texts that pages say by code."""
    for file in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                yield from _of_call(node)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                names = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(n, ast.Name) and n.id.endswith(_LISTS) for n in names):
                    yield from ((text,) for text in _texts(node.value))


def _of_call(node: ast.Call) -> Iterator[tuple[str, ...]]:
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name == "count":
        yield tuple(str(each.value) for each in node.args[:2] if isinstance(each, ast.Constant))
    elif name in _CALLS:
        for text in (text for each in node.args for text in _texts(each)):
            if " " in text or text[:1].isupper():
                yield (text,)
    for each in node.keywords:
        if each.arg in _NAMED:
            yield from ((text,) for text in _texts(each.value))


def _texts(node: ast.AST | None) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip():
        yield node.value
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from _texts(value)
    elif isinstance(node, ast.Tuple | ast.List):
        for value in node.elts:
            yield from _texts(value)
