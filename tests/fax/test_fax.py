"""Faxes that are really sent: by sound and by T.38, in calls through a real server."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from PIL import Image
from structlog.testing import capture_logs

from tests.fax.caller import FaxScene, Way
from tests.paths.scene import CUSTOMER
from tests.support.fax import PacketCalling, page, pages_in, same_picture, write_tiff
from vpbx.sip import Sdp

_AT_ONCE = 16
"""So many faxes a company takes at a time."""
PHONES = {way: f"7910123450{way.value}" for way in Way}


async def test_faxes_of_every_kind_arrive_at_once_dot_by_dot(
    scene: FaxScene, tmp_path: Path
) -> None:
    """Over sound, with packets that overtake each other; over T.38 that we offer, that they
    offer, that is all there is, with every seventh of their packets lost; over sound though T.38
    was agreed on before; beside junk of strangers."""
    pages = {way: page(number, rows=160) for number, way in enumerate(Way)}
    callers = {}
    for way, picture in pages.items():
        tiff = write_tiff(tmp_path / f"{way.name}.tiff", [picture])
        callers[way] = await scene.fax(way, tiff, PHONES[way])
        callers[way].packets.lose = lambda number: number % 7 == 0
    results = await asyncio.gather(*(caller.done() for caller in callers.values()), _junk(callers))
    assert results[:-1] == ["OK"] * len(callers)
    await scene.crm.until(lambda: len(scene.crm.of("history")) == len(callers))
    assert [Sdp.parse(offer).media[0].kind for offer in callers[Way.TAKES].offers] == ["image"]
    rows = {row["client"]: row for row in await scene.rows()}
    told = {command["phone"]: command for command in scene.crm.of("history")}
    for way, picture in pages.items():
        row, history = rows[PHONES[way]], told[PHONES[way]]
        assert (row["status"], row["destination"], row["account"]) == ("success", "user", "fax")
        assert (history["status"], history["user"]) == ("Success", "ann")
        assert history["callid"] == row["uid"]
        assert history["link"].partition("/crmapi/")[2] == row["record"].partition("/crmapi/")[2]
        assert history["link"].endswith(".pdf")
        kind, content = await scene.download(history["link"])
        assert kind == "application/pdf"
        [arrived] = pages_in(content)
        assert same_picture(arrived, picture), way
    await scene.mail.until(len(callers))
    assert set(scene.mail.recipients) == {"ann@acme.example"}
    letters = {str(letter["subject"]): letter for letter in scene.mail.letters}
    for way, picture in pages.items():
        letter = letters[f"Факс от +{PHONES[way]}"]
        body = letter.get_body()
        assert body is not None
        assert "Страниц: 1" in body.get_content()
        [attachment] = letter.iter_attachments()
        assert attachment.get_content_type() == "application/pdf"
        assert same_picture(pages_in(attachment.get_content())[0], picture)
    assert list(scene.app.data.spool.glob("*.tif")) == []


async def _junk(callers: dict[Way, object]) -> None:
    """A stranger sends whatever to the ports that T.38 goes to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for turn in range(200):
            for caller in callers.values():
                machine = caller.machine  # type: ignore[attr-defined]
                if isinstance(machine, PacketCalling):
                    stranger.sendto(bytes([0, turn % 256, 1, 6, 0, 0]), machine.remote)
            await asyncio.sleep(0.02)


async def test_who_hangs_up_amid_a_page_has_sent_those_before_it(
    scene: FaxScene, tmp_path: Path
) -> None:
    pages = [page(11, rows=120), page(12, rows=900)]
    several = await scene.fax(Way.ONLY, write_tiff(tmp_path / "two.tiff", pages), "79101234567")
    one = await scene.fax(Way.REFUSES, write_tiff(tmp_path / "one.tiff", pages[1:]), "79101234568")
    await several.until_pages(1)
    await asyncio.sleep(3)  # into the second page
    assert several.machine.pages_sent == 1
    several.close()
    one.close()
    await scene.crm.until(lambda: len(scene.crm.of("history")) == 2)
    rows = {row["client"]: row for row in await scene.rows()}
    assert [rows[number]["status"] for number in sorted(rows)] == ["success", "missed"]
    assert [rows[number]["account"] for number in sorted(rows)] == ["fax", "fax"]
    assert rows["79101234568"]["record"] == ""
    _, content = await scene.download(rows["79101234567"]["record"])
    [arrived] = pages_in(content)
    assert same_picture(arrived, pages[0])
    await scene.mail.until(1)
    body = scene.mail.letters[0].get_body()
    assert body is not None
    assert "Передача прервалась" in body.get_content()
    assert {command["user"] for command in scene.crm.of("history")} == {"ann"}
    assert list(scene.app.data.spool.glob("*.tif")) == []


async def test_with_all_machines_at_work_the_next_sender_is_told_busy(
    scene: FaxScene, tmp_path: Path
) -> None:
    tiff = write_tiff(tmp_path / "one.tiff", [page(1, rows=900)])
    at_work = [await scene.fax(Way.ONLY, tiff, f"791012345{n:02}") for n in range(_AT_ONCE)]
    await asyncio.wait_for(asyncio.gather(*(each.began.wait() for each in at_work)), 60)
    caller = await scene.fax(Way.REFUSES, tiff)
    await asyncio.wait_for(caller.over.wait(), 30)
    assert caller.code == 486
    [command] = await scene.crm.until(lambda: scene.crm.of("history"))
    assert (command["status"], command["user"], command["phone"]) == ("Missed", "ann", CUSTOMER)
    assert await scene.row() == "in missed user fax"


async def test_pages_that_cannot_be_made_a_pdf_are_kept_and_said_to_be(
    scene: FaxScene, tmp_path: Path
) -> None:
    """Here the folder of PDFs cannot be made, because there is a file of that name."""
    (scene.app.data.records / str((await scene.domain()).id)).touch()
    picture = page(41, rows=60)
    with capture_logs() as logs:
        caller = await scene.fax(Way.ONLY, write_tiff(tmp_path / "one.tiff", [picture]))
        assert await caller.done() == "OK"
        await scene.told()
    assert await scene.row() == "in success user fax"
    [said] = [entry for entry in logs if entry["log_level"] == "error"]
    [kept] = said["files"]
    with Image.open(kept) as arrived:
        assert same_picture(arrived.convert("1"), picture)
    Path(kept).unlink()
