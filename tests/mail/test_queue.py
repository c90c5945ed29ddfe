"""Letters reach a real mail server; later, if it has to be; never twice while all goes well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.mail import MailServer
from vpbx.clock import LoopClock
from vpbx.db import Database, Writer
from vpbx.mail import Letter, MailQueue, Smtp


class Clock(LoopClock):
    """Time that a test lets pass, and a wall clock that it sets."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_s = self.set_by_s = 0.0

    def now(self) -> float:
        return super().now() + self.passed_s

    def time(self) -> float:
        return super().time() + self.passed_s + self.set_by_s


class Post:
    """A queue on a database, and the clock it goes by."""

    def __init__(
        self, database: Database, files: Path, url: str, *, patience_s: float = 0.0
    ) -> None:
        self.database = database
        self.clock = Clock()
        self.writer = Writer(database)
        smtp = Smtp.parse(url, "pbx@acme.example") if url else None
        if smtp is not None and patience_s:
            smtp = replace(smtp, patience_s=patience_s)
        self.queue = MailQueue(database, smtp, files, clock=self.clock)

    async def __aenter__(self) -> Post:
        await self.writer.start()
        await self.queue.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.queue.stop()
        await self.writer.stop()

    async def put(self, **changes: str) -> None:
        letter = {"recipient": "olga@acme.example", "subject": "Сообщение", "body": "Ольга!\n"}
        self.writer.submit(self.queue.put(Letter(1, **{**letter, **changes})))
        await self.writer.flush()

    def pass_time(self, seconds: float) -> None:
        self.clock.passed_s += seconds
        self.queue.wake()

    async def until_empty(self) -> None:
        async with asyncio.timeout(30):
            while await self.queue.pending():
                await asyncio.sleep(0.02)


async def until(look: Callable[[], bool], timeout_s: float = 30) -> None:
    async with asyncio.timeout(timeout_s):
        while not look():
            await asyncio.sleep(0.02)


async def test_letter_arrives_with_its_recording_and_leaves_the_queue(
    database: Database, tmp_path: Path, server: MailServer
) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "call.mp3").write_bytes(b"ID3 sound")
    async with Post(database, tmp_path, server.url) as post:
        await post.put(attachment="1/call.mp3", attachment_name="message.mp3")
        await server.until(1)
        [letter] = server.letters
        assert letter["Subject"] == "Сообщение"
        assert (letter["To"], letter["From"]) == ("olga@acme.example", "pbx@acme.example")
        body = letter.get_body()
        assert body is not None
        assert body.get_content().strip() == "Ольга!"
        [sound] = letter.iter_attachments()
        assert (sound.get_filename(), sound.get_content_type()) == ("message.mp3", "audio/mpeg")
        assert sound.get_content() == b"ID3 sound"
        await post.until_empty()
    assert server.tries == 1


async def test_letter_waits_for_its_recording_and_goes_without_one_that_never_comes(
    sqlite_database: Database, tmp_path: Path, server: MailServer
) -> None:
    async with Post(sqlite_database, tmp_path, server.url) as post:
        await post.put(attachment="late.mp3", attachment_name="late.mp3")
        await post.put(attachment="lost.mp3", attachment_name="lost.mp3", subject="lost")
        post.pass_time(60)
        (tmp_path / "late.mp3").write_bytes(b"sound")
        post.pass_time(60)
        await server.until(1)
        assert [letter["Subject"] for letter in server.letters] == ["Сообщение"]
        post.pass_time(1000)
        await server.until(2)
        assert list(server.letters[1].iter_attachments()) == []


async def test_server_that_is_away_gets_the_letter_when_it_is_back(
    sqlite_database: Database, tmp_path: Path, server: MailServer
) -> None:
    await server.stop()
    async with Post(sqlite_database, tmp_path, server.url) as post:
        await post.put()
        async with asyncio.timeout(30):
            while not (waiting := await post.queue.pending())[0].attempts:
                await asyncio.sleep(0.02)
        assert waiting[0].recipient == "olga@acme.example"
        assert waiting[0].error
        await server.start()
        post.pass_time(60)
        await server.until(1)
        assert server.recipients == ["olga@acme.example"]


async def test_letter_survives_a_restart(
    sqlite_database: Database, tmp_path: Path, server: MailServer
) -> None:
    await server.stop()
    async with Post(sqlite_database, tmp_path, server.url) as post:
        await post.put()
    await server.start()
    async with Post(sqlite_database, tmp_path, server.url) as post:
        post.pass_time(3600)
        await server.until(1)


async def test_refusal_for_now_is_tried_for_a_day_with_growing_pauses(
    sqlite_database: Database, tmp_path: Path, server: MailServer
) -> None:
    server.refusal = "451 greylisted"
    async with Post(sqlite_database, tmp_path, server.url) as post:
        await post.put()
        pauses = []
        for tries in range(1, 12):
            await until(lambda tries=tries: server.tries == tries)  # type: ignore[misc]
            async with asyncio.timeout(30):
                while (found := (await post.queue.pending())[0]).attempts < tries:
                    await asyncio.sleep(0.01)
            assert "greylisted" in found.error
            pause_s = found.next_at - post.clock.time()
            pauses.append(pause_s)
            post.pass_time(pause_s + 0.5)
        assert [round(pause) for pause in pauses] == sorted(round(pause) for pause in pauses)
        assert pauses[0] < 30
        assert pauses[-1] <= 3600
        post.pass_time(24 * 3600)
        async with asyncio.timeout(30):
            while not await post.queue.pending(given_up=True):
                await asyncio.sleep(0.02)
        assert await post.queue.pending() == []


async def test_letter_that_is_refused_for_good_is_given_up_and_holds_up_no_other(
    sqlite_database: Database, tmp_path: Path, server: MailServer
) -> None:
    server.refusal = "550 no such user"
    async with Post(sqlite_database, tmp_path, server.url) as post:
        await post.put(subject="poison")
        async with asyncio.timeout(30):
            while not (given_up := await post.queue.pending(given_up=True)):
                await asyncio.sleep(0.02)
        assert (given_up[0].subject, given_up[0].attempts) == ("poison", 1)
        server.refusal = ""
        await post.put(subject="good")
        await server.until(1)
        assert server.letters[0]["Subject"] == "good"


async def test_a_mail_server_that_takes_connections_and_says_nothing_is_tried_again(
    sqlite_database: Database, tmp_path: Path, server: MailServer
) -> None:
    await server.stop()
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", server.port)
    async with Post(sqlite_database, tmp_path, server.url, patience_s=0.2) as post:
        await post.put()
        async with asyncio.timeout(30):
            while not (waiting := await post.queue.pending())[0].attempts:
                await asyncio.sleep(0.02)
        assert "imed out" in waiting[0].error
        silent.close()
        await server.start()
        post.pass_time(60)
        await server.until(1)
        await post.until_empty()
    assert len(server.letters) == 1


async def test_a_letter_over_which_the_mail_server_ponders_holds_up_no_other_and_comes_once(
    database: Database, tmp_path: Path, server: MailServer
) -> None:
    server.ponders = "slow@acme.example"
    async with Post(database, tmp_path, server.url) as post:
        await post.put(recipient="slow@acme.example")
        for number in range(6):
            await post.put(subject=f"letter {number}")
        await server.until(6)
        assert server.recipients == ["olga@acme.example"] * 6
        post.pass_time(60)
        async with asyncio.timeout(30):
            while len(pending := await post.queue.pending()) > 1:
                await asyncio.sleep(0.02)
        [waiting] = pending
        assert (waiting.recipient, waiting.attempts) == ("slow@acme.example", 0)
        server.may_answer.set()
        await server.until(7)
        await post.until_empty()
    assert server.tries == 7


async def test_more_letters_without_an_answer_than_go_at_once_hold_others_up_by_a_timeout(
    sqlite_database: Database, tmp_path: Path, server: MailServer
) -> None:
    server.ponders = "slow@acme.example"
    async with Post(sqlite_database, tmp_path, server.url, patience_s=0.3) as post:
        for _ in range(6):
            await post.put(recipient="slow@acme.example")
        await post.put(subject="good")
        await server.until(1)
        assert server.letters[0]["Subject"] == "good"


async def test_a_queue_that_stops_amid_a_letter_sends_it_after_its_next_start(
    sqlite_database: Database, tmp_path: Path, server: MailServer
) -> None:
    server.ponders = "slow@acme.example"
    async with Post(sqlite_database, tmp_path, server.url) as post:
        await post.put(recipient="slow@acme.example")
        await until(lambda: server.tries == 1)
    server.ponders = ""
    async with Post(sqlite_database, tmp_path, server.url):
        await server.until(1)
    assert server.recipients == ["slow@acme.example"]


@pytest.mark.parametrize("by_s", [-5 * 3600, 5 * 86_400])
async def test_a_clock_that_is_set_delays_no_letter_and_gives_none_up(
    sqlite_database: Database, tmp_path: Path, server: MailServer, by_s: float
) -> None:
    server.refusal = "451 greylisted"
    async with Post(sqlite_database, tmp_path, server.url) as post:
        await post.put()
        await until(lambda: server.tries == 1)
        async with asyncio.timeout(30):
            while not (await post.queue.pending())[0].attempts:
                await asyncio.sleep(0.01)
        post.clock.set_by_s = by_s
        await post.put(subject="new")
        await until(lambda: server.tries == 2)
        post.pass_time(61)
        await until(lambda: server.tries >= 4)
        assert await post.queue.pending(given_up=True) == []
        assert {round(one.made_at - post.clock.time()) for one in await post.queue.pending()} <= {
            *range(-120, 1)
        }
        server.refusal = ""
        post.pass_time(61)
        await server.until(2)


async def test_letter_of_a_future_that_never_came_waits_no_longer_than_any(
    sqlite_database: Database, tmp_path: Path, server: MailServer
) -> None:
    """The last run's clock was days ahead."""
    await server.stop()
    ahead = Post(sqlite_database, tmp_path, server.url)
    ahead.clock.set_by_s = 3 * 86_400
    async with ahead as post:
        await post.put()
        async with asyncio.timeout(30):
            while not (await post.queue.pending())[0].attempts:
                await asyncio.sleep(0.02)
    await server.start()
    async with Post(sqlite_database, tmp_path, server.url) as post:
        async with asyncio.timeout(30):
            while (await post.queue.pending())[0].next_at > post.clock.time() + 3600:
                await asyncio.sleep(0.02)
        post.pass_time(3601)
        await server.until(1)


async def test_without_a_mail_server_nothing_is_queued(
    sqlite_database: Database, tmp_path: Path
) -> None:
    async with Post(sqlite_database, tmp_path, "") as post:
        await post.put()
        assert await post.queue.pending() == []


def test_addresses_of_mail_servers() -> None:
    found = Smtp.parse("smtps://u%40x.example:p%2Fw@mail.example", "")
    assert (found.host, found.port, found.tls) == ("mail.example", 465, True)
    assert (found.username, found.password, found.sender) == ("u@x.example", "p/w", "u@x.example")
    assert Smtp.parse("smtp://mail.example:2525", "pbx@x.example").port == 2525
    assert "p/w" not in repr(found)
    for url, sender, told in (
        ("http://x", "a@b.example", "smtp"),
        ("smtp://", "a@b.example", "smtp"),
        ("smtp://x", "", "--mail-from"),
    ):
        with pytest.raises(ValueError, match=told):
            Smtp.parse(url, sender)


async def test_letter_brings_its_html_and_the_text_attached_to_it(
    database: Database, tmp_path: Path, server: MailServer
) -> None:
    html, table = "<p>Ольга &amp; Co</p>\n", "\ufeffa,b\r\n1,2\r\n"
    async with Post(database, tmp_path, server.url) as post:
        await post.put(html=html, attached=table, attachment_name="report.csv")
        await server.until(1)
    [letter] = server.letters
    plain, rich = letter.get_body(("plain",)), letter.get_body(("html",))
    assert plain is not None
    assert rich is not None
    assert plain.get_content().strip() == "Ольга!"
    assert rich.get_content().split() == html.split()
    [file] = letter.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("report.csv", "text/csv")
    assert file.get_payload(decode=True) == table.encode()
