"""The TypeScript types, made from the OpenAPI document, in the hands of TypeScript's compiler."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts.typescript_types import TOOLS, make

SOURCES = Path(__file__).parents[2] / "sdk" / "typescript"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the types and the example that uses them."""
    if not (TOOLS / "typescript").exists():
        pytest.skip("TypeScript is not installed: it comes from npm (scripts/setup-node.sh)")
    folder = tmp_path_factory.mktemp("typescript")
    make(folder / "vpbx-crm-api.d.ts")
    for name in ("example.ts", "tsconfig.json"):
        (folder / name).write_text((SOURCES / name).read_text())
    return folder


def compile_in(project: Path) -> str:
    """Return what the compiler complains about."""
    compiler = TOOLS / "typescript" / "bin" / "tsc"
    command = ["node", str(compiler), "-p", str(project), "--noEmit"]
    return subprocess.run(command, capture_output=True, text=True, timeout=110).stdout


def test_a_crm_written_with_the_types_compiles(project: Path) -> None:
    assert compile_in(project) == ""


def test_what_the_api_does_not_have_does_not_compile(project: Path) -> None:
    """Or the types might be of no use: `any`, say."""
    example = project / "example.ts"
    right = example.read_text()
    wrong = (
        right.replace("row.client", "row.customer")
        .replace('"missed" }', '"lost" }')
        .replace("command.user} got", "command.agent} got")
    )
    example.write_text(wrong)
    try:
        complaints = compile_in(project)
    finally:
        example.write_text(right)
    for word in ("'customer'", '"lost"', "'agent'"):
        assert word in complaints, complaints
