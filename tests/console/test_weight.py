"""Pages are light, and whatever they name is the server's own."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import vpbx.console
from tests.console.conftest import ACME, Console
from vpbx.console import PAGES

BUNDLE = Path(vpbx.console.__file__).parent / "static/bundle/console.js"
MOST_SCRIPT = 120_000
"""Bytes of JavaScript that a page loads, as they go over the wire."""
_NAMED = re.compile(r'\b(?:src|action|formaction|hx-get|hx-post|data-\w+)="((?:https?:)?//[^"]*)"')


@pytest.mark.parametrize("path", [page.path for page in PAGES if page.label])
def test_a_page_loads_little_and_from_here_alone(console: Console, path: str) -> None:
    if not BUNDLE.exists():
        pytest.skip("the scripts are not installed: make setup")
    admin = console.as_("admin")
    page = admin.page(path)
    scripts = re.findall(r'<script src="([^"]+)"', page)
    assert scripts, "a page without its scripts says nothing of their weight"
    weight = sum(len(gzip.compress(admin.get(each).content)) for each in scripts)
    assert weight <= MOST_SCRIPT
    assert [at for at in _NAMED.findall(page) if urlsplit(at).hostname != ACME] == []
