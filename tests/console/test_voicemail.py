"""Voicemail: everybody hears their own, an administrator everybody's, and nobody another company's;
who has it, and where copies go."""

from __future__ import annotations

import re

import pytest

from tests.console.calls import HOSTILE, SOUND
from tests.console.conftest import ACME, GLOBEX, Browser, Console, said


def messages(browser: Browser, path: str = "/voicemail") -> list[str]:
    """Return the paths of the messages that a page shows."""
    return re.findall(r'data-play="(/voicemail/of/\w+/\d+)/sound"', browser.page(path))


def test_a_message_is_heard_is_old_from_then_on_and_is_removed(console: Console) -> None:
    ann = console.as_("ann")
    mine = messages(ann)
    assert len(mine) == 2
    page = ann.page("/voicemail")
    assert HOSTILE not in page
    assert "+7 912 345-00-01" in said(page)
    assert page.count('<span class="badge accent">new</span>') == 2
    sound = ann.get(mine[0] + "/sound")
    assert (sound.status_code, sound.content) == (200, SOUND)
    part = ann.get(mine[0] + "/sound", headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, SOUND[:10])
    assert ann.page("/voicemail").count('<span class="badge accent">new</span>') == 1
    assert ann.post(mine[0] + "/delete", {}, at="/voicemail").status_code == 303
    assert messages(ann) == [mine[1]]
    assert ann.get(mine[0] + "/sound").status_code == 404
    assert ann.post(mine[0] + "/delete", {}, at="/voicemail").status_code == 404
    assert "voicemail ann" in said(console.as_("admin").page("/audit?search=voicemail"))


def test_an_administrator_looks_into_every_box_and_leaves_messages_new(console: Console) -> None:
    admin = console.as_("admin", GLOBEX)
    assert {"/voicemail/of/ann", "/voicemail/of/bob", "/voicemail/of/head"} == set(
        re.findall(r'class="row" href="([^"]+)"', admin.page("/voicemail"))
    )
    first, second = messages(admin, "/voicemail/of/ann")
    assert admin.get(first + "/sound").content == SOUND
    assert admin.page("/voicemail/of/ann").count('<span class="badge accent">new</span>') == 2
    admin.post(second + "/delete", {}, at="/voicemail/of/ann")
    assert messages(admin, "/voicemail/of/ann") == [first]


def test_a_head_hears_their_departments_and_removes_only_their_own(console: Console) -> None:
    head = console.as_("head", GLOBEX)
    boxes = re.findall(r'class="row" href="([^"]+)"', head.page("/voicemail"))
    assert boxes == ["/voicemail/of/ann"], "Bob is in no department of theirs"
    theirs = messages(head, boxes[0])[0]
    assert head.get(theirs + "/sound").status_code == 200
    assert head.post(theirs + "/delete", {}, at=boxes[0]).status_code == 404
    assert theirs in messages(head, boxes[0])
    assert head.get("/voicemail/of/bob").status_code == 404


@pytest.mark.parametrize("login", ["ann", "bob"])
def test_nobody_looks_into_anothers_box(console: Console, login: str) -> None:
    browser = console.as_(login, GLOBEX)
    assert "/voicemail/settings" not in browser.page("/voicemail")
    head = messages(console.as_("head", GLOBEX))[0]
    acme = messages(console.as_("head", ACME))[0]
    for path in ("/voicemail/of/head", "/voicemail/of/nobody", head + "/sound", acme + "/sound"):
        assert browser.get(path).status_code == 404, path
    own = head.replace("/head/", f"/{login}/")
    assert browser.get(own + "/sound").status_code == 404, "another's message by one's own path"
    for path in (head, acme, own):
        assert browser.post(path + "/delete", {}, at="/voicemail").status_code == 404, path
    assert messages(console.as_("head", GLOBEX)) == [head]
    assert messages(console.as_("head", ACME)) == [acme]


def test_who_has_voicemail_is_set_as_by_the_api(console: Console) -> None:
    admin = console.as_("admin")
    wrong = admin.post("/voicemail/settings", {"email": "nowhere"}, at="/voicemail")
    assert wrong.status_code == 400
    assert "Must be an e-mail address" in wrong.text
    assert 'value="nowhere"' in wrong.text
    settings = {"all": "1", "email": "office@acme.example"}
    assert admin.post("/voicemail/settings", settings, at="/voicemail").status_code == 303
    admin.post("/voicemail/users", {"name": "ann"}, at="/voicemail")
    group = re.search(r'<option value="(g_[\w-]+)">Sales', admin.page("/voicemail"))
    assert group is not None
    admin.post("/voicemail/groups", {"name": group[1]}, at="/voicemail")
    kept = console.pbx.vpbx("voicemail", "show", ACME)
    assert kept["all"] is True
    assert kept["email"] == "office@acme.example"
    assert (kept["users"], kept["groups"]) == (["ann"], ["Sales"])
    for path, name in (("users", "ann"), ("groups", group[1])):
        admin.post(f"/voicemail/{path}/delete", {"name": name}, at="/voicemail")
        gone = admin.post(f"/voicemail/{path}/delete", {"name": name}, at="/voicemail")
        assert gone.status_code == 404
        unknown = admin.post(f"/voicemail/{path}", {"name": "<b>nobody"}, at="/voicemail")
        assert unknown.status_code == 400
        assert "<b>nobody" not in unknown.text
    admin.post("/voicemail/settings", {"email": ""}, at="/voicemail")
    kept = console.pbx.vpbx("voicemail", "show", ACME)
    assert (kept["all"], kept["users"], kept["groups"]) == (False, [], [])
