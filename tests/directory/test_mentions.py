"""What depends on something is told before it is deleted."""

from __future__ import annotations

from vpbx.directory import Directory, mentions


async def test_everything_that_names_an_employee_or_a_department_is_told(
    directory: Directory,
) -> None:
    domain, _ = await directory.companies.add("acme.example")
    await directory.users.add(domain, {"name": "Olga", "login": "olga"})
    sales = await directory.groups.add(
        domain, {"name": "Sales", "users": [{"login": "olga", "calls_enable": True}]}
    )
    back = await directory.groups.add(
        domain, {"name": "Back office", "timeout": {"target": "user", "user": "olga"}}
    )
    for telnum in ("74950000001", "74950000002", "74950000003", "74950000004"):
        await directory.telnums.add(domain, telnum)
    telnums = directory.telnums
    await telnums.edit(domain, "74950000001", {"type": "user", "user": "olga", "greeting": False})
    menu = {
        "name": "Nested",
        "greeting": False,
        "items": [
            {
                "button": "1",
                "type": "ivr",
                "ivr": {
                    "name": "Inner",
                    "greeting": False,
                    "items": [
                        {"button": "2", "type": "user", "user": "olga"},
                        {"button": "3", "type": "group", "group": sales.id},
                    ],
                },
            }
        ],
    }
    await telnums.edit(domain, "74950000002", {"type": "ivr", "greeting": False, "ivr": menu})
    route = {"subtype": "user", "user": "701", "greeting": False}
    await telnums.edit(
        domain,
        "74950000003",
        {
            "type": "scheduler",
            "greeting": False,
            "work": {"subtype": "group", "group": sales.id, "greeting": False},
            "other": route,
            "schedule": {},
            "custom_routes": [
                {
                    "name": "Night",
                    "subtype": "user",
                    "user": "olga",
                    "greeting": False,
                    "interval_schedule": [{"days": ["monday"], "start": 0, "end": 3600}],
                    "calendar_schedule": [],
                }
            ],
        },
    )
    await directory.integrations.set_responsible(
        domain, "74950000004", enabled=True, fallback="olga"
    )
    await directory.blf.add(domain, ["olga"])
    await directory.am_users.add(domain, ["olga"])
    await directory.record_exceptions.add(domain, ["olga"])
    await directory.caller_ids.set_user(domain, {"login": "olga", "telnum": "74950000004"})
    await directory.restrictions.add_users(domain, [{"login": "olga", "allowed": ["RU"]}])

    current = await directory.current(domain)
    assert set(mentions.of_employee(current, current.employees["olga"])) == {
        "answers number 74950000001",
        "in the menu or schedule of number 74950000002",
        "in an extra route of number 74950000003",
        "takes calls to 74950000004 that the responsible employee does not",
        "takes calls that department Back office does not take in time",
        "member of department Sales",
        "on the BLF list",
        "on who gets voicemail",
        "on the list of who is never recorded",
        "calls with number 74950000004",
        "has call restrictions of their own",
    }
    assert set(mentions.of_department(current, current.departments[sales.id])) == {
        "in the menu or schedule of number 74950000002",
        "in the menu or schedule of number 74950000003",
        "members: olga",
    }
    assert mentions.of_department(current, current.departments[back.id]) == []
    assert mentions.of_number(current, current.numbers["74950000004"]) == [
        "shown for employee olga"
    ]
    assert mentions.of_number(current, current.numbers["74950000001"]) == [
        "the main number of the company"
    ]
