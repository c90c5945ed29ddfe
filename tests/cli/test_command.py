"""The command `vpbx`: it explains itself, and says what is wrong on stderr with a status."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

VPBX = Path(sys.executable).parent / "vpbx"
COMMANDS = ("serve", "demo", "doctor", "domain", "user", "group", "number", "trunk", "key", "crm")


def vpbx(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [VPBX, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "COLUMNS": "200", **environment},
    )


def test_help_names_every_command() -> None:
    done = vpbx("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    done = vpbx(command, "--help")
    assert done.returncode == 0
    assert "Usage: vpbx" in done.stdout


def test_module_is_the_same_as_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vpbx", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == vpbx("--version").stdout


@pytest.mark.parametrize(
    "words",
    [
        ("serve", "--sip", "nowhere"),
        ("serve", "--rtp-ports", "5-4"),
        ("serve", "--http", "0.0.0.0:8080"),
        ("serve", "--loud"),
        ("servce",),
        ("doctor", "--https", "x"),
    ],
)
def test_bad_input_is_status_2_and_explained_on_stderr(words: tuple[str, ...]) -> None:
    done = vpbx(*words)
    assert done.returncode == 2
    assert any(word in done.stderr for word in words[-2:])
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_bad_input_from_the_environment_names_the_variable() -> None:
    done = vpbx("serve", VPBX_SIP_TLS="nowhere")
    assert done.returncode == 2
    assert "VPBX_SIP_TLS" in done.stderr


def test_doctor_names_who_has_a_port_and_how_to_mend_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = vpbx("doctor", "--data", str(tmp_path), "--http", f"127.0.0.1:{port}", "--json")
    assert done.returncode == 1
    findings = {finding["check"]: finding for finding in json.loads(done.stdout)}
    found = findings[f"port 127.0.0.1:{port} tcp (--http)"]
    assert found["result"] == "bad"
    assert f"process {os.getpid()}" in found["found"]
    assert "--http" in found["remedy"]
    assert findings["media engine"]["result"] == "ok"
    assert not list(tmp_path.iterdir())


def test_doctor_finds_a_database_that_does_not_answer(tmp_path: Path) -> None:
    url = "postgresql://u:hunter2@127.0.0.1:1/x"
    done = vpbx("doctor", "--data", str(tmp_path), "--database", url, "--json")
    assert done.returncode == 1
    assert "hunter2" not in done.stdout + done.stderr
    findings = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert "does not answer" in findings["database"]["found"]
    assert "--database" in findings["database"]["remedy"]


def test_doctor_finds_a_data_directory_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = vpbx("doctor", "--data", str(tmp_path / "file" / "data"), "--json")
    assert done.returncode == 1
    findings = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert findings["data directory"]["result"] == "bad"
    assert "--data" in findings["data directory"]["remedy"]
