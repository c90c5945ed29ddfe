"""Getting in: passwords, invitations, sessions, second factors, and who does not get in."""

from __future__ import annotations

import re
import time

import pyotp
import pytest

from tests.console.conftest import ACME, GLOBEX, PASSWORD, Browser, Console, said, soon


def add(console: Console, login: str, role: str = "user") -> str:
    """Add an employee in the console and return the token of their invitation."""
    admin = console.as_("admin")
    made = admin.post("/employees/new", {"name": login.title(), "login": login, "role": role})
    assert made.status_code == 200, made.text
    return invite(console, login)


def invite(console: Console, login: str) -> str:
    page = (
        console.as_("admin").post(f"/employees/{login}/invite", {}, at=f"/employees/{login}").text
    )
    found = re.search(r'value="https?://[^/]+/invite/([\w-]+)"', page)
    assert found is not None, page
    return found[1]


def accept(browser: Browser, token: str, password: str = PASSWORD) -> int:
    answer = browser.post(f"/invite/{token}", {"password": password, "again": password})
    return answer.status_code


def test_what_opens_something_by_itself_is_in_no_log(console: Console) -> None:
    """Who reads the log while somebody mistypes a new password could take the invitation."""
    token = add(console, "mistypes")
    browser = console.browser()
    typed = {"password": PASSWORD, "again": PASSWORD + "x"}
    assert browser.post(f"/invite/{token}", typed).status_code == 400
    assert browser.get(f"/invite/{token}x").status_code == 404
    link = "a" * 22
    assert browser.get(f"/provision/{link}/none.xml").status_code == 404
    log = console.pbx.log()
    assert token not in log
    assert link not in log


def test_who_is_not_logged_in_is_sent_to_the_login_and_back(console: Console) -> None:
    browser = console.browser()
    answer = browser.get("/employees?search=a%26b")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/employees%3Fsearch%3Da%2526b"
    page = browser.page(answer.headers["location"])
    assert 'value="/employees?search=a%26b"' in page
    done = browser.log_in("admin", next="/employees?search=a%26b")
    assert (done.status_code, done.headers["location"]) == (303, "/employees?search=a%26b")


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "evil.example",
        "\\\\evil.example",
        "/%0d%0aSet-Cookie:a=b\r\nX: y",
    ],
)
def test_nobody_is_sent_to_another_site_after_logging_in(console: Console, path: str) -> None:
    done = console.browser().log_in("admin", next=path)
    assert (done.status_code, done.headers["location"]) == (303, "/")


def test_a_wrong_password_and_an_unknown_login_are_refused_alike(console: Console) -> None:
    browser = console.browser()
    wrong = browser.log_in("head", "not the password")
    unknown = browser.log_in("nobody-here", "not the password")
    assert (wrong.status_code, unknown.status_code) == (403, 403)
    assert "Login or password is wrong" in said(wrong.text)
    assert said(wrong.text) == said(unknown.text)


def test_the_password_of_the_phone_opens_nothing(console: Console) -> None:
    made = console.as_("admin").post("/employees/new", {"name": "Phone", "login": "phone"})
    secret = re.search(r'id="secret">(\w+)<', made.text)
    assert secret is not None
    invite(console, "phone")
    assert console.browser().log_in("phone", secret[1]).status_code == 403


def test_login_takes_the_ext_and_the_full_name_of_its_own_company_only(console: Console) -> None:
    assert console.browser().log_in(f"admin@{ACME}").status_code == 303
    assert console.browser().log_in("701").status_code == 303
    assert console.browser().log_in(f"admin@{GLOBEX}").status_code == 403
    assert console.browser("127.0.0.1").log_in(f"admin@{GLOBEX}").status_code == 303
    assert console.browser("127.0.0.1").log_in("admin").status_code == 403
    assert console.browser("127.0.0.1").log_in("admin@nowhere.example").status_code == 403


def test_a_session_counts_at_its_own_company_only(console: Console) -> None:
    browser = console.browser()
    browser.enter("admin")
    assert browser.get("/employees").status_code == 200
    browser.client.headers["Host"] = GLOBEX
    assert browser.get("/employees").headers["location"].startswith("/login")


def test_the_session_cookie_is_out_of_reach_and_new_at_each_login(console: Console) -> None:
    browser = console.browser()
    browser.client.cookies.set("vpbx", "chosen-by-somebody-else")
    answer = browser.log_in("admin")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "chosen-by-somebody-else" not in cookie
    stale = console.browser()
    stale.client.cookies.set("vpbx", "chosen-by-somebody-else")
    assert stale.get("/employees").status_code == 303


def test_logging_out_ends_the_session_on_the_server(console: Console) -> None:
    browser = console.browser()
    browser.enter("admin")
    token = browser.client.cookies["vpbx"]
    assert browser.post("/logout", {}, at="/").status_code == 303
    again = console.browser()
    again.client.cookies.set("vpbx", token)
    assert again.get("/employees").status_code == 303


def test_an_invitation_counts_once_and_the_newest_only(console: Console) -> None:
    older = add(console, "carol")
    newer = invite(console, "carol")
    assert console.browser().get(f"/invite/{older}").status_code == 404
    assert accept(console.browser(), newer) == 303
    assert console.browser().get(f"/invite/{newer}").status_code == 404
    assert console.browser().get("/invite/made-up").status_code == 404
    console.browser().enter("carol")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "10 to 256"),
        ("aaaaaaaaaaaa", "easy"),
        ("password123", "easy"),
        ("x" * 257, "10 to"),
    ],
)
def test_a_weak_password_is_refused_and_the_invitation_stays(
    console: Console, password: str, why: str
) -> None:
    browser, token = console.browser(), invite(console, "bob")
    answer = browser.post(f"/invite/{token}", {"password": password, "again": password})
    assert answer.status_code == 400
    assert why in said(answer.text)
    assert console.browser().get(f"/invite/{token}").status_code == 200


def test_guessing_is_braked_for_who_guesses_and_for_one_account(console: Console) -> None:
    accept(console.browser(), add(console, "dora"))
    browser = console.browser()
    codes = [browser.log_in("dora", f"guess number {n}").status_code for n in range(10)]
    assert codes == [403] * 8 + [429] * 2
    assert browser.log_in("dora").status_code == 429, "the right one is no way round"
    assert "minutes" in said(browser.log_in("dora").text)
    assert browser.log_in("head").status_code == 303, "others get in"


def test_a_new_password_ends_all_other_sessions(console: Console) -> None:
    accept(console.browser(), add(console, "emil"))
    here, there = console.browser(), console.browser()
    here.enter("emil")
    there.enter("emil")
    assert said(here.page("/me")).count("End") >= 2
    wrong = here.post(
        "/me/password",
        {"old": "not this", "password": "entirely new one", "again": "entirely new one"},
        at="/me",
    )
    assert wrong.status_code == 400
    assert there.get("/me").status_code == 200
    done = here.post(
        "/me/password",
        {"old": PASSWORD, "password": "entirely new one", "again": "entirely new one"},
        at="/me",
    )
    assert done.status_code == 303
    assert here.get("/me").status_code == 200
    assert there.get("/me").status_code == 303
    assert console.browser().log_in("emil").status_code == 403
    console.browser().enter("emil", "entirely new one")


def test_one_session_can_be_ended_from_another_and_nobody_elses(console: Console) -> None:
    accept(console.browser(), add(console, "fritz"))
    here, there, other = console.browser(), console.browser(), console.browser()
    here.enter("fritz")
    there.enter("fritz")
    other.enter("head")
    numbers = re.findall(r'name="session" value="(\d+)"', here.page("/me"))
    assert len(numbers) == 2 or len(numbers) == 1  # that of the invitation, and `there`
    for number in numbers:
        other.post("/me/sessions", {"session": number}, at="/me")
    assert there.get("/me").status_code == 200, "not the session of somebody else"
    for number in numbers:
        here.post("/me/sessions", {"session": number}, at="/me")
    assert there.get("/me").status_code == 303


def test_codes_of_an_app_are_asked_for_and_count_once(console: Console) -> None:
    accept(console.browser(), add(console, "gina"))
    browser = console.browser()
    browser.enter("gina")
    page = browser.page("/me/second-factor")
    secret = re.search(r'name="secret" value="(\w+)"', page)
    assert secret is not None
    app = pyotp.TOTP(secret[1])
    assert "<svg" in page
    wrong = browser.post("/me/second-factor", {"secret": secret[1], "code": "000000"})
    assert wrong.status_code == 400
    code = app.now()
    done = browser.post("/me/second-factor", {"secret": secret[1], "code": code})
    assert done.status_code == 303
    fresh = console.browser()
    assert fresh.log_in("gina").headers["location"] == "/login/code"
    assert fresh.get("/me").headers["location"] == "/login/code", "half logged in is not in"
    assert fresh.post("/login/code", {"code": code}).status_code == 403, "used already"
    later = app.at(time.time() + 30)
    assert fresh.post("/login/code", {"code": later}).status_code == 303
    assert fresh.get("/me").status_code == 200


def test_a_role_that_needs_a_second_factor_gets_nowhere_without(console: Console) -> None:
    accept(console.browser(), add(console, "ines", "group_head"))
    admin, ines = console.as_("admin"), console.browser()
    ines.enter("ines")
    assert ines.get("/history").status_code == 200
    needed = {"second_factor": "group_head", "idle_h": "12", "longest_h": "100"}
    assert admin.post("/safety", {**needed, "idle_h": "0"}).status_code == 400
    assert admin.post("/safety", needed).status_code == 303
    try:
        for path in ("/", "/history", "/live", "/me", "/live/stream"):
            assert ines.get(path).headers["location"] == "/me/second-factor", path
        page = ines.page("/me/second-factor")
        secret = re.search(r'name="secret" value="(\w+)"', page)
        assert secret is not None
        code = pyotp.TOTP(secret[1]).now()
        ines.post("/me/second-factor", {"secret": secret[1], "code": code})
        assert ines.get("/history").status_code == 200
        assert "safety" in admin.page("/audit?search=safety")
    finally:
        admin.post("/safety", {"idle_h": "12", "longest_h": "168"})


def test_an_operator_sees_the_companies_and_works_in_one(console: Console) -> None:
    token = console.tokens["", "root"]
    browser = console.browser("127.0.0.1")
    assert accept(browser, token) == 303
    assert browser.get("/employees").headers["location"] == "/operator"
    page = browser.page("/operator")
    assert ACME in page
    assert GLOBEX in page
    assert browser.post(f"/operator/enter/{GLOBEX}", {}, at="/operator").status_code == 303
    assert "Administrator" in browser.page("/employees")
    browser.post("/operator/leave", {}, at="/operator")
    assert browser.get("/employees").headers["location"] == "/operator"
    assert console.browser("127.0.0.1").log_in("root").status_code == 403, "no employee"
    again = console.browser("127.0.0.1")
    assert again.log_in("root", **{"as": "operator"}).status_code == 303
    for login in ("admin", "ann"):
        refused = console.as_(login).get("/operator")
        assert refused.status_code == 403


def test_an_invitation_goes_by_mail_and_to_nobody_who_has_no_address(console: Console) -> None:
    admin, vpbx = console.as_("admin"), console.pbx.vpbx
    vpbx("user", "add", ACME, "Mary <b>", "--login", "mary", "--email", "mary@acme.example")
    soon(lambda: admin.get("/employees/mary").status_code == 200)
    page = admin.page("/employees/mary")
    assert "Invite by e-mail" in page
    assert "Invite by e-mail" not in admin.page("/employees/bob")
    sent = {"mail": "1"}
    answer = admin.post("/employees/mary/invite", sent, at="/employees/mary")
    assert answer.status_code == 303
    assert "/invite/" not in admin.page("/employees/mary"), "the link is theirs alone"
    assert admin.post("/employees/bob/invite", sent, at="/employees/bob").status_code == 404
    [letter] = console.mail.to("mary@acme.example")
    assert ACME in letter["Subject"]
    plain, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert "Mary &lt;b&gt;" in html.get_content()
    found = re.search(r"https?://[^/\s]+(/invite/[\w-]+)", plain.get_content())
    assert found is not None
    browser = console.browser()
    typed = {"password": "purple giraffe 77", "again": "purple giraffe 77"}
    assert browser.post(found[1], typed).status_code == 303
    told = vpbx("user", "invite", ACME, "mary", "--mail")
    assert set(told) == {"login", "to", "expires_at"}
    assert "invited mary by mail to mary@acme.example" in said(admin.page("/audit?search=mary"))
    with pytest.raises(AssertionError, match="has no e-mail address"):
        vpbx("user", "invite", ACME, "bob", "--mail")
    with pytest.raises(AssertionError, match="is not an e-mail address"):
        vpbx("operator", "add", "night", "--mail", "nowhere")
    letters = vpbx("mail", "queue")
    assert [each["recipient"] for each in letters] in ([], ["mary@acme.example"])
