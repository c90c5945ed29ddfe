"""`vpbx history`: how a call went that is over, and what is written to it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.command import run_vpbx
from vpbx.causes import Cause, dump_causes
from vpbx.legs import CallLeg, Sound, dump_legs

CALL = "1450007"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A company with a missed call."""
    assert run_vpbx("domain", "add", "acme.example", "--data", tmp_path).returncode == 0
    row = {
        "callid": int(CALL),
        "domain_id": 0,
        "is_inner": 0,
        "started_ms": 1_790_000_000_000,
        "answered_ms": None,
        "ended_ms": 1_790_000_025_000,
        "direction": "in",
        "status": "missed",
        "client": "79101112233",
        "account": "ann",
        "diversion": "",
        "telnum_name": "",
        "destination": "user",
        "user_login": "ann",
        "user_name": "Ann",
        "user_ext": "702",
        "group_id": "",
        "group_name": "",
        "caller_login": "",
        "caller_name": "",
        "rating": None,
        "record": 0,
        "sip_code": 486,
        "node": 0,
        "ended_by": "",
        "missed_status": 3,
        "path": None,
        "mos": 210,
        "legs": dump_legs([CallLeg("Ann", "ann", "", "PCMA", Sound(7, 3, 80.0, 2.1), None, None)]),
        "causes": dump_causes([Cause("busy", "[/Ann]", 486)]),
    }
    with closing(sqlite3.connect(tmp_path / "vpbx.sqlite3")) as connection:
        (row["domain_id"],) = connection.execute("SELECT id FROM domains").fetchone()
        marks = ", ".join(f":{name}" for name in row)
        connection.execute(f"INSERT INTO call_history ({', '.join(row)}) VALUES ({marks})", row)
        connection.commit()
    return tmp_path


def test_how_a_call_went_is_shown_to_people_and_programs(data: Path) -> None:
    shown = run_vpbx("history", "show", "acme.example", CALL, "--data", data)
    assert (shown.returncode, "[/Ann] was busy." in shown.stdout) == (0, True)
    told = run_vpbx("history", "show", "acme.example", CALL, "--json", "--data", data)
    found = json.loads(told.stdout)
    assert found["uid"] == CALL
    assert [(each["kind"], each["code"]) for each in found["causes"]] == [("busy", 486)]
    assert [(each["who"], each["codec"]) for each in found["legs"]] == [("Ann", "PCMA")]


def test_a_note_and_tags_are_written_each_alone(data: Path) -> None:
    at = ("acme.example", CALL, "--json", "--data", data)
    assert run_vpbx("history", "note", *at, "--text", "calls again").returncode == 0
    assert run_vpbx("history", "note", *at, "--tag", "angry").returncode == 0
    found = json.loads(run_vpbx("history", "note", *at).stdout)
    assert (found["uid"], found["note"], found["tags"]) == (CALL, "calls again", ["angry"])


@pytest.mark.parametrize("command", ["show", "note"])
def test_a_call_that_is_not_there_is_named(data: Path, command: str) -> None:
    done = run_vpbx("history", command, "acme.example", "99", "--data", data)
    assert done.returncode != 0
    assert "there is no call 99 in the history of acme.example" in done.stderr
