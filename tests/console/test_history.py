"""History: everybody finds what they may see, all of it, once, and nobody else's."""

from __future__ import annotations

import csv
import io
import re

import pytest

from tests.console.calls import HOSTILE, SOUND
from tests.console.conftest import ACME, GLOBEX, Browser, Console, said
from tests.support.command import run_vpbx
from vpbx.console.csvs import line


def all_calls(browser: Browser, query: str = "") -> list[str]:
    """Follow the list to its end; return the ids in the order shown."""
    path, found = f"/history?start=2020-01-01&end=2099-01-01&{query}", []
    while path:
        page = browser.page(path)
        rows = re.search(r"<tbody>(.*)</tbody>", page, re.S)
        found += re.findall(r'class="row" href="/history/(\d+)"', rows[1] if rows else "")
        more = re.search(r'hx-get="([^"]+)"', rows[1] if rows else "")
        path = more[1].replace("&amp;", "&") if more else ""
    return found


def test_the_list_goes_on_to_its_end_and_shows_each_call_once(console: Console) -> None:
    found = all_calls(console.as_("admin"))
    assert len(found) == len(set(found)) == 120
    assert found == sorted(found, reverse=True), "newest first"


def test_everybody_sees_their_own_and_a_head_their_departments(console: Console) -> None:
    everything = set(all_calls(console.as_("admin")))
    anns, bobs = set(all_calls(console.as_("ann"))), set(all_calls(console.as_("bob")))
    heads = set(all_calls(console.as_("head")))
    assert anns == set(all_calls(console.as_("admin"), "user=ann"))
    assert bobs == set(all_calls(console.as_("admin"), "user=bob"))
    assert anns < heads < everything
    of_group = set(all_calls(console.as_("admin"), "group=" + group(console)))
    assert of_group <= heads
    for callid in list(everything - heads)[:3]:
        assert console.as_("head").get(f"/history/{callid}").status_code == 404
        assert console.as_("head").get(f"/history/{callid}/sound").status_code == 404
    assert all_calls(console.as_("ann"), "user=bob") == sorted(anns & bobs, reverse=True)


def group(console: Console) -> str:
    found = re.search(r'<option value="(g_[\w-]+)">Sales', console.as_("admin").page("/history"))
    assert found is not None
    return found[1]


def test_no_call_of_another_company_is_found(console: Console) -> None:
    mine, theirs = all_calls(console.as_("admin")), all_calls(console.as_("admin", GLOBEX))
    assert set(mine).isdisjoint(theirs)
    for path in (f"/history/{theirs[0]}", f"/history/{theirs[6]}/sound"):
        assert console.as_("admin").get(path).status_code == 404
        assert console.as_("admin", GLOBEX).get(path).status_code == 200


@pytest.mark.parametrize(
    ("query", "word", "count"),
    [
        ("kind=missed", "missed", None),
        ("kind=inner", "Bob", None),
        ("client=8 (912) 345-00-05", "+7 912 345-00-05", 1),
        ("client=%2B79123450005", "+7 912 345-00-05", 1),
        ("client=7913", "No calls that fit", 0),
    ],
)
def test_filters_find_what_they_say(
    console: Console, query: str, word: str, count: int | None
) -> None:
    browser = console.as_("admin")
    found = all_calls(browser, query)
    assert word in said(browser.page(f"/history?start=2020-01-01&end=2099-01-01&{query}"))
    assert len(found) == count if count is not None else 0 < len(found) < 120


@pytest.mark.parametrize(
    "query",
    [
        "start=2026-13-99",
        "before=x",
        "before=99999999999999999999-1",
        "kind=%00",
        "user='--",
        "period=never",
        "start=2026-05-01&end=2026-01-01",
        "client=" + "9" * 300,
    ],
)
def test_filters_that_make_no_sense_harm_nothing(console: Console, query: str) -> None:
    assert console.as_("admin").get(f"/history?{query}").status_code in (200, 400)


def test_recordings_play_in_pieces_and_can_be_saved(console: Console) -> None:
    browser = console.as_("admin")
    page = browser.page("/history?start=2020-01-01")
    found = re.search(r'data-play="(/history/\d+/sound)"', page)
    assert found is not None
    answer = browser.get(found[1], headers={"Range": "bytes=256-511"})
    assert (answer.status_code, answer.content) == (206, SOUND[256:512])
    assert answer.headers["content-type"] == "audio/mpeg"
    saved = browser.get(found[1] + "?save=1")
    assert saved.content == SOUND
    assert saved.headers["content-disposition"].startswith("attachment")
    assert console.browser().get(found[1]).status_code == 303, "not without a session"


def test_the_export_has_what_may_be_seen_and_no_formulas(console: Console) -> None:
    for login in ("admin", "ann"):
        browser = console.as_(login)
        answer = browser.get("/history/export?start=2020-01-01&end=2099-01-01")
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.text.startswith("\ufeffTime,")
        rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
        assert [row[-1] for row in rows[1:]] == all_calls(browser)
        assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@")]


def test_texts_from_outside_are_never_part_of_a_page(console: Console) -> None:
    browser = console.as_("admin")
    calls = all_calls(browser)
    pages = ["/history?start=2020-01-01", "/missed?all=1", *(f"/history/{c}" for c in calls[:8])]
    shown = [browser.page(path) for path in pages]
    assert not [page for page in shown if "<script>alert" in page]
    assert sum(HOSTILE in said(page) for page in shown) >= 2, "they are shown, as text"


def test_missed_calls_wait_until_somebody_called_back(console: Console) -> None:
    page = console.as_("admin").page("/missed")
    assert "not called back" in said(page)
    assert 'action="/call"' in page
    answer = console.as_("admin").post(
        "/call", {"phone": "79123450002", "back": "missed"}, at="/missed"
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/missed")
    assert 'role="alert"' in console.as_("admin").page("/missed"), "it says why not"


def test_the_start_counts_what_somebody_sees(console: Console) -> None:
    def figures(login: str) -> list[int]:
        page = console.as_(login).page("/")
        return [int(n) for n in re.findall(r'class="figure">(\d+)<', page)]

    for login in ("admin", "ann"):
        browser = console.as_(login)
        expected = [len(all_calls(browser, f"period=today&kind={kind}")) for kind in ("in", "out")]
        assert figures(login)[:2] == expected
    assert ACME in console.as_("ann").page("/")


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("=1+1", "'=1+1"),
        ("  @SUM(A1)", "  '@SUM(A1)"),
        ("\ufeff=1", "\ufeff'=1"),
        ("Ann;=1", "Ann;'=1"),
        ('Ann;"=1', "Ann;\"'=1"),
        ("Ann\n-1", "Ann\n'-1"),
        ("\uff1d1", "'\uff1d1"),
        ("Ann-Lee, +1 more", "Ann-Lee, +1 more"),
        ("1;2", "1;2"),
    ],
)
def test_no_text_becomes_a_formula_whatever_stands_between_fields(told: str, kept: str) -> None:
    assert next(csv.reader(io.StringIO(line([told, "x"]), newline=""))) == [kept, "x"]


def test_the_path_of_a_call_is_told_and_drawn(console: Console) -> None:
    browser = console.as_("admin")
    newest = all_calls(browser)[0]
    page = browser.page(f"/history/{newest}")
    told = said(page)
    steps = ("comes to: menu", "department: Sales", "rings at: Bob", "talks: <script>", "passed on")
    found = [told.index(step) for step in steps]
    assert found == sorted(found)
    assert "<script>alert" not in page
    assert 'href="/history/1000000999999"' in page, "the call it went on in"
    bars = re.findall(r'<rect class="(\w+)" x="([\d.]+)" y="(\d+)" width="([\d.]+)"', page)
    kinds = [kind for kind, *_ in bars]
    assert sorted(kinds) == ["place", "place", "ring", "ring", "talk"]
    place, talk = (next(b for b in bars if b[0] == kind) for kind in ("place", "talk"))
    assert float(place[1]) == 150.0, "it begins where the call does"
    assert float(talk[3]) > 5 * float(place[3]), "54 s of talk, 2 s of menu"
    other = browser.page(f"/history/{all_calls(browser)[1]}")
    assert 'class="journey"' not in other, "nothing is known of it"
    assert "How it went" in said(other)


def test_a_call_shows_how_its_sound_was_both_ways(console: Console) -> None:
    browser = console.as_("admin")
    newest = all_calls(browser)[0]
    page = said(browser.page(f"/history/{newest}"))
    assert "good 4 lost 1.7 % · jitter 12.5 ms" in page
    assert "poor 2.2 lost 30 %" in page
    assert "their device does not say" in page
    assert "82 ms" in page
    assert "What +7 912 345-00-00 said came badly" in page
    assert "poor sound" in said(browser.page("/history?start=2020-01-01"))


def test_a_call_that_failed_says_why_and_what_to_do(console: Console) -> None:
    browser = console.as_("admin")
    failed = all_calls(browser, "kind=missed")[0]
    page = browser.page(f"/history/{failed}")
    assert HOSTILE not in page
    assert f"The phone of {HOSTILE} did not answer the INVITE at all (408)." in said(page)
    assert "have it register more often" in said(page)
    assert "The caller hung up before anybody answered." in said(page)


def test_the_same_is_said_on_the_command_line(console: Console) -> None:
    newest = all_calls(console.as_("admin"))[0]
    told = console.pbx.vpbx("history", "show", ACME, newest)
    assert told["uid"] == newest
    assert [leg["by"] for leg in told["legs"]] == ["", "first"]
    assert told["legs"][0]["received"] == {
        "packets": 2950,
        "lost": 50,
        "loss_percent": 1.67,
        "jitter_ms": 12.5,
        "mos": 4.02,
        "grade": "good",
    }
    assert told["legs"][0]["sent"] is None
    assert [cause["kind"] for cause in told["causes"]] == ["poor_from"]
    shown = run_vpbx("history", "show", ACME, newest, "--data", str(console.pbx.data)).stdout
    assert "79123450000 by first: opus, there and back 82 ms" in shown
    assert "from them: poor, MOS 2.21: 700 packets, 30.0 % lost" in shown
    assert "Look at their network" in shown
    missing = run_vpbx("history", "show", ACME, "17", "--data", str(console.pbx.data))
    assert missing.returncode == 2
    assert "there is no call 17" in missing.stderr
