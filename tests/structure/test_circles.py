"""No file needs, by whatever way, a file that needs it; types included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import vpbx

SOURCE = Path(vpbx.__file__).parent


def modules() -> dict[str, Path]:
    """Every module of ours by its name; a package is its `__init__`."""
    found = {}
    for file in SOURCE.rglob("*.py"):
        parts = ("vpbx", *file.relative_to(SOURCE).with_suffix("").parts)
        found[".".join(part for part in parts if part != "__init__")] = file
    return found


def imported(name: str, file: Path) -> Iterator[tuple[str, str]]:
    """What a module imports anywhere, for its types and within functions too: (module, name)."""
    package = name if file.stem == "__init__" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level or name.startswith("vpbx.media"), f"{name} imports relatively"
            above = package.rsplit(".", node.level - 1)[:1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((base, alias.name) for alias in node.names)


def needs() -> dict[str, set[str]]:
    """Every module of ours, and which others it imports."""
    files = modules()
    found: dict[str, set[str]] = {name: set() for name in files}
    for name, file in files.items():
        for module, of_it in imported(name, file):
            whole = f"{module}.{of_it}"
            meant = whole if whole in files else module
            if meant in files and meant != name:
                found[name].add(meant)
    return found


def test_no_circle_of_files() -> None:
    graph = needs()
    assert any(of_another.startswith("vpbx.media.") for of_another in graph["vpbx.media"])
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise AssertionError(" → ".join(error.args[1])) from error
