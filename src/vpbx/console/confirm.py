"""What is weighty asks for the password again, unless it was given within the last ten minutes.

A session may be somebody else's: a browser left open, a cookie that was copied. It must not be
enough for what outlives it: ways in, rights, passwords, where a company's data goes. Which pages
these are stands with each page (`Page.weighty`). The form that was sent is kept in the page that
asks, and goes on its way with the password; nothing has to be typed twice.
"""

from __future__ import annotations

from vpbx.accounts import Refused
from vpbx.console.admit import Turned
from vpbx.console.forms import errors_of
from vpbx.console.page import Page
from vpbx.console.visit import Visit

__all__ = ["FIELD", "confirm"]

FIELD = "confirm-password"
"""The field of the page that asks."""
_OWN = frozenset(("csrf", FIELD))


async def confirm(page: Page, visit: Visit) -> None:
    """Raise `Turned` with the page that asks, where the page is weighty and nobody has proved
    who they are; TooMany when too many wrong passwords were given."""
    session, accounts = visit.mine, visit.services.accounts
    weighty = page.weighty
    if not (weighty if isinstance(weighty, bool) else await weighty(visit)):
        return
    if accounts.proofs.is_recent(session.id):
        return
    errors: dict[str, str] = {}
    password = visit.form.get(FIELD)
    if isinstance(password, str):
        try:
            await accounts.confirm(session, password, visit.source, field=FIELD)
        except Refused as refused:
            errors = errors_of(refused, visit.texts)
        else:
            return
    kept = [
        (name, value)
        for name, value in visit.form.multi_items()
        if isinstance(value, str) and name not in _OWN
    ]
    answer = visit.page(
        "confirm.html", status=403, errors=errors, kept=kept, path=visit.request.url.path
    )
    raise Turned(answer)
