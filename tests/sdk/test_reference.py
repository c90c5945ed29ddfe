"""The SDK's reference page, made from its docstrings."""

from __future__ import annotations

import re

import vpbx_sdk
from scripts.sdk_reference import page
from vpbx_sdk import api, models


def test_everything_public_is_on_the_page_and_something_is_said_of_it() -> None:
    text = page()
    titles = re.findall(r"^#{3,4} ([\w.]+)", text, re.M)
    assert not {*vpbx_sdk.__all__, *models.__all__} - {"api"} - set(titles)
    assert not {f"api.{name}" for name in api.__all__} - set(titles)
    for name in ("api.users.add", "api.history.external", "Client.each", "Receiver.handle"):
        assert titles.count(name) == 1, name
    said = dict(re.findall(r"^#{3,4} ([\w.]+).*\n\n(.*)$", text, re.M))
    silent = [name for name in titles if name.startswith("api.") and not said.get(name)]
    assert silent == []
