"""What a browser says of itself, as people call it."""

from __future__ import annotations

__all__ = ["browser_of"]

_BROWSERS = (
    ("YaBrowser/", "Yandex"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""Marks in the User-Agent, those first whose browsers name others too."""
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_KINDS = (_BROWSERS, _SYSTEMS)


def browser_of(agent: str) -> str:
    """Return `Chrome · Windows` for a User-Agent; what is no browser's as it is."""
    if not agent.startswith("Mozilla/"):
        return agent
    names = [next((name for mark, name in all_ if mark in agent), "") for all_ in _KINDS]
    return " · ".join(filter(None, names)) or agent
