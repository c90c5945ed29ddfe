"""Notes and tags: written by who may see the call, found, exported, and in the log of changes."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from xml.etree import ElementTree

import pytest

from tests.console.conftest import ACME, GLOBEX, Console, said
from tests.console.test_history import all_calls
from tests.support.command import run_vpbx

EVIL = '<img src=x onerror="alert(1)">'
CELL = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def sheet(data: bytes) -> list[list[str]]:
    """Return the rows of a workbook's only sheet as texts, empty cells as ""."""
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        root = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
        assert not list(root.iter(f"{CELL}f")), "a formula"
        shared = []
        if "xl/sharedStrings.xml" in book.namelist():
            strings = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
            shared = ["".join(each.itertext()) for each in strings]
    rows = []
    for row in root.iter(f"{CELL}row"):
        found: dict[str, str] = {}
        for cell in row:
            text = "".join(cell.itertext())
            column = re.sub(r"\d", "", cell.get("r", ""))
            found[column] = shared[int(text)] if cell.get("t") == "s" else text
        rows.append([found.get(chr(65 + at), "") for at in range(12)])
    return rows


def test_a_call_is_noted_found_by_its_tag_and_exported(console: Console) -> None:
    browser = console.as_("admin")
    callid = all_calls(browser)[20]
    path = f"/history/{callid}"
    sent = {"note": f"=HYPERLINK(1) {EVIL}\nsecond line", "tags": " vip , Second  visit,VIP,, "}
    assert browser.post(f"{path}/note", sent, at=path).headers["location"] == path
    page = browser.page(path)
    assert EVIL not in page
    assert EVIL in said(page)
    assert 'value="Second visit, VIP"' in page
    assert all_calls(browser, "tag=VIP") == [callid]
    assert all_calls(browser, "tag=nothing") == []
    assert "VIP" in said(browser.page("/history?start=2020-01-01&tag=VIP"))

    query = "/history/export?start=2020-01-01&end=2099-01-01"
    rows = list(csv.reader(io.StringIO(browser.get(query).text.removeprefix("\ufeff"))))
    book = browser.get(f"{query}&as=xlsx")
    assert book.headers["content-disposition"].endswith('.xlsx"')
    cells = sheet(book.content)
    assert [row[-1] for row in cells[1:]] == [row[-1] for row in rows[1:]] == all_calls(browser)
    noted = next(row for row in cells if row[-1] == callid)
    assert noted[9] == "Second visit, VIP"
    assert noted[10].startswith("=HYPERLINK"), "a text, no formula"
    assert float(noted[0]) > 45_000, "a moment that a spreadsheet reckons with"
    assert all(row[7].isdigit() for row in cells[1:])

    changes = said(browser.page(f"/audit?search={callid}"))
    assert "#VIP" in changes
    browser.post(f"{path}/note", {"note": "", "tags": ""}, at=path)
    assert all_calls(browser, "tag=VIP") == []
    assert "VIP" not in browser.page("/history?start=2020-01-01")


def test_only_who_sees_a_call_writes_to_it(console: Console) -> None:
    mine, theirs = all_calls(console.as_("ann")), all_calls(console.as_("admin"))
    path = f"/history/{mine[0]}"
    console.as_("ann").post(f"{path}/note", {"note": "ann was here", "tags": "ann"}, at=path)
    assert "ann was here" in said(console.as_("admin").page(path))
    other = next(each for each in theirs if each not in mine)
    foreign = all_calls(console.as_("admin", GLOBEX))[0]
    for callid in (other, foreign):
        sent = {"note": "not mine", "tags": ""}
        assert console.as_("ann").post(f"/history/{callid}/note", sent, at=path).status_code == 404
    assert "not mine" not in console.as_("admin").page(f"/history/{other}")
    secret = {"note": "", "tags": "to be dismissed"}
    admin = console.as_("admin")
    admin.post(f"/history/{other}/note", secret, at=f"/history/{other}")
    for page in (f"/history/{mine[0]}", "/history?start=2020-01-01"):
        assert secret["tags"] in admin.page(page)
        assert secret["tags"] not in console.as_("ann").page(page), "tags of calls they see alone"
        assert re.search('[>"]ann[<"]', console.as_("ann").page(page))
    admin.post(f"/history/{other}/note", {"note": "", "tags": ""}, at=f"/history/{other}")
    assert all_calls(console.as_("admin", GLOBEX), "tag=ann") == []
    assert ">ann<" not in console.as_("admin", GLOBEX).page("/history")


def test_what_is_wrong_is_said_and_nothing_is_changed(console: Console) -> None:
    browser = console.as_("admin")
    path = f"/history/{all_calls(browser)[30]}"
    for field, sent in [
        ("note", {"note": "x" * 2001, "tags": "kept"}),
        ("tags", {"note": "n", "tags": "y" * 41}),
        ("tags", {"note": "n", "tags": ",".join(f"t{each}" for each in range(11))}),
    ]:
        answer = browser.post(f"{path}/note", sent, at=path)
        assert answer.status_code == 400
        assert f'id="e-{field}"' in answer.text
        assert sent["note"][:100] in answer.text, "what was written is not lost"
        assert '<textarea id="f-note" name="note" rows="3"></textarea>' in browser.page(path)


def test_the_command_line_reads_and_writes_notes(console: Console) -> None:
    browser, vpbx = console.as_("admin"), console.pbx.vpbx
    callid = all_calls(browser)[30]
    assert vpbx("history", "note", ACME, callid)["note"] == ""
    vpbx("history", "note", ACME, callid, "--text", "By command", "--tag", "shell")
    told = vpbx("history", "note", ACME, callid, "--tag", "other")
    assert (told["note"], told["tags"]) == ("By command", ["other"])
    assert "By command" in said(browser.page(f"/history/{callid}"))
    assert {"tag": "other"} in vpbx("history", "tags", ACME)
    assert "By command" in said(browser.page("/audit?search=By command"))
    written = ("history", "note", ACME, callid, "--text", "[/by] hand")
    shown = run_vpbx(*written, "--data", console.pbx.data)
    assert "[/by] hand #other" in shown.stdout, shown
    told = vpbx("history", "note", ACME, callid, "--text", "", "--no-tags")
    assert (told["note"], told["tags"]) == ("", [])
    with pytest.raises(AssertionError, match="there is no call"):
        vpbx("history", "note", GLOBEX, callid)
