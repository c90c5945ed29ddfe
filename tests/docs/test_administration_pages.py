"""The commands of the pages for administrators, run one after the other in a fresh company."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.audio import write_tone
from tests.support.command import put_vpbx

DOCS = Path(__file__).parents[2] / "docs"


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{put_vpbx(folder / 'bin')}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "VPBX_DATA": str(folder / "data")}
    return subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with acme.example (ann, bob, eve) and the recordings the pages upload."""
    folder = tmp_path_factory.mktemp("pages")
    people = " && ".join(
        f"vpbx user add acme.example {login.title()} --login {login}"
        for login in ("ann", "bob", "eve")
    )
    made = run(f"vpbx domain add acme.example && {people}", folder)
    assert made.returncode == 0, made.stderr
    for name in ("welcome.wav", "song.mp3", "please-call-later.wav", "queue-position.wav"):
        write_tone(folder / name)
    return folder


@pytest.mark.parametrize("page", ["departments.md", "menus.md", "routing.md"])
def test_every_command_does_what_the_page_says(company: Path, page: str) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", (DOCS / page).read_text(), re.M | re.S)
    assert blocks
    for block in blocks:
        ran = run(block, company)
        refused = "# refused" in block
        assert (ran.returncode != 0) is refused, f"{block}\n{ran.stdout}\n{ran.stderr}"
        assert not refused or "in a circle" in ran.stdout + ran.stderr
