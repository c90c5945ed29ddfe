"""What a company sets: its CRM, keys, refused callers, other operators' numbers, its sounds."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from tests.console.conftest import ACME, GLOBEX, Console, said
from tests.console.test_history import all_calls
from tests.support.audio import write_tone


def test_a_key_is_made_shown_once_used_and_revoked(console: Console) -> None:
    admin = console.as_("admin")
    data = {"note": "For tests <b>", "rights": ["Employees:View"]}
    page = admin.post("/integration/keys", data, at="/integration").text
    found = re.search(r'id="new-key">(vpbx_[\w-]+)<', page)
    assert found is not None
    key = found[1]
    assert key not in admin.page("/integration")
    assert "For tests <b>" in said(admin.page("/integration"))

    def ask(method: str, path: str) -> int:
        headers = {"X-API-KEY": key, "Host": ACME}
        return httpx.request(method, console.pbx.api + path, headers=headers, json={}).status_code

    assert ask("GET", "/users") == 200
    assert ask("POST", "/groups") == 403
    number = re.search(r'name="key" value="(\d+)"', admin.page("/integration").split(key[:9])[1])
    assert number is not None
    theirs = console.as_("admin", GLOBEX).post(
        "/integration/keys/revoke", {"key": number[1]}, at="/integration"
    )
    assert theirs.status_code == 404
    assert ask("GET", "/users") == 200
    admin.post("/integration/keys/revoke", {"key": number[1]}, at="/integration")
    assert ask("GET", "/users") == 401


def test_the_crm_is_set_and_its_secrets_do_not_come_back(console: Console) -> None:
    admin = console.as_("admin")
    crm = {"url": "http://user:hidden-pass@127.0.0.1:9/crm", "token": "very-secret", "event": "1"}
    assert admin.post("/integration", {**crm, "networks": "nonsense"}).status_code == 400
    assert admin.post("/integration", {**crm, "enabled": "1", "format": "json"}).status_code == 303
    page = admin.page("/integration")
    assert "hidden-pass" not in page
    assert "very-secret" not in page
    shown = re.search(r'name="url" type="text" value="([^"]+)"', page)
    assert shown is not None
    again = {"url": shown[1], "token": "", "enabled": "1", "format": "form", "history": "1"}
    assert admin.post("/integration", again).status_code == 303
    settings = console.pbx.vpbx("crm", "show", ACME)
    assert settings["format"] == "form"
    whole = admin.get("/audit/export").text
    assert "hidden-pass" not in whole
    assert "very-secret" not in whole


@pytest.mark.parametrize("event", ["", "x", "999", "9" * 30, "-1"])
def test_only_commands_that_were_sent_are_sent_again(console: Console, event: str) -> None:
    answer = console.as_("admin").post("/integration/replay", {"event": event}, at="/integration")
    assert answer.status_code == 404


def test_callers_are_refused_and_let_in_again(console: Console) -> None:
    admin = console.as_("admin")
    evil = "<script>alert(3)</script>"
    added = {"telnum": "8 (900) 800-11-22", "comment": evil}
    assert admin.post("/blacklist", added).status_code == 303
    admin.post("/blacklist", {"telnum": "7900900*"})
    page = admin.page("/blacklist")
    assert "+7 900 800-11-22" in said(page)
    assert evil not in page
    wrong = admin.post("/blacklist", {"telnum": "not a number"})
    assert wrong.status_code == 400
    assert 'aria-invalid="true"' in wrong.text
    admin.post("/blacklist/anonymous", {"anonymous": "1"}, at="/blacklist")
    assert re.search(r'name="anonymous"[^>]*checked', admin.page("/blacklist"))
    admin.post("/blacklist/delete", {"telnum": "79008001122"}, at="/blacklist")
    assert "800-11-22" not in admin.page("/blacklist")


def test_a_number_of_another_operator_is_registered_switched_and_removed(console: Console) -> None:
    admin = console.as_("admin")
    data = {"telnum": "84951112233", "name": "Old", "domain": "127.0.0.1:9", "login": "x"}
    assert admin.post("/connections", data).status_code == 400, "without a password"
    assert admin.post("/connections", {**data, "password": "pass-at-them"}).status_code == 303
    page = admin.page("/connections")
    assert "+7 495 111-22-33" in said(page)
    assert "pass-at-them" not in page + admin.get("/audit/export").text
    switch = {"telnum": "74951112233", "active": ""}
    admin.post("/connections/switch", switch, at="/connections")
    assert "switched off" in said(admin.page("/connections"))
    admin.post("/connections/delete", {"telnum": "74951112233"}, at="/connections")
    assert "111-22-33" not in admin.page("/connections")
    admin.post("/connections/address", {"telnum": "84951112244"}, at="/connections")
    assert re.search(r"pbx-\w{12}@", admin.page("/connections"))


def test_sounds_are_uploaded_played_chosen_and_removed(console: Console, tmp_path: Path) -> None:
    admin = console.as_("admin")
    write_tone(tmp_path / "tone.wav")
    sound = (tmp_path / "tone.wav").read_bytes()
    evil = '../../"><script>alert(4)</script>.wav'
    sent = {"file": (evil, sound, "audio/wav")}
    assert admin.post("/media", {"type": "music", "name": ""}, files=sent).status_code == 303
    page = admin.page("/media")
    assert "<script>alert" not in page
    found = re.search(r'data-play="(/media/[\w-]+)/sound"', page)
    assert found is not None
    played = admin.get(found[1] + "/sound")
    assert played.content[:4] == b"RIFF"
    assert played.headers["content-type"] == "audio/wav"
    assert len(played.content) > 8000
    assert console.as_("admin", GLOBEX).get(found[1] + "/sound").status_code == 404
    assert console.as_("ann").get(found[1] + "/sound").status_code == 403
    file_id = found[1].rpartition("/")[2]
    assert "not used" in said(admin.page("/media"))
    admin.post("/media/music", {"holdmusic": file_id}, at="/media")
    assert "not used" not in said(admin.page("/media"))
    assert re.search(rf'<option value="{file_id}" selected>', admin.page("/media"))
    admin.post(f"{found[1]}/delete", {}, at="/media")
    assert file_id not in admin.page("/media")


def test_a_prompt_is_replaced_by_who_knows_no_names(console: Console, tmp_path: Path) -> None:
    """They are offered, a file may be called like one, and what is wrong is said."""
    admin = console.as_("admin")
    write_tone(tmp_path / "tone.wav")
    sound = (tmp_path / "tone.wav").read_bytes()
    for path in ("/media", "/media/text"):
        offered = re.findall(r'<option value="([\w-]+)"></option>', admin.page(path))
        assert {"call-later", "beep"} <= set(offered)
        assert "holdmusic" not in offered
    sent = {"file": ("call-later.wav", sound, "audio/wav")}
    assert admin.post("/media", {"type": "prompt"}, files=sent).status_code == 303
    table = admin.page("/media").partition("<table")[2]
    assert "<td>call-later<" in table
    found = re.search(r'data-play="(/media/[\w-]+)/sound"', table)
    assert found is not None
    admin.post(f"{found[1]}/delete", {}, at="/media")
    sent = {"file": ("cal-later.wav", sound, "audio/wav")}
    wrong = admin.post("/media", {"type": "prompt"}, files=sent)
    assert wrong.status_code == 400
    assert "(like call-later" in said(wrong.text)


def test_a_caller_is_refused_from_the_page_of_their_call(console: Console) -> None:
    admin, head = console.as_("admin"), console.as_("head")
    callid = all_calls(admin, "kind=in&client=79123450005")[0]
    link = '"/blacklist?telnum=79123450005"'
    assert link in admin.page(f"/history/{callid}")
    assert link not in head.page(f"/history/{all_calls(head, 'kind=in')[0]}")
    assert 'value="79123450005"' in admin.page("/blacklist?telnum=79123450005")
    assert "<script>" not in admin.page('/blacklist?telnum="><script>')


def test_a_text_is_heard_kept_and_changed(console: Console) -> None:
    admin = console.as_("admin")
    form = {"text": "Good day! <b>Acme</b>", "language": "en", "type": "greeting", "name": "Hi"}
    before = admin.page("/media").count("data-play")
    heard = admin.post("/media/text/sound", form, at="/media/text")
    assert (heard.status_code, heard.headers["content-type"]) == (200, "audio/wav")
    assert len(heard.content) > 8000
    assert admin.page("/media").count("data-play") == before
    assert admin.post("/media/text", form).status_code == 303
    found = re.search(r'href="(/media/[\w-]+)/text"', admin.page("/media").partition("<table")[2])
    assert found is not None
    editing = admin.page(f"{found[1]}/text")
    assert "Good day! &lt;b&gt;Acme&lt;/b&gt;</textarea>" in editing
    empty = admin.post(f"{found[1]}/text", {"text": " ", "language": "en"})
    assert empty.status_code == 400
    assert "Must not be empty" in said(empty.text)
    sound = admin.get(f"{found[1]}/sound").content
    changed = admin.post(f"{found[1]}/text", {"text": "Bye.", "language": "en"})
    assert changed.status_code == 303
    assert len(admin.get(f"{found[1]}/sound").content) < len(sound)
    assert console.as_("admin", GLOBEX).get(f"{found[1]}/text").status_code == 404
    assert console.as_("ann").get("/media/text").status_code == 403
    admin.post(f"{found[1]}/delete", {}, at="/media")


def test_a_text_that_cannot_be_said_is_explained_and_kept_in_the_form(console: Console) -> None:
    admin = console.as_("admin")
    form = {"text": "—", "language": "ru", "type": "prompt", "name": "call-later"}
    for path in ("/media/text", "/media/text/sound"):
        answer = admin.post(path, form, at="/media/text")
        assert answer.status_code == 400
        assert "Holds nothing that can be said" in said(answer.text)
        assert ">—</textarea>" in answer.text
        assert 'value="prompt" selected' in answer.text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.html", b"<script>alert(1)</script>"),
        ("a.wav", b""),
        ("a.wav\0.exe", b"RIFF" + bytes(100)),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
        ("concat.txt", b"ffconcat version 1.0\nfile /etc/passwd\n"),
    ],
)
def test_what_is_no_sound_is_refused(console: Console, name: str, content: bytes) -> None:
    admin = console.as_("admin")
    before = admin.page("/media").count("data-play")
    sent = {"file": (name, content, "audio/wav")}
    answer = admin.post("/media", {"type": "greeting", "name": "x"}, files=sent)
    assert answer.status_code == 400
    assert admin.page("/media").count("data-play") == before
    assert "root:" not in answer.text
