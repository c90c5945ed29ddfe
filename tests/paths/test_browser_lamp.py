"""BLF in a browser: a subscription over WebSocket (RFC 7118), by a client nobody here wrote."""

from __future__ import annotations

import asyncio

import pytest

from tests.paths.scene import ANN, BOB, EVE, PASSWORD, Scene
from tests.support.watcher import WebWatcher


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
async def test_a_browser_sees_a_colleague_ring_and_talk_and_ends_with_its_page(
    scene: Scene,
) -> None:
    """NOTIFYs come by its connection, whatever name its Contact invents; a page that is closed
    is told no more, and costs nothing."""
    directory, domain = scene.app.directory, await scene.domain()
    await directory.blf.add(domain, [EVE])
    ann = await scene.phone(ANN)
    assert scene.app.config.http is not None
    url = f"ws://127.0.0.1:{scene.app.config.http.port}/sip"
    browser = WebWatcher(EVE, scene.hop, scene.name, PASSWORD)
    await browser.open(url)
    try:
        made = await browser.subscribe("702")
        assert made.code == 200
        first = await browser.told()
        assert (first.full, first.online, first.states) == (True, True, ["terminated"])
        customer = await scene.customer()
        call = await ann.incoming()
        await saw(browser, "early")
        await call.answer()
        await customer.answered()
        await saw(browser, "confirmed")
        assert (await browser.again(made)).code == 200  # no password: the same connection
        await saw(browser, "confirmed")
        customer.hangup()
        await saw(browser, "terminated")
        before = subscriptions(scene)
    finally:
        await browser.leave()
    bob = await scene.phone(BOB)
    inner = await bob.call("702")
    await (await ann.incoming()).answer()
    await inner.answered()
    inner.hangup()
    async with asyncio.timeout(60):  # the next NOTIFY finds nobody
        while subscriptions(scene) >= before:
            await asyncio.sleep(0.05)


def subscriptions(scene: Scene) -> float:
    """Return how many there are, as the server's metrics tell."""
    found = scene.app.registry.get_sample_value("vpbx_sip_subscriptions")
    assert found is not None
    return found


async def saw(browser: WebWatcher, state: str) -> None:
    while (await browser.told()).states != [state]:
        pass
