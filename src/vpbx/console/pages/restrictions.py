"""Restrictions: where employees may call, by everybody's rule, a department's or their own."""

from __future__ import annotations

from starlette.responses import Response

from vpbx.console.areas import Area
from vpbx.console.forms import Wrong, errors_of
from vpbx.console.page import Page
from vpbx.console.trial import tried
from vpbx.console.visit import Visit
from vpbx.directory import ordered

RESTRICTIONS = "/restrictions"
DIRECTION_WORDS = {
    "ALL": "Everywhere",
    "LOCAL": "Home region",
    "RU": "Russia",
    "179": "Mobile phones of Russia",
    "CIS": "CIS countries",
    "BALT": "Lithuania, Latvia, Estonia",
    "EURO": "Europe",
    "ASIA": "Asia",
    "NA": "North America",
    "SA": "South America",
    "AFR": "Africa",
    "AUS": "Australia and Oceania",
    "OTH": "Satellites and others",
}
"""Directions of crm-api §13, in the order in which the page has them."""


async def show(visit: Visit) -> Response:
    return _show(visit)


def _show(visit: Visit, errors: dict[str, str] | None = None) -> Response:
    domain = visit.company
    rules = domain.settings.restrictions
    employees, departments = domain.employees, domain.departments
    return visit.page(
        "restrictions.html",
        status=400 if errors else 200,
        errors=errors,
        main=rules.main,
        users=[
            (login, f"{employees[login].ext} {employees[login].name}", ordered(allowed))
            for login, allowed in rules.users.items()
            if login in employees
        ],
        groups=[
            (gid, departments[gid].name, ordered(allowed))
            for gid, allowed in rules.groups.items()
            if gid in departments
        ],
        others=[each for login, each in employees.items() if login not in rules.users],
        other_groups=[each for gid, each in departments.items() if gid not in rules.groups],
        direction_words=DIRECTION_WORDS,
        trial=tried(visit),
    )


async def save_main(visit: Visit) -> Response:
    rules = visit.services.directory.restrictions
    try:
        await rules.set_main(visit.company, visit.values("allowed"))
    except Wrong as error:
        return _show(visit, errors_of(error, visit.texts))
    return visit.go(RESTRICTIONS, visit.texts("Saved."))


async def save(visit: Visit) -> Response:
    """Make the rule of an employee (`user:ann`) or department (`group:…`) exactly this one."""
    kind, _, name = visit.value("whose").partition(":")
    rules, allowed = visit.services.directory.restrictions, visit.values("allowed")
    try:
        if kind == "group":
            await rules.set_groups(visit.company, [{"id": name, "allowed": allowed}])
        else:
            await rules.set_users(visit.company, [{"login": name, "allowed": allowed}])
    except Wrong as error:
        wrong = errors_of(error, visit.texts)
        return _show(visit, {name.rpartition(".")[2]: text for name, text in wrong.items()})
    return visit.go(RESTRICTIONS, visit.texts("Saved."))


async def delete(visit: Visit) -> Response:
    kind, _, name = visit.value("whose").partition(":")
    rules = visit.services.directory.restrictions
    await (rules.delete_group if kind == "group" else rules.delete_user)(visit.company, name)
    return visit.go(RESTRICTIONS, visit.texts("Removed."))


pages = (
    Page(
        RESTRICTIONS,
        Area.COMPANY,
        get=show,
        post=save_main,
        label="Restrictions",
        icon="restrict",
        weighty=True,
    ),
    Page(f"{RESTRICTIONS}/rule", Area.COMPANY, post=save, weighty=True),
    Page(f"{RESTRICTIONS}/rule/delete", Area.COMPANY, post=delete, weighty=True),
)
