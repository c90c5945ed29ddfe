"""The media catalogue: uploaded by command, seen in the API of a running server."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.audio import write_tone
from vpbx.media import prompt_names

from .conftest import Cli, Server

ACME = "acme.example"


@pytest.fixture
def company(cli: Cli) -> Cli:
    cli.json("domain", "add", ACME)
    return cli


def ask(server: Server, key: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{server.api}/{path}",
        headers={"X-API-KEY": key, "Content-Type": "application/json"},
        data=None if body is None else json.dumps(body).encode(),
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def files_of(cli: Cli) -> list[str]:
    return sorted(file.name for file in (cli.data / "media").rglob("*") if file.is_file())


def until(wanted: Any, look: Any) -> None:
    """A running server takes a change within a second."""
    end = time.monotonic() + 30
    while (found := look()) != wanted:
        assert time.monotonic() < end, found
        time.sleep(0.05)


def test_sounds_are_uploaded_listed_and_removed(company: Cli, tmp_path: Path) -> None:
    hello = write_tone(tmp_path / "Привет 1.mp3")
    made = company.json("media", "add", ACME, str(hello), "--type", "greeting")
    assert made.keys() == {"id", "name", "type", "seconds"}
    assert (made["name"], made["type"]) == ("Привет 1.mp3", "greeting")
    assert made["seconds"] == pytest.approx(2.0, abs=0.1)
    wave = ("--type", "music", "--name", "Утренняя волна")
    song = company.json("media", "add", ACME, str(write_tone(tmp_path / "x.flac")), *wave)
    assert song["name"] == "Утренняя волна"
    assert company.json("media", "list", ACME) == [made, song]
    assert company.json("media", "list", ACME, "--type", "music") == [song]
    assert "Утренняя волна" in company.run("media", "list", ACME).stdout
    gone = company.json("media", "remove", ACME, made["id"])
    assert gone == {"id": made["id"], "removed": True}
    assert company.json("media", "list", ACME) == [song]
    assert files_of(company) == sorted(f"{song['id']}.{payload}" for payload in (8, 0, 9))


def test_the_api_of_a_running_server_lists_uploads_and_plays_them(
    company: Cli, tmp_path: Path
) -> None:
    key = company.json("key", "add", ACME)["key"]
    server = company.serve()
    source = write_tone(tmp_path / "Music_1.mp3")
    ids = {
        kind: company.json("media", "add", ACME, str(source), "--type", kind)["id"]
        for kind in ("greeting", "music", "ivr")
    }
    for kind, file_id in ids.items():
        wanted = (200, [{"id": file_id, "name": "Music_1.mp3"}])
        until(wanted, lambda kind=kind: ask(server, key, "GET", f"media-catalog/{kind}"))
    status, refusal = ask(server, key, "POST", "music/holdmusic", {"file": ids["greeting"]})
    assert (status, "holdmusic" in str(refusal)) == (400, True)

    for built_in in ("ringback", "holdmusic", "calm", "bright"):
        assert ask(server, key, "POST", "music/holdmusic", {"file": built_in})[0] == 204
        assert built_in in prompt_names()
    assert ask(server, key, "POST", "music/holdmusic", {"file": ids["music"]})[0] == 204
    chosen = {"file": ids["music"], "name": "Music_1.mp3", "uploaded": True}
    assert ask(server, key, "GET", "music")[1]["holdmusic"] == chosen

    company.json("media", "remove", ACME, ids["music"])
    until((200, []), lambda: ask(server, key, "GET", "media-catalog/music"))
    default = {"file": "holdmusic", "name": "Morning wave", "uploaded": False}
    assert ask(server, key, "GET", "music")[1]["holdmusic"] == default
    assert not [name for name in files_of(company) if name.startswith(ids["music"])]


def test_refusals_name_what_is_wrong(company: Cli, tmp_path: Path) -> None:
    notes = tmp_path / "notes [1].mp3"
    notes.write_text("not a sound\n" * 100)
    good = str(write_tone(tmp_path / "good.wav"))
    for words, says in (
        (("add", ACME, str(notes), "--type", "music"), "notes [1].mp3 is not audio that can be"),
        (("add", ACME, good, "--type", "films"), "type: must be one of: greeting, music, ivr"),
        (("add", ACME, good), "--type"),
        (("add", "other.example", good, "--type", "music"), "there is no domain other.example"),
        (("list", ACME, "--type", "films"), "greeting, music, ivr"),
        (("remove", ACME, "nothing"), "no such file"),
    ):
        done = company.run("media", *words)
        assert (done.returncode, done.stdout) == (2, ""), words
        assert says in done.stderr
        assert "Traceback" not in done.stderr
    assert files_of(company) == []


def test_a_disk_that_does_not_take_it_is_a_fault(company: Cli, tmp_path: Path) -> None:
    (company.data / "media" / "1").write_text("a file where the folder should be")
    done = company.run("media", "add", ACME, str(write_tone(tmp_path / "a.wav")), "--type", "music")
    assert (done.returncode, "cannot be kept" in done.stderr) == (1, True), done.stderr


def test_a_text_is_said_and_said_anew(company: Cli) -> None:
    made = company.json("media", "say", ACME, "Please call later.", "--lang", "en", "--type",
                        "prompt", "--name", "call-later")  # fmt: skip
    assert (made["text"], made["lang"], made["name"]) == ("Please call later.", "en", "call-later")
    assert made["seconds"] > 0.8
    anew = company.json("media", "say", ACME, "Later.", "--lang", "en", "--id", made["id"])
    assert (anew["id"], anew["text"]) == (made["id"], "Later.")
    assert company.json("media", "list", ACME) == [anew]
    assert len(files_of(company)) == 3
