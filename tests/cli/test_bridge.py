"""`vpbx bridge`: tables are made, statements tried and undone, faults told."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from pathlib import Path

from tests.support.command import run_vpbx


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return run_vpbx("bridge", *words)


def test_check_shows_what_a_call_would_write_and_writes_nothing(tmp_path: Path) -> None:
    database, file = tmp_path / "crm.sqlite3", tmp_path / "bridge.toml"
    file.write_text(
        f"[database]\nurl = 'sqlite:///{database}'\n[receiver]\ntoken = 'T'\n"
        "[contact]\nsql = \"SELECT 'Ivan' AS contact_name WHERE '9101234567' = :last10\"\n"
    )
    early = run("check", str(file))
    assert early.returncode == 1
    assert "vpbx bridge init" in early.stderr
    made = json.loads(run("init", str(file), "--json").stdout)
    assert set(made["tables"]) == {"vpbx_calls", "vpbx_events", "vpbx_ratings", "vpbx_seen"}
    rows = json.loads(run("check", str(file), "--json").stdout)
    assert [(row["command"], row["result"][:2]) for row in rows] == [
        ("contact", "ok"),
        ("history", "ok"),
        ("event", "ok"),
        ("rating", "ok"),
    ]
    assert "Ivan" in rows[0]["result"]
    with sqlite3.connect(database) as opened:
        assert opened.execute("SELECT count(*) FROM vpbx_calls").fetchone() == (0,)
    file.write_text("[database]\n")
    wrong = run("check", str(file))
    assert (wrong.returncode, "url in [database]" in wrong.stderr) == (2, True)
