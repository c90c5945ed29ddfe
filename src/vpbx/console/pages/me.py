"""My settings: calls that reach me, my password, second factor, sessions, language and colours."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from vpbx.accounts import Refused
from vpbx.addresses import is_address
from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Door, Page
from vpbx.console.qr import qr_svg
from vpbx.console.texts import LANGUAGES, texts
from vpbx.console.visit import THEMES, Visit

ME = "/me"
ENROL = f"{ME}/second-factor"


async def show(visit: Visit) -> Response:
    return await _show(visit)


async def _show(visit: Visit, errors: dict[str, str] | None = None) -> Response:
    session, employee = visit.mine, visit.employee
    redirect = employee.mobile_redirect if employee is not None else None
    kind = "off"
    if redirect is not None and redirect.enabled:
        kind = "only" if redirect.forward else "too"
    needed = await visit.services.accounts.settings.get(session.account.domain_id)
    return visit.page(
        "me/show.html",
        status=400 if errors else 200,
        errors=errors,
        account=session.account,
        sessions=await visit.services.accounts.sessions(session.account),
        redirect=visit.value("redirect") or kind,
        mobile=visit.value("mobile") or (employee.mobile if employee is not None else ""),
        delay=visit.value("delay") or str(redirect.delay if redirect is not None else 0),
        needs_second=employee is not None and employee.role in needed.second_factor,
    )


async def save_calls(visit: Visit) -> Response:
    """Change where an employee's own calls go."""
    employee = visit.employee
    assert employee is not None
    users, kind = visit.services.directory.users, visit.value("redirect", "off")
    values: dict[str, Any] = {
        "mobile": visit.value("mobile"),
        "mobile_redirect": {
            "enabled": kind != "off",
            "forward": kind == "only",
            "delay": visit.value("delay", "0") if kind == "too" else 0,
        },
    }
    try:
        await users.edit(visit.company, employee.login, values)
    except Wrong as error:
        return await _show(visit, errors_of(error, visit.texts))
    receives, waiting = "receives_calls" in visit.form, "call_waiting" in visit.form
    if receives != employee.receives_calls:
        await users.set_dnd(visit.company, employee.login, receives)
    if waiting != employee.call_waiting:
        await users.set_call_waiting(visit.company, employee.login, waiting)
    return visit.go(ME, visit.texts("Saved."))


async def save_look(visit: Visit) -> Response:
    language = visit.value("language")
    if language in LANGUAGES:
        await visit.services.accounts.set_language(visit.mine.account, language)
        visit.texts = texts(language)
    answer = visit.go(ME, visit.texts("Saved."))
    theme = visit.value("theme")
    answer.set_cookie(
        "vpbx-theme",
        theme if theme in THEMES else "",
        max_age=31536000,
        samesite="lax",
        secure=visit.secure,
    )
    return answer


async def save_password(visit: Visit) -> Response:
    new, again = visit.form.get("password"), visit.form.get("again")
    old = visit.form.get("old")
    if not (isinstance(new, str) and isinstance(old, str)) or new != again:
        return await _show(visit, {"again": visit.texts("The two are not the same.")})
    try:
        await visit.services.accounts.change_password(visit.mine, old, new, visit.source)
    except Refused as refused:
        return await _show(visit, errors_of(refused, visit.texts))
    await _note(visit, "password of the console", "•••", "•••")
    note = visit.texts("Your password is changed, and you are logged out everywhere else.")
    return visit.go(ME, note)


async def end_session(visit: Visit) -> Response:
    number = visit.value("session")
    accounts, mine, ended = visit.services.accounts, visit.mine, False
    if number == "others":
        ended = await accounts.end_others(mine.account, mine.id)
    elif number.isdecimal() and len(number) < 10:
        ended = await accounts.end(mine.account, int(number))
    if ended:
        await _note(visit, "sessions", "all others" if number == "others" else "one")
    return visit.go(ME, visit.texts("Ended."))


async def show_second(visit: Visit) -> Response:
    return await _second(visit, visit.services.accounts.second.propose())


async def add_passkey(visit: Visit) -> Response:
    accounts, secret = visit.services.accounts, visit.services.accounts.second.propose()
    try:
        await accounts.passkeys.add(
            visit.mine, visit.site, visit.value("credential"), visit.value("name")
        )
    except Refused as refused:
        return await _second(visit, secret, errors_of(refused, visit.texts))
    await _note(visit, "passkey", "", "added")
    return visit.go(ENROL, visit.texts("From now on the passkey is asked for when you log in."))


async def drop_passkey(visit: Visit) -> Response:
    number = visit.value("passkey")
    if number.isdecimal() and len(number) < 10:
        await visit.services.accounts.passkeys.remove(visit.mine.account, int(number))
        await _note(visit, "passkey", "removed")
    return visit.go(ENROL, visit.texts("Removed."))


async def _second(visit: Visit, secret: str, errors: dict[str, str] | None = None) -> Response:
    account = visit.mine.account
    uri = visit.services.accounts.second.uri(account, secret)
    passkeys = visit.services.accounts.passkeys
    options = ""
    if not is_address(visit.site.host):  # browsers make no passkeys for addresses
        options = await passkeys.to_add(visit.mine, visit.site)
    return visit.page(
        "me/second.html",
        status=400 if errors else 200,
        errors=errors,
        account=account,
        secret=secret,
        options=options,
        passkeys=await passkeys.of(account),
        spaced=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        picture=qr_svg(uri),
    )


async def save_second(visit: Visit) -> Response:
    accounts, account = visit.services.accounts, visit.mine.account
    second, secret = accounts.second, accounts.second.sound(visit.value("secret"))
    if account.has_totp:  # another may only be set by who still has the one there is
        try:
            await accounts.check_code(account, visit.value("code"), visit.source)
        except Refused as refused:
            return await _second(visit, second.propose(), errors_of(refused, visit.texts))
        await second.drop(account)
        await _note(visit, "codes of an app", "on", "off")
        return visit.go(f"{ME}", visit.texts("Your second factor is off."))
    try:
        await second.confirm(account, secret, visit.value("code"), visit.source)
    except Refused as refused:
        return await _second(visit, secret, errors_of(refused, visit.texts))
    await _note(visit, "codes of an app", "off", "on")
    return visit.go(ME, visit.texts("From now on a code is asked for when you log in."))


async def _note(visit: Visit, what: str, before: str = "", after: str = "") -> None:
    """Write down what somebody changed of their own account."""
    await visit.services.audit.note(visit.mine.account.domain_id, what, before, after)


pages = (
    Page(ME, None, get=show, label="My settings", icon="person", door=Door.ANYBODY),
    Page(f"{ME}/calls", Area.MINE, post=save_calls),
    Page(f"{ME}/look", None, post=save_look, door=Door.ANYBODY),
    Page(f"{ME}/password", None, post=save_password, door=Door.ANYBODY),
    Page(f"{ME}/sessions", None, post=end_session, door=Door.ANYBODY),
    Page(ENROL, None, get=show_second, post=save_second, door=Door.ANYBODY, weighty=True),
    Page(f"{ENROL}/passkey", None, post=add_passkey, door=Door.ANYBODY, weighty=True),
    Page(f"{ENROL}/passkey/delete", None, post=drop_passkey, door=Door.ANYBODY, weighty=True),
)
