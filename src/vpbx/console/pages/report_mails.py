"""Reports by e-mail: which, when and to whom; one may be sent at once."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Page
from vpbx.console.report_table import BY_WORDS, IN_TIME_S
from vpbx.console.visit import Visit
from vpbx.directory import NotFound
from vpbx.reporting import ReportMail

LIST = "/reports/mail"
EVERY_WORDS = {
    "day": "Every day, of the day before",
    "week": "On Mondays, of the week before",
    "month": "On the first, of the month before",
}
_FIELDS = ("to", "every", "at", "by", "group", "in_time")
_NEW = {"every": "week", "at": "08:00", "by": "day", "in_time": "20", "group": "", "to": ""}


async def list_(visit: Visit) -> Response:
    return await _page(visit, None, _NEW)


async def show(visit: Visit) -> Response:
    mail = await _mail(visit)
    values = {
        "every": mail.every,
        "at": mail.at,
        "by": mail.by,
        "group": mail.group,
        "in_time": str(mail.in_time_s),
        "to": ", ".join(mail.recipients),
    }
    return await _page(visit, mail, values)


async def _mail(visit: Visit) -> ReportMail:
    number = visit.path("mail")
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise NotFound("no such report")
    return await visit.services.report_mails.get(visit.company, int(number))


async def _page(
    visit: Visit,
    mail: ReportMail | None,
    values: dict[str, str],
    errors: dict[str, str] | None = None,
) -> Response:
    domain, say = visit.company, visit.texts
    in_times = sorted({*IN_TIME_S, *([mail.in_time_s] if mail else [])})
    return visit.page(
        "reports/mail.html",
        status=400 if errors else 200,
        errors=errors,
        mails=await visit.services.report_mails.list(domain),
        mail=mail,
        values=values,
        sends=visit.services.sends_mail,
        every_words=EVERY_WORDS,
        by_words=BY_WORDS,
        groups=[("", say("all")), *((g.id, g.name) for g in domain.departments.values())],
        in_times=[(n, say.count("{n} second", "{n} seconds", n)) for n in in_times],
    )


def _sent(visit: Visit) -> dict[str, str]:
    return {name: visit.value(name) for name in _FIELDS}


async def add(visit: Visit) -> Response:
    values = _sent(visit)
    try:
        made = await visit.services.report_mails.add(visit.company, values)
    except Wrong as error:
        return await _page(visit, None, values, errors_of(error, visit.texts))
    await _note(visit, "", made)
    return visit.go(LIST, visit.texts("Saved."))


async def save(visit: Visit) -> Response:
    mail, values = await _mail(visit), _sent(visit)
    try:
        changed = await visit.services.report_mails.edit(visit.company, mail.id, values)
    except Wrong as error:
        return await _page(visit, mail, values, errors_of(error, visit.texts))
    await _note(visit, _told(mail), changed)
    return visit.go(LIST, visit.texts("Saved."))


async def delete(visit: Visit) -> Response:
    mail = await _mail(visit)
    await visit.services.report_mails.remove(visit.company, mail.id)
    await _note(visit, _told(mail), None)
    return visit.go(LIST, visit.texts("Removed."))


async def send(visit: Visit) -> Response:
    mail = await visit.services.report_mails.send_now(visit.company, (await _mail(visit)).id)
    to = ", ".join(mail.recipients)
    await visit.services.audit.note(visit.company.id, "report by e-mail", "", f"sent to {to}")
    return visit.go(LIST, visit.texts("It is on its way to {to}.", to=to))


async def _note(visit: Visit, before: str, after: ReportMail | None) -> None:
    told = _told(after) if after is not None else ""
    await visit.services.audit.note(visit.company.id, "report by e-mail", before, told)


def _told(mail: ReportMail) -> str:
    told: list[Any] = [mail.every, mail.at, mail.by, mail.group, *mail.recipients]
    return " ".join(filter(None, told))


pages = (
    Page(LIST, Area.COMPANY, get=list_, post=add, weighty=True),
    Page(f"{LIST}/{{mail}}", Area.COMPANY, get=show, post=save, weighty=True),
    Page(f"{LIST}/{{mail}}/delete", Area.COMPANY, post=delete),
    Page(f"{LIST}/{{mail}}/send", Area.COMPANY, post=send),
)
