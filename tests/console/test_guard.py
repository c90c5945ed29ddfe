"""Nobody does in the console what is not theirs: roles, forged forms, texts from outside."""

from __future__ import annotations

import re

import pytest

from tests.console.conftest import ACME, ROLES, Console, said
from vpbx.console import PAGES
from vpbx.console.application import is_full
from vpbx.console.areas import Area
from vpbx.console.page import Door

EVIL = """<script>alert(1)</script>"'><img src=x onerror=alert(2)>"""
_MAY = {
    "admin": set(Area),
    "head": set(Area) - {Area.COMPANY},
    "ann": set(Area) - {Area.COMPANY, Area.LIVE, Area.REPORTS},
    "bob": {Area.CALLS, Area.MINE},
}
COMPANY_PAGES = [page for page in PAGES if page.door is Door.COMPANY]


@pytest.mark.parametrize("login", ROLES)
def test_each_role_gets_to_its_pages_and_to_no_other(console: Console, login: str) -> None:
    browser = console.as_(login)
    for page in COMPANY_PAGES:
        if page.area in _MAY[login] or page.area is None:
            if page.label:
                assert browser.get(page.path).status_code == 200, page.path
            continue
        path = re.sub(r"\{\w+(:\w+)?\}", "ann", page.path)
        if page.get is not None:
            expected = 303 if path == "/" else 403  # the start of everybody is what they may use
            assert browser.get(path).status_code == expected, path
        if page.post is not None:
            assert browser.post(path, {"name": "Taken over"}, at="/me").status_code == 403, path
    assert "Taken over" not in console.as_("admin").page("/employees")


@pytest.mark.parametrize("login", ROLES)
def test_the_menu_has_what_the_role_may_use_and_nothing_else(console: Console, login: str) -> None:
    browser = console.as_(login)
    menu = re.search(r'<nav class="menu".*?</nav>', browser.page("/me"), re.S)
    assert menu is not None
    paths = re.findall(r'<a href="([^"]+)"', menu[0])
    assert "/me" in paths
    labelled = [page for page in PAGES if page.label]
    assert paths == [p.path for p in labelled if p.area is None or p.area in _MAY[login]]
    for path in paths:
        assert browser.get(path).status_code == 200, path


def test_who_may_not_use_the_start_page_lands_on_one_they_may(console: Console) -> None:
    answer = console.as_("bob").get("/", follow_redirects=True)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://{ACME}.evil.example"},
        {"Origin": f"http://{ACME}", "Sec-Fetch-Site": "cross-site"},
        {"Origin": f"http://{ACME}", "Sec-Fetch-Site": "same-site"},
    ],
)
def test_forms_of_other_sites_are_refused(console: Console, headers: dict[str, str]) -> None:
    admin = console.as_("admin")
    token = re.search(r'name="csrf" value="(\w+)"', admin.page("/employees/new"))
    assert token is not None
    data = {"name": "Forged", "csrf": token[1]}
    answer = admin.client.post("/employees/new", data=data, headers=headers)
    assert answer.status_code == 403
    assert "Forged" not in admin.page("/employees")


@pytest.mark.parametrize("token", ["", "0" * 64, "other"])
def test_forms_without_the_sessions_own_token_are_refused(console: Console, token: str) -> None:
    admin = console.as_("admin")
    if token == "other":
        found = re.search(r'name="csrf" value="(\w+)"', console.as_("head").page("/me"))
        assert found is not None
        token = found[1]
    answer = admin.client.post(
        "/employees/new", data={"name": "Forged", "csrf": token}, headers={"Origin": admin.origin}
    )
    assert answer.status_code == 403
    assert "Forged" not in admin.page("/employees")


@pytest.mark.parametrize("charset", ["punycode", "unicode_escape", "utf-7"])
def test_forms_are_read_as_utf8_whatever_they_name(console: Console, charset: str) -> None:
    """A quarter of a megabyte of punycode takes half a minute, in which nobody is served."""
    browser = console.browser()
    typed = "jose-\\ud800+AGE-dma"
    kind = f"multipart/form-data; boundary=B; charset={charset}"
    body = f'--B\r\nContent-Disposition: form-data; name="login"\r\n\r\n{typed}\r\n--B--\r\n'
    headers = {"Origin": browser.origin, "Content-Type": kind}
    answer = browser.client.post("/login", content=body.encode(), headers=headers)
    assert answer.status_code == 403
    assert f'value="{typed}"' in answer.text


def test_the_login_form_of_another_site_is_refused(console: Console) -> None:
    browser = console.browser()
    browser.origin = "https://evil.example"
    assert browser.log_in("admin").status_code == 403
    assert browser.get("/employees").status_code == 303


def test_whether_a_page_is_there_can_be_asked_without_reading_it(console: Console) -> None:
    """HEAD, as what watches a server asks; it is no form, and needs no page of ours."""
    answer = console.browser().client.head("/login")
    assert (answer.status_code, answer.text) == (200, "")


def test_what_people_type_is_never_part_of_a_page(console: Console) -> None:
    admin = console.as_("admin")
    made = admin.post("/employees/new", {"name": EVIL, "login": "evil", "position": EVIL})
    assert made.status_code == 200
    for path in ("/employees", "/employees/evil", f"/employees?search={EVIL}", "/"):
        page = admin.get(path, params={"search": EVIL} if "?" in path else None).text
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
    assert EVIL in said(admin.page("/employees")) or "alert(1)" in said(admin.page("/employees"))
    wrong = admin.post("/employees/evil", {"name": EVIL, "email": EVIL, "ext": EVIL})
    assert wrong.status_code == 400
    assert "<script>alert" not in wrong.text
    browser = console.browser()
    refused = browser.log_in(EVIL, next=EVIL)
    assert "<script>alert" not in refused.text
    admin.post("/employees/evil/delete", {}, at="/employees/evil")


@pytest.mark.parametrize(
    "path", ["/login", "/", "/employees", "/employees/ann", "/me", "/nothing-here"]
)
def test_pages_run_nothing_inline_and_load_nothing_from_elsewhere(
    console: Console, path: str
) -> None:
    answer = console.as_("admin").get(path)
    if path == "/nothing-here":
        assert answer.status_code == 404
        return
    policy = answer.headers.get("content-security-policy", "")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert not re.search(r"<script(?![^>]*src=)", answer.text)
    assert not re.search(r"<[^>]*\s(style|on\w+)=", answer.text)
    assert not re.search(r'(src|href|action)="(https?:)?//', answer.text)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_of_the_api_runs_nothing_that_is_not_its_own(console: Console) -> None:
    answer = console.browser().get("/crmapi/v1/docs")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("start", ["9" * 18, "9" * 4500, "-1", "\u0663", "1e9", "a\0b"])
def test_no_number_in_an_address_breaks_a_page(console: Console, start: str) -> None:
    admin = console.as_("admin")
    for path, name in (("/employees", "start"), ("/audit", "before"), ("/history", "before")):
        assert admin.get(path, params={name: start}).status_code == 200, path


def test_what_is_typed_holds_no_null(console: Console) -> None:
    """PostgreSQL takes it in no text."""
    refused = console.browser().log_in("nob\0dy")
    assert refused.status_code == 403
    assert "nobdy" in refused.text
    assert console.as_("admin").get("/audit", params={"search": "n\0"}).status_code == 200


def test_bodies_have_a_bound(console: Console) -> None:
    admin = console.as_("admin")
    answer = admin.post("/employees/new", {"name": "x" * 300_000})
    assert answer.status_code == 413


def test_assets_are_kept_by_browsers_and_come_compressed(console: Console) -> None:
    browser = console.browser()
    page = browser.page("/login")
    found = re.search(r'href="(/assets/\w+/console.css)"', page)
    assert found is not None
    answer = browser.get(found[1])
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert ":root" in answer.text
    assert browser.get("/assets/x/../../accounts.py").status_code == 404
    assert browser.get("/assets/x/%2e%2e/__init__.py").status_code == 404
    other = browser.get(re.sub(r"/assets/\w+", "/assets/old", found[1]))
    assert other.headers["cache-control"] == "no-cache"


def test_a_full_disk_is_known_wherever_it_shows() -> None:
    with pytest.raises(OSError) as full, open("/dev/full", "wb", buffering=0) as device:
        device.write(b"x")
    assert is_full(full.value)
    assert is_full(RuntimeError(f"/data/media/1: {full.value.strerror}")), "by who converts sounds"
    with pytest.raises(OSError) as gone:
        open("/dev/none/such")  # noqa: SIM115
    assert not is_full(gone.value)
