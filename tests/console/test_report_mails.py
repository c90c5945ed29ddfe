"""Reports by e-mail: what the page shows arrives, to whom it was said, and to nobody else."""

from __future__ import annotations

import csv
import io
import re
from email.message import EmailMessage

import pytest

from tests.console.calls import HOSTILE
from tests.console.conftest import GLOBEX, Browser, Console, said, soon

LIST = "/reports/mail"


def paths(browser: Browser) -> list[str]:
    """Return the paths of the reports that the page shows."""
    return re.findall(rf'href="({LIST}/\d+)"', browser.page(LIST))


def parts(letter: EmailMessage) -> tuple[str, str, str]:
    """Return the plain text, the HTML and the table of a letter."""
    plain, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert plain is not None
    assert html is not None
    [table] = letter.iter_attachments()
    assert table.get_content_type() == "text/csv"
    assert table.get_filename().endswith(".csv")
    content = table.get_content()
    text = content if isinstance(content, str) else content.decode()
    return plain.get_content(), html.get_content(), text


def test_a_report_arrives_with_the_figures_of_the_page(console: Console) -> None:
    admin = console.as_("admin")
    data = {"to": "boss@acme.example; second@acme.example", "every": "day", "at": "08:00"}
    assert admin.post(LIST, {**data, "by": "employee", "in_time": "30"}).status_code == 303
    [path] = paths(admin)
    assert "boss@acme.example, second@acme.example" in said(admin.page(LIST))
    shown = admin.page(path)
    assert '<option value="employee" selected>' in shown
    assert '<option value="30" selected>' in shown
    try:
        assert admin.post(path + "/send", {}, at=LIST).status_code == 303
        [letter], [copy] = (console.mail.to(f"{who}@acme.example") for who in ("boss", "second"))
        assert letter["Subject"] == copy["Subject"]
        query = "period=yesterday&by=employee&in_time=30"
        exported = admin.get(f"/reports/export?{query}").text
        plain, html, table = parts(letter)
        assert list(csv.reader(io.StringIO(table))) == list(csv.reader(io.StringIO(exported)))
        page = said(admin.page(f"/reports?{query}"))
        for line in ("Incoming", "Missed", "Service level"):
            figure = re.search(rf"([\d ]+ ?%?|—) {line}", page)
            assert figure is not None
            assert f"{figure[1]} {line}" in said(html)
        assert "Europe/Moscow" in plain
        assert "/reports" in plain
    finally:
        assert admin.post(path + "/delete", {}, at=LIST).status_code == 303
    assert paths(admin) == []
    assert "report by e-mail" in said(admin.page("/audit?search=by e-mail"))


def test_a_letter_speaks_the_companys_language_and_takes_no_marks_from_names(
    console: Console,
) -> None:
    admin, vpbx = console.as_("admin", GLOBEX), console.pbx.vpbx
    vpbx("domain", "set", GLOBEX, "--language", "ru")
    try:
        group = vpbx("group", "add", GLOBEX, HOSTILE)
        soon(lambda: group["id"] in admin.page("/departments"))
        more = ("--every", "week", "--at", "07:15", "--group", group["id"])
        made = vpbx("report-mail", "add", GLOBEX, "--to", "ru@globex.example", *more)
        assert (made["at"], made["by"], made["group"]) == ("07:15", "day", group["id"])
        assert HOSTILE not in admin.page(LIST)
        assert admin.post(f"{LIST}/{made['id']}/send", {}, at=LIST).status_code == 303
        [letter] = console.mail.to("ru@globex.example")
    finally:
        vpbx("domain", "set", GLOBEX, "--language", "en")
        soon(lambda: '<html lang="en"' in admin.page(LIST))
    assert letter["Subject"].startswith("Звонки ")
    plain, html, table = parts(letter)
    assert "Входящие: 0" in plain
    assert HOSTILE not in html
    assert "&lt;script&gt;" in html
    assert len(table.splitlines()) == 8, "a week, and the heads"
    assert "Входящие" in table
    vpbx("group", "remove", GLOBEX, group["id"], "--yes")
    soon(lambda: "The department is gone" in said(admin.page(LIST)))
    more = ("--group", "all", "--by", "hour")
    changed = vpbx("report-mail", "change", GLOBEX, str(made["id"]), *more)
    assert (changed["group"], changed["by"], changed["at"]) == ("", "hour", "07:15")
    vpbx("report-mail", "remove", GLOBEX, str(made["id"]))
    assert vpbx("report-mail", "list", GLOBEX) == []


def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(console: Console) -> None:
    admin = console.as_("admin")
    answer = admin.post(LIST, {"to": "nobody", "every": "day", "at": "25:00", "by": "day"})
    assert answer.status_code == 400
    assert "&#39;nobody&#39; is not an e-mail address" in answer.text
    assert "Must be a time of day as 08:00" in answer.text
    assert 'value="nobody"' in answer.text
    assert paths(admin) == []


@pytest.mark.parametrize("login", ["head", "ann", "bob"])
def test_only_administrators_send_reports_and_only_their_companys(
    console: Console, login: str
) -> None:
    made = console.pbx.vpbx("report-mail", "add", GLOBEX, "--to", "a@globex.example")
    path = f"{LIST}/{made['id']}"
    try:
        assert console.as_(login, GLOBEX).get(LIST).status_code == 403
        assert console.as_("admin").get(path).status_code == 404
        for act in ("", "/send", "/delete"):
            answer = console.as_("admin").post(path + act, {"to": "x@acme.example"}, at=LIST)
            assert answer.status_code == 404
        assert console.pbx.vpbx("report-mail", "list", GLOBEX) == [made]
    finally:
        console.pbx.vpbx("report-mail", "remove", GLOBEX, str(made["id"]))
