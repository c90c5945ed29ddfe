"""The SDK as a distribution of its own: builds, installs alone, brings its types."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

SDK = Path(__file__).parents[2] / "sdk"


def run(*command: object, **more: str) -> str:
    ran = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=110,
        env={"PATH": os.environ["PATH"], **more},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy, so that the tree stays as it is."""
    folder = tmp_path_factory.mktemp("sdk")
    shutil.copytree(
        SDK, folder / "sdk", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    )
    command = (sys.executable, "-m", "build", "--wheel", "--no-isolation")
    run(*command, "--outdir", folder, folder / "sdk")
    (made,) = folder.glob("vpbx_sdk-*.whl")
    return made


def test_the_wheel_has_the_package_its_types_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith("/METADATA"))
        says = message_from_bytes(archive.read(metadata))
    source = SDK / "src"
    modules = {path.relative_to(source).as_posix() for path in source.rglob("vpbx_sdk/**/*.py")}
    assert {name for name in names if ".dist-info/" not in name} == {*modules, "vpbx_sdk/py.typed"}
    assert says["Requires-Python"] == ">=3.10"
    needed = {re.split(r"[<>=!~ ;]", line)[0] for line in says.get_all("Requires-Dist") or ()}
    assert needed == {"httpx", "pydantic"}


def test_what_it_needs_is_what_it_says() -> None:
    found = set()
    for path in (SDK / "src" / "vpbx_sdk").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
    assert found - sys.stdlib_module_names == {"httpx", "pydantic", "vpbx_sdk"}


def test_it_is_installed_alone_and_works(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own; httpx and pydantic are lent from here."""
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / "bin" / "python"
    install = (sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps")
    run(*install, "--no-index", wheel)
    program = (
        "import vpbx_sdk, vpbx_sdk.testing as t\n"
        "pbx, receiver = t.FakePbx(), vpbx_sdk.Receiver('TOKEN')\n"
        "callid = pbx.customer_calls(receiver, phone='79101112233', user='olga', talk_s=5)\n"
        "print(vpbx_sdk.__file__, receiver.calls.get(callid).state)\n"
    )
    here = Path(pytest.__file__).parents[1]
    where, state = run(python, "-c", program, PYTHONPATH=str(here)).split()
    assert Path(where).is_relative_to(tmp_path / "bare")
    assert state == "over"
