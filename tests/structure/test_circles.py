"""No file needs, by whatever way, a file that needs it; types included."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import vpbx

SOURCE = Path(vpbx.__file__).parent


def needs(part: str) -> dict[str, set[str]]:
    """Every module of a part, and which others of it each imports."""
    files = {}
    root = SOURCE / part
    for file in root.rglob("*.py"):
        parts = ("vpbx", part, *file.relative_to(root).with_suffix("").parts)
        files[".".join(part for part in parts if part != "__init__")] = file
    found: dict[str, set[str]] = {name: set() for name in files}
    for name, file in files.items():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name} imports relatively"
                imported = [f"{node.module}.{alias.name}" for alias in node.names]
                imported = [each if each in files else str(node.module) for each in imported]
            else:
                continue
            found[name].update(each for each in imported if each in files and each != name)
    return found


@pytest.mark.parametrize(
    "part",
    [
        "accounts",
        "api",
        "app",
        "branches",
        "calls",
        "cli",
        "console",
        "crm",
        "db",
        "directory",
        "history",
        "mail",
        "reporting",
        "sip",
    ],
)
def test_no_circle_of_files(part: str) -> None:
    graph = needs(part)
    assert len(graph) > 2
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise AssertionError(" → ".join(error.args[1])) from error
