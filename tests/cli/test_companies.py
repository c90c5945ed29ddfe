"""Companies, employees, numbers, carriers, keys and CRMs by command."""

from __future__ import annotations

import stat

from .conftest import Cli


def test_company_is_set_up_by_commands_alone(cli: Cli) -> None:
    made = cli.json("domain", "add", "acme.example", "--timezone", "Europe/Berlin")
    assert made.keys() == {"domain", "login", "ext", "password"}
    assert (made["domain"], made["login"], made["ext"]) == ("acme.example", "admin", "701")
    assert len(made["password"]) >= 8

    employee = cli.json("user", "add", "acme.example", "Olga Ivanova", "--login", "olga")
    assert (employee["login"], employee["ext"]) == ("olga", "702")
    assert len(employee["password"]) >= 8

    group = cli.json("group", "add", "acme.example", "Sales", "--member", "olga", "--member", "701")
    assert group["users"] == ["olga", "admin"]

    trunk = cli.json("trunk", "add", "main", "--address", "192.0.2.1:5070")
    assert trunk["address"] == "192.0.2.1:5070"

    number = cli.json(
        *("number", "add", "acme.example", "+49 30 1234567"),
        *("--trunk", "main", "--group", group["id"]),
    )
    assert (number["telnum"], number["group"], number["trunk"]) == (
        *("49301234567", group["id"]),
        "main",
    )

    key = cli.json("key", "add", "acme.example", "--right", "Employees:View")
    assert key.keys() == {"id", "key"}
    (listed,) = cli.json("key", "list", "acme.example")
    assert (listed["id"], listed["rights"]) == (key["id"], ["Employees:View"])
    assert key["key"] not in str(listed)
    cli.json("key", "revoke", "acme.example", str(key["id"]))
    assert cli.json("key", "list", "acme.example") == []

    crm = cli.json(
        *("crm", "set", "acme.example", "--url", "https://crm.example/x", "--token", "s3cret"),
        *("--format", "json"),
    )
    assert (crm["url"], crm["format"], crm["enabled"]) == ("https://crm.example/x", "json", True)
    assert not cli.json("crm", "set", "acme.example", "--off")["enabled"]
    assert "s3cret" not in str(cli.json("crm", "show", "acme.example"))

    rule = cli.json("crm", "responsible", "acme.example", "49301234567", "--fallback", "olga")
    assert (rule["responsible_first"], rule["fallback"]) == (True, "olga")
    (company,) = cli.json("domain", "list")
    assert (company["enabled"], company["timezone"]) == (True, "Europe/Berlin")
    assert stat.S_IMODE(cli.data.stat().st_mode) == 0o700


def test_people_are_shown_the_password_once_and_tables_after(cli: Cli) -> None:
    done = cli.run("domain", "add", "acme.example", "--password", "correct horse")
    assert "correct horse" in done.stdout
    assert "shown this once" in done.stdout
    listed = cli.run("user", "list", "acme.example")
    assert "Administrator" in listed.stdout
    assert "correct" not in listed.stdout
    again = cli.json("user", "password", "acme.example", "701")
    assert len(again["password"]) >= 8


def test_wrong_values_are_status_2_and_name_the_field(cli: Cli) -> None:
    for words, told in (
        (("domain", "add", "Not A Domain"), "domain"),
        (("domain", "add", "acme.example", "--timezone", "Mars/Base"), "timezone"),
        (("user", "list", "nobody.example"), "nobody.example"),
        (("domain", "list", "--database", "mysql://u:p@h/d"), "--database"),
        (("trunk", "add", "main", "--address", "nowhere:99999"), "address"),
    ):
        done = cli.run(*words)
        assert done.returncode == 2, words
        assert told in done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr


def test_database_that_cannot_be_reached_is_a_fault_without_its_password(cli: Cli) -> None:
    cli.json("domain", "add", "acme.example")
    done = cli.run("domain", "list", "--database", "postgresql://u:hunter2@127.0.0.1:1/x")
    assert done.returncode == 1
    assert "cannot be used" in done.stderr
    assert "hunter2" not in done.stderr
