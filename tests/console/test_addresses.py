"""Further addresses of a CRM in the console: added, changed, removed."""

from __future__ import annotations

from tests.console.conftest import GLOBEX, Console, said

SENT = {"name": "depot", "url": "https://depot.example/in", "token": "secret-of-depot"}


def test_an_address_is_added_changed_switched_off_and_removed(console: Console) -> None:
    admin, path = console.as_("admin", GLOBEX), "/integration/addresses"
    admin.post("/integration", {"url": "https://crm.example/in", "token": "main", "enabled": "1"})
    for field, wrong in [("name", {**SENT, "name": "No Name"}), ("url", {**SENT, "url": "x"})]:
        refused = admin.post(path, wrong)
        assert refused.status_code == 400
        assert f'id="e-{field}"' in refused.text
        assert SENT["token"] not in refused.text
    admin.post(path, {**SENT, "history": "1"})
    one = f"{path}/depot"
    page = admin.page(one)
    assert 'name="history" value="1" checked' in page
    assert 'name="event" value="1" checked' not in page
    assert SENT["token"] not in page + admin.page("/audit")
    answer = admin.post(one, {"url": "https://new.example/in", "event": "1", "format": "json"})
    assert answer.headers["location"] == path
    assert "https://new.example/in" in said(admin.page(path))
    page = admin.page(one)
    assert 'name="event" value="1" checked' in page
    assert 'name="enabled" value="1" role="switch" checked' not in page
    assert console.as_("admin").get(one).status_code in (303, 404)
    assert console.as_("head", GLOBEX).get(path).status_code == 403
    admin.post(f"{one}/delete", {}, at=one)
    assert admin.get(one).status_code == 404
