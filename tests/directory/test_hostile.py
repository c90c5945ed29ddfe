"""Whatever a client sends, an operation answers Invalid or NotFound, never anything else."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vpbx.directory import Directory, DomainConfig, Invalid, NotFound, normalize

JUNK: list[Any] = [
    *(None, "", " ", "x", "701", "admin", "ALL", "RU", "true", "1", "group", "user", "ivr"),
    *(
        "scheduler",
        "telnum",
        "voicemail",
        "\x00",
        "a\x00b",
        "\ud800",
        "\ud800" * 9,
        "long password",
        "\u202e",
        "é" * 300,
        "*",
    ),
    *("7900*", "79101234567", "+" * 20, "🙂", "%", "'; --", "monday", "2024-01-01", "9999-99-99"),
    *("https://x.example", "http://[::1", "http://x:99999", "a@b.example", "0" * 400),
    *(0, 1, -1, 5, 15, 86_400, 2**31, 2**63, -(2**70), 1.5, float("inf"), float("nan")),
    *(True, False, [], {}, [[]], [{}], ["701"], ["\x00"], [None], [1, True], {"x": 1}),
    *({"enabled": True}, {"target": "user"}, {"subtype": "ivr"}, {"monday": {"start": 1}}),
    *({"items": [{"button": "1", "type": "user"}]}, [{"login": "admin", "calls_enable": 1}]),
    *([{"login": "\x00", "allowed": ["RU"]}], [{"telnum": "\ud800"}], "pbx-" + "x" * 12),
]
FIELDS = (
    *("name", "login", "password", "position", "email", "ext", "role", "mobile", "domain", "key"),
    *("mobile_redirect", "call_order", "call_duration", "timeout", "advanced", "users", "type"),
    *("queue_position", "add", "remove", "calls_disable", "position", "greeting", "user", "group"),
    *("ivr", "work", "other", "schedule", "custom_routes", "greeting_file", "days", "start", "end"),
    *("route_id", "route_name", "calendar_predefined", "telnum", "id", "active", "auth_name"),
    *("expires", "proxy", "outgoing", "url", "token", "format", "networks", "origins", "enabled"),
    *("timezone", "country", "language", "limit_users", "ring_timeout_s", "contact_timeout_s"),
    *("am_email", "allowed", "comment"),
)


async def test_operations_survive_anything(directory: Directory, acme: DomainConfig) -> None:
    d = directory
    await d.telnums.add(acme, "74957654321")
    await d.telnums.add(acme, "74957654322")
    await d.telnums.edit(
        acme,
        "74957654322",
        {
            "type": "scheduler",
            "greeting": True,
            "work": {"subtype": "message"},
            "other": {"subtype": "message"},
            "schedule": {},
        },
    )
    group = (await d.groups.add(acme, {"name": "g"})).id
    chosen = random.Random(20261123)

    def values() -> dict[str, Any]:
        return {field: chosen.choice(JUNK) for field in FIELDS if chosen.random() < chosen.random()}

    def text() -> str:
        return chosen.choice([each for each in JUNK if isinstance(each, str)])

    operations = (
        lambda: d.users.add(acme, values()),
        lambda: d.users.edit(acme, "701", values()),
        lambda: d.users.edit(acme, text(), values()),
        lambda: d.users.set_subscription(acme, "701", True, text()),
        lambda: d.groups.add(acme, values()),
        lambda: d.groups.edit(acme, group, values()),
        lambda: d.groups.change_users(acme, group, values()),
        lambda: d.telnums.edit(acme, "74957654321", values()),
        lambda: d.telnums.edit(acme, text(), values()),
        lambda: d.telnums.add_interval(acme, "74957654322", values()),
        lambda: d.telnums.add_special_day(acme, "74957654322", values()),
        lambda: d.telnums.delete_interval(acme, "74957654322", text()),
        lambda: d.blacklist.add(acme, [values(), values()]),
        lambda: d.blacklist.delete(acme, [text()]),
        lambda: d.blf.add(acme, [text(), text()]),
        lambda: d.am_groups.delete(acme, [text()]),
        lambda: d.music.set(acme, "holdmusic", text()),
        lambda: d.media.delete(acme, text()),
        lambda: d.caller_ids.set_main(acme, values()),
        lambda: d.caller_ids.set_region(acme, values()),
        lambda: d.caller_ids.set_user(acme, values()),
        lambda: d.caller_ids.delete_region(acme, text()),
        lambda: d.restrictions.add_main(acme, [text()]),
        lambda: d.restrictions.add_users(acme, [values()]),
        lambda: d.restrictions.add_groups(acme, [values()]),
        lambda: d.sip_registrations.add(acme, values()),
        lambda: d.sip_registrations.delete(acme, text()),
        lambda: d.sipuri_transfers.add(acme, values()),
        lambda: d.branches.add(acme, values()),
        lambda: d.branches.delete(acme, text()),
        lambda: d.webhooks.add(acme, values()),
        lambda: d.webhooks.delete(acme, text()),
        lambda: d.integrations.set(acme, values()),
        lambda: d.companies.edit(acme, values()),
    )
    refused = 0
    for _ in range(600):
        try:
            await chosen.choice(operations)()  # type: ignore[no-untyped-call]
        except (Invalid, NotFound):
            refused += 1
    assert refused > 100
    assert await d.domain("acme.example") is not None


@given(st.text(max_size=40), st.sampled_from(["RU", "US", "DE", "XX"]))
def test_any_text_is_a_number_or_invalid(text: str, country: str) -> None:
    try:
        digits = normalize(text, country)
    except Invalid:
        return
    assert digits.isascii()
    assert digits.isdigit()
