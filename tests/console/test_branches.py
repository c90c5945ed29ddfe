"""Connected PBXs in the console: added, placed, renamed, disconnected."""

from __future__ import annotations

from tests.console.conftest import ACME, GLOBEX, Console, said

PEER = "office.example"
KEY = "a key of sixteen and more"


def test_a_pbx_is_connected_placed_renamed_and_disconnected(console: Console) -> None:
    admin, path = console.as_("admin"), f"/branches/{PEER}"
    sent = {"domain": PEER, "name": "Office", "key": KEY}
    for field, wrong in [
        ("key", {**sent, "key": "short"}),
        ("domain", {**sent, "domain": ACME}),
        ("name", {**sent, "name": ""}),
    ]:
        refused = admin.post("/branches", wrong)
        assert refused.status_code == 400
        assert f'id="e-{field}"' in refused.text
        assert wrong["key"] not in refused.text, "a key is never shown"
    assert admin.post("/branches", sent).headers["location"] == path
    assert "Office" in said(admin.page("/connections"))
    assert KEY not in admin.page(path)
    assert KEY not in admin.page("/audit")

    admin.post(path, {"url": "https://pbx.office.example", "sip": "192.0.2.7:5060"})
    page = admin.page(path)
    assert 'value="https://pbx.office.example"' in page
    assert 'value="192.0.2.7:5060"' in page
    wrong = {"url": "ftp://x", "sip": "192.0.2.9:5060"}
    refused = admin.post(path, wrong)
    assert refused.status_code == 400
    assert 'id="e-url"' in refused.text
    assert 'value="192.0.2.7:5060"' in admin.page(path), "neither of the two was changed"
    admin.post(path, {"name": "Headquarters"})
    page = admin.page(path)
    assert "Headquarters" in said(page)
    assert 'value="192.0.2.7:5060"' in page

    assert console.as_("admin", GLOBEX).get(path).status_code == 404
    for other, status in ((console.as_("admin", GLOBEX), 404), (console.as_("head"), 403)):
        assert other.post(f"{path}/delete", {}, at="/me").status_code == status
    admin.post(f"{path}/delete", {}, at=path)
    assert admin.get(path).status_code == 404
    assert "Headquarters" in said(admin.page(f"/audit?search={PEER}")), "the log remembers"
