"""A real Chromium, and what is asked of every page in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import expect as expect_async
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
AXE = ROOT / "build/axe.js"
SCREENSHOTS = ROOT / "screenshots"
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP *.vpbx.example 127.0.0.1")
_PATIENCE_MS = 30_000
expect.set_options(timeout=_PATIENCE_MS)
expect_async.set_options(timeout=_PATIENCE_MS)
_RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


def program() -> str:
    """Return where the system's Chromium is."""
    path = shutil.which("chromium")
    assert path is not None, "chromium is missing: scripts/setup-system.sh installs it"
    return path


@contextmanager
def chromium(*more: str) -> Iterator[Browser]:
    """Start the system's Chromium; names below vpbx.example are this machine."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=[*_ARGUMENTS, *more])
        yield browser
        browser.close()


@contextmanager
def another(browser: Browser, *more: str) -> Iterator[Browser]:
    """Start one more Chromium, with options of its own."""
    opened = browser.browser_type.launch(executable_path=program(), args=[*_ARGUMENTS, *more])
    yield opened
    opened.close()


def barriers(page: Page) -> list[str]:
    """Return what on a page keeps people out (WCAG 2.2 AA, as far as axe finds it)."""
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate("rules => axe.run({runOnly: rules})", _RULES)
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}: {each['nodes'][0]['failureSummary']}"
        for each in found["violations"]
    ]


def cramped(page: Page) -> list[str]:
    """Return what is hidden beyond the edge of its card, and what a finger cannot hit.

    Regions that say that they scroll (`tabindex`) may; targets are of 24 pixels (WCAG 2.5.8) but
    for links in a sentence.
    """
    found: list[str] = page.evaluate(_CRAMPED)
    return found


_CRAMPED = """() => {
  const wrong = [];
  const seen = (each) => each.checkVisibility({visibilityProperty: true, opacityProperty: true});
  for (const card of document.querySelectorAll("main .card"))
    if (card.scrollWidth > card.clientWidth + 2 && !card.hasAttribute("tabindex") && seen(card))
      wrong.push(`hidden beyond ${card.clientWidth} px: ${card.textContent.trim().slice(0, 60)}`);
  for (const each of document.querySelectorAll("a, button, input, select, textarea, summary")) {
    if (!seen(each) || each.closest(".hidden, .skip, svg")) continue;
    const target = each.closest("label") ?? each;
    const {width, height} = target.getBoundingClientRect();
    const inText = each.matches("a") && getComputedStyle(each).display === "inline";
    if (width && !inText && (width < 24 || height < 24))
      wrong.push(`${Math.round(width)} x ${Math.round(height)}: ${each.outerHTML.slice(0, 80)}`);
  }
  return wrong;
}"""


def shoot(page: Page, name: str) -> None:
    """Keep pictures of a page for who looks at them later: light and dark."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=SCREENSHOTS / f"{name}-dark.png", full_page=True)
    page.emulate_media(color_scheme="light")
