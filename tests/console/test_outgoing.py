"""Where employees may call and which number is seen: set in the console, asked by calls."""

from __future__ import annotations

import re

import pytest

from tests.console.conftest import GLOBEX, Browser, Console, said

ALL = {"allowed": ["ALL"]}
FRANCE, MOSCOW, MOBILE, EMERGENCY = "33123456789", "84952223344", "89031234567", "112"


def may(browser: Browser, who: str, called: str) -> bool:
    """Ask the page whether somebody may call there."""
    page = said(browser.page(f"/restrictions?who={who}&call={called}"))
    answer = re.search(r"May be called (yes|no)", page)
    assert answer is not None, page
    return answer[1] == "yes"


def shown(browser: Browser, who: str, called: str) -> str:
    """Ask the page which number is seen."""
    page = said(browser.page(f"/outgoing?who={who}&call={called}"))
    answer = re.search(r"Shows ([+\d -]+)", page)
    assert answer is not None, page
    return re.sub(r"\D", "", answer[1])


def rule(browser: Browser, whose: str, *allowed: str) -> int:
    data = {"whose": whose, "allowed": list(allowed)}
    return browser.post("/restrictions/rule", data, at="/restrictions").status_code


def group_of(browser: Browser) -> str:
    found = re.search(r'value="(group:g_[\w-]+)"', browser.page("/outgoing"))
    assert found is not None
    return found[1]


def test_the_nearest_rule_decides_and_saving_takes_away_too(console: Console) -> None:
    admin = console.as_("admin")
    group = group_of(admin)
    try:
        assert admin.post("/restrictions", {"allowed": ["RU", "EURO"]}).status_code == 303
        assert may(admin, "bob", FRANCE)
        assert admin.post("/restrictions", {"allowed": ["RU"]}).status_code == 303
        assert not may(admin, "bob", FRANCE)
        assert may(admin, "bob", MOSCOW)
        assert may(admin, "bob", EMERGENCY)
        assert rule(admin, group, "EURO") == 303
        assert may(admin, "ann", FRANCE)
        assert not may(admin, "ann", MOSCOW), "the department's rule counts, not everybody's"
        assert not may(admin, "bob", FRANCE), "who is in no department"
        assert rule(admin, "user:ann", "179") == 303
        assert may(admin, "ann", MOBILE)
        assert not may(admin, "ann", FRANCE)
        assert rule(admin, "user:ann") == 303
        assert not may(admin, "ann", MOBILE), "nothing chosen: nowhere"
        assert may(admin, "ann", EMERGENCY)
        assert "Ann nowhere" in said(admin.page("/restrictions"))
        gone = {"whose": "user:ann"}
        assert admin.post("/restrictions/rule/delete", gone, at="/restrictions").status_code == 303
        assert may(admin, "ann", FRANCE), "the department's again"
        assert admin.post("/restrictions/rule/delete", gone, at="/restrictions").status_code == 404
        told = said(admin.page("/audit?search=restrictions"))
        assert "restrictions" in told.replace("Search restrictions", "")
    finally:
        admin.post("/restrictions/rule/delete", {"whose": group}, at="/restrictions")
        admin.post("/restrictions/rule/delete", {"whose": "user:ann"}, at="/restrictions")
        admin.post("/restrictions", ALL)
    assert may(admin, "ann", FRANCE)


@pytest.mark.parametrize(
    ("whose", "allowed"),
    [
        ("user:ann", "MARS"),
        ("user:ann", "<b>"),
        ("user:", "RU"),
        ("user:mallory", "RU"),
        ("group:g_none", "RU"),
        ("", "RU"),
        ("group:", "RU"),
    ],
)
def test_a_rule_of_nobody_or_to_nowhere_is_refused(
    console: Console, whose: str, allowed: str
) -> None:
    admin = console.as_("admin")
    data = {"whose": whose, "allowed": allowed}
    answer = admin.post("/restrictions/rule", data, at="/restrictions")
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "<b>" not in answer.text
    assert "/restrictions/rule/delete" not in admin.page("/restrictions"), "no rule was made"


def test_a_wrong_direction_leaves_everybodys_rule(console: Console) -> None:
    admin = console.as_("admin")
    assert admin.post("/restrictions", {"allowed": ["RU", "MARS"]}).status_code == 400
    assert may(admin, "ann", FRANCE)


def test_the_nearest_number_is_seen(console: Console) -> None:
    admin = console.as_("admin")
    group = group_of(admin)
    main = re.search(r'<select id="f-main".*?value="(\d+)"', admin.page("/outgoing"), re.S)
    assert main is not None
    numbers = {k: f"7499000110{n}" for n, k in enumerate(("user", "group", "region"))}
    for telnum in numbers.values():
        data = {"telnum": telnum, "name": "Mine", "domain": "127.0.0.1:9", "login": "x"}
        data |= {"password": "Secret-enough-1", "outgoing": "1"}
        assert admin.post("/connections", data).status_code == 303
    assert admin.post("/outgoing", {"telnum": main[1]}).status_code == 303
    moscow = "region:43"
    for whose, telnum in zip(("user:ann", group, moscow), numbers.values(), strict=True):
        data = {"whose": whose, "telnum": telnum}
        assert admin.post("/outgoing/number", data, at="/outgoing").status_code == 303
    assert shown(admin, "ann", MOSCOW) == numbers["user"]
    assert shown(admin, "head", MOSCOW) == numbers["group"]
    assert shown(admin, "bob", MOSCOW) == numbers["region"]
    assert shown(admin, "bob", FRANCE) == main[1]
    for whose, who in (("user:ann", "ann"), (group, "ann"), (moscow, "ann")):
        data = {"whose": whose}
        assert admin.post("/outgoing/number/delete", data, at="/outgoing").status_code == 303
        again = admin.post("/outgoing/number/delete", data, at="/outgoing")
        assert again.status_code == 404, who
    assert shown(admin, "ann", MOSCOW) == main[1]
    for telnum in numbers.values():
        admin.post("/connections/delete", {"telnum": telnum}, at="/connections")


@pytest.mark.parametrize("whose", ["user:mallory", "group:g_none", "region:999", "", "user:"])
def test_numbers_are_set_only_for_who_is_there_and_with_numbers_of_ours(
    console: Console, whose: str
) -> None:
    admin, other = console.as_("admin"), console.as_("admin", GLOBEX)
    theirs = re.search(r'<option value="(7495\d+)"', other.page("/outgoing"))
    ours = re.search(r'<option value="(7495\d+)"', admin.page("/outgoing"))
    assert theirs is not None
    assert ours is not None
    before = said(admin.page("/outgoing"))
    for telnum, at in ((ours[1], whose), (theirs[1], "user:ann"), ("", "user:ann")):
        data = {"whose": at, "telnum": telnum}
        answer = admin.post("/outgoing/number", data, at="/outgoing")
        assert answer.status_code == 400, data
        assert 'aria-invalid="true"' in answer.text
    assert admin.post("/outgoing", {"telnum": theirs[1]}).status_code == 400
    assert said(admin.page("/outgoing")) == before


def test_a_call_to_no_number_and_of_nobody_is_explained(console: Console) -> None:
    admin = console.as_("admin")
    for query in ("who=ann&call=<b>hello", "who=mallory&call=112", "who=&call=1"):
        for path in ("/restrictions", "/outgoing"):
            page = admin.page(f"{path}?{query}")
            assert 'id="e-call"' in page
            assert "<b>hello" not in page
