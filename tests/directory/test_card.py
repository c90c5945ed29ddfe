"""Where a customer's card is: what may be set, and that no caller decides where a link leads."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from vpbx.db import Database
from vpbx.directory import Directory, Invalid, card_url
from vpbx.directory.card import check_card_url

PATTERN = "https://crm.example/card?phone={phone}&callid={callid}&who={name}"


@pytest.mark.parametrize(
    "wrong",
    [
        "javascript:alert(1)//{phone}",
        "JAVASCRIPT:alert(1)",
        "data:text/html,{name}",
        "//crm.example/{phone}",
        "/card?phone={phone}",
        "https://{phone}.example/",
        "https://crm.example{name}/",
        "https://user:pass@crm.example/",
        "https://good.example\\@evil.example/",
        "https:///card",
        "https://crm.example/{other}",
        "https://crm.example/{phone!r}",
        "https://crm.example/{phone.x}",
        "https://crm.example/{",
        "https://crm.example:port/{phone}",
        "https://crm.example/\r\nSet-Cookie: a",
        'https://crm.example/"onclick="x',
        "https://crm.example/" + "x" * 2000,
    ],
)
def test_what_is_no_address_of_a_card(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"must|cannot|may"):
        check_card_url(wrong)


def test_values_are_encoded_whatever_they_are() -> None:
    name = "https://evil.example/?a=b&c={phone}#'\"><script>\r\n Иван"
    made = card_url(PATTERN, {"phone": "79101234567", "callid": "20", "name": name})
    parts = urlsplit(made)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "crm.example", "/card")
    asked = parse_qs(parts.query)
    assert asked["phone"] == ["79101234567"]
    assert asked["who"][0].startswith("https://evil.example/?a=b&c=")
    assert made.isascii()
    assert not set(made) & set("\"'<> \r\n#")
    assert card_url("", {"phone": "1"}) == ""


async def test_the_company_has_a_card_and_sites(sqlite_database: Database) -> None:
    directory = Directory(sqlite_database)
    domain = (await directory.companies.add("acme.example")).domain
    sites = ["https://CRM.example/", "http://127.0.0.1:8100", "https://crm.example"]
    domain = await directory.companies.edit(
        domain, {"crm_card_url": PATTERN, "widget_origins": sites}
    )
    assert domain.crm_card_url == PATTERN
    assert domain.widget_origins == ("https://crm.example", "http://127.0.0.1:8100")
    wrong: list[tuple[str, object]] = [
        ("crm_card_url", "javascript:alert(1)"),
        *(
            ("widget_origins", [each])
            for each in (
                "*",
                "null",
                "https://*.example",
                "https://crm.example/path",
                "https://crm.example;script-src *",
                "https://a@crm.example",
                "crm.example",
                "ftp://crm.example",
            )
        ),
    ]
    for field, value in wrong:
        with pytest.raises(Invalid, match=field):
            await directory.companies.edit(domain, {field: value})
    domain = await directory.companies.edit(domain, {"crm_card_url": "", "widget_origins": []})
    assert (domain.crm_card_url, domain.widget_origins) == ("", ())
