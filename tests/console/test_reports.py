"""Reports count what history has: the same calls, by the same people's right to see them."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import Counter, defaultdict

import pytest

from tests.console.conftest import ACME, GLOBEX, Browser, Console, said

ROLES = ("admin", "head")


def rows(browser: Browser, path: str, query: str) -> list[dict[str, str]]:
    """Return an exported table, by its English heads."""
    answer = browser.get(f"{path}/export?{query}")
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def ever(browser: Browser) -> str:
    """Return a time in which all calls lie; reports take no more than a year."""
    found = browser.get("/history/export?start=2020-01-01&end=2099-01-01").text.splitlines()
    days = sorted(re.findall(r"^(\d{4}-\d\d-\d\d) ", "\n".join(found), re.M))
    return f"start={days[0]}&end={days[-1]}"


def kept_calls(browser: Browser, query: str) -> list[dict[str, str]]:
    """Return the calls with the outside that history shows."""
    calls = rows(browser, "/history", query)
    return [call for call in calls if call["Kind"] in ("Incoming", "Outgoing")]


def tally(calls: list[dict[str, str]]) -> dict[str, str]:
    """Count calls as a reader of history would."""
    came = [c for c in calls if c["Kind"] == "Incoming"]
    went = [c for c in calls if c["Kind"] == "Outgoing"]
    taken = [c for c in came if c["Ended"] == "talked"]
    return {
        "Incoming": str(len(came)),
        "Answered": str(len(taken)),
        "Missed": str(len(came) - len(taken)),
        "Outgoing": str(len(went)),
        "Reached": str(sum(c["Ended"] == "talked" for c in went)),
        "Talk in all, s": str(sum(int(c["Talk, s"]) for c in calls)),
    }


@pytest.mark.parametrize("login", ROLES)
@pytest.mark.parametrize(
    ("by", "key"),
    [
        ("day", lambda call: call["Time"][:10]),
        ("hour", lambda call: "{0}:00–{0}:59".format(call["Time"][11:13])),
        ("department", lambda call: call["Department"] or "no department"),
        ("employee", lambda call: call["Employee"]),
    ],
)
def test_each_report_counts_the_calls_of_history(
    console: Console, login: str, by: str, key: object
) -> None:
    browser = console.as_(login, GLOBEX)
    calls = defaultdict(list)
    time = ever(browser)
    for call in kept_calls(browser, time):
        calls[key(call)].append(call)  # type: ignore[operator]
    assert calls
    report = {row["By " + by]: row for row in rows(browser, "/reports", f"{time}&by={by}")}
    assert {name for name, row in report.items() if row["Incoming"] != "0"} <= set(calls)
    for name, found in calls.items():
        expected = tally(found)
        assert {column: report[name][column] for column in expected} == expected, name
        answered = int(expected["Answered"])
        assert report[name]["Average wait, s"] == ("6" if answered else ""), (
            "as the calls were made"
        )


def test_the_service_level_asks_how_quickly(console: Console) -> None:
    admin = console.as_("admin", GLOBEX)
    time = ever(admin)
    total = Counter[str]()
    for row in rows(admin, "/reports", f"{time}&by=department"):
        total.update({k: int(row[k]) for k in ("Incoming", "Answered", "Abandoned", "Missed")})
    level = round(100 * total["Answered"] / total["Incoming"])
    assert f"{level} % Service level" in said(admin.page(f"/reports?{time}&in_time=10"))
    assert total["Abandoned"] == total["Missed"], "no message was left in any of these calls"


def test_a_report_of_one_department_and_of_no_other_company(console: Console) -> None:
    admin, other = console.as_("admin"), console.as_("admin", GLOBEX)
    time = ever(admin)
    group = re.search(r'<option value="(g_[\w-]+)">Sales', admin.page("/reports"))
    assert group is not None
    calls = [c for c in kept_calls(admin, time) if c["Department"] == "Sales"]
    found = rows(admin, "/reports", f"{time}&by=department&group={group[1]}")
    assert [row["By department"] for row in found] == ["Sales"]
    assert found[0]["Incoming"] == tally(calls)["Incoming"]
    assert rows(other, "/reports", f"{time}&by=department&group={group[1]}") == []


@pytest.mark.parametrize("by", ["day", "hour", "employee", "department"])
def test_pages_draw_and_export_each_report(console: Console, by: str) -> None:
    admin = console.as_("admin")
    page = admin.page(f"/reports?{ever(admin)}&by={by}")
    assert ('<svg class="bars"' in page) is (by in ("day", "hour"))
    assert re.search(r"In all \d+", said(page))
    sheet = admin.get(f"/reports/export?{ever(admin)}&by={by}&as=xlsx")
    assert zipfile.ZipFile(io.BytesIO(sheet.content)).testzip() is None


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("start=2000-01-01&end=2026-01-01", 400),
        ("start=x&end=y", 400),
        ("period=never&by=moon&in_time=-1&group=%3Cb%3E", 200),
        ("start=2026-05-02&end=2026-05-01", 400),
        ("start=2099-01-01&end=2099-01-02", 200),
    ],
)
def test_what_makes_no_sense_is_explained_or_left_out(
    console: Console, query: str, status: int
) -> None:
    answer = console.as_("admin").get(f"/reports?{query}")
    assert answer.status_code == status
    assert ('role="alert"' in answer.text) is (status == 400)
    assert "<b>" not in answer.text


@pytest.mark.parametrize("login", ["ann", "bob"])
def test_reports_are_for_those_who_lead(console: Console, login: str) -> None:
    assert console.as_(login, ACME).get("/reports/export").status_code == 403


def test_the_command_line_counts_the_same(console: Console) -> None:
    admin = console.as_("admin", GLOBEX)
    start, end = re.findall(r"\d{4}-\d\d-\d\d", ever(admin))
    told = console.pbx.vpbx("report", GLOBEX, "--start", start, "--end", end)
    shown = rows(admin, "/reports", f"start={start}&end={end}&by=day")
    assert [
        (row["day"], str(row["incoming"]), str(row["missed"]), str(row["talked"])) for row in told
    ] == [(row["By day"], row["Incoming"], row["Missed"], row["Talk in all, s"]) for row in shown]
