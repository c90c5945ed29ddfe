"""TCP and TLS: framing, keep-alives, connections used again, limits; and large requests."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from vpbx.clock import ManualClock
from vpbx.sip.budget import BudgetLimits, Rate, Standing
from vpbx.sip.message import Request, make_response, parse_message
from vpbx.sip.transaction import ServerTransaction
from vpbx.sip.transport import Hop, Limits
from vpbx.sip.transport.framing import Framer


def answer(code: int) -> Callable[[ServerTransaction], None]:
    return lambda tx: tx.respond(make_response(tx.request, code))


def new_request(method: str = "OPTIONS", size: int = 0) -> Request:
    request = Request(method, "sip:bob@example.com", b"x" * size)
    request.headers.set("From", "<sip:ann@example.org>;tag=from1")
    request.headers.set("To", "<sip:bob@example.com>")
    request.headers.set("Call-ID", "call1")
    request.headers.set("CSeq", f"1 {method}")
    return request


class Stream:
    """A plain TCP client that reads messages."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._framer = Framer(65535)
        self._messages: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def read(self, count: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(count), 30)

    async def answer(self) -> Request:
        while not self._messages:
            data = await asyncio.wait_for(self.reader.read(65535), 30)
            assert data, "closed"
            self._messages += self._framer.feed(data)
        return parse_message(self._messages.pop(0))  # type: ignore[return-value]

    async def is_closed(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(65535), 30) == b""
        except ConnectionResetError:
            return True


@pytest.fixture
async def connect():
    streams: list[Stream] = []

    async def opened(to: Hop, **options: object) -> Stream:
        stream = Stream(*await asyncio.open_connection(to.host, to.port, **options))
        streams.append(stream)
        return stream

    yield opened
    for stream in streams:
        stream.writer.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


class TestServer:
    async def test_messages_in_pieces_and_in_one_piece(
        self, run_layer, connect, make_request
    ) -> None:
        running = await run_layer("tcp")
        running.users.on_request = answer(200)
        stream = await connect(running.hop("tcp"))
        first = make_request("OPTIONS", Via="SIP/2.0/TCP h;branch=z9hG4bK1")
        second = make_request("OPTIONS", Via="SIP/2.0/TCP h;branch=z9hG4bK2", CSeq="2 OPTIONS")
        for start in range(0, len(first), 40):
            stream.send(first[start : start + 40])
            await asyncio.sleep(0)
        assert (await stream.answer()).cseq_number == 1
        third = second.replace(b"K2", b"K3").replace(b"2 OPT", b"3 OPT")
        stream.send(second + third)
        assert (await stream.answer()).cseq_number == 2
        assert (await stream.answer()).cseq_number == 3
        assert len({tx.hop for tx in running.users.requests}) == 1
        assert running.users.requests[0].hop.connection

    async def test_ping_gets_a_pong(self, run_layer, connect) -> None:
        running = await run_layer("tcp")
        stream = await connect(running.hop("tcp"))
        stream.send(b"\r\n\r\n\r\n\r\n")
        assert await stream.read(4) == b"\r\n\r\n"

    @pytest.mark.parametrize("length", [None, "-1", "x"])
    async def test_message_without_proper_length_is_answered_and_the_connection_closed(
        self, run_layer, connect, make_request, length: str | None
    ) -> None:
        running = await run_layer("tcp")
        stream = await connect(running.hop("tcp"))
        stream.send(make_request("OPTIONS", **{"Content-Length": length}))
        assert (await stream.answer()).code == 400
        assert await stream.is_closed()

    async def test_message_that_is_too_large_is_refused_by_its_length(
        self, run_layer, connect, make_request
    ) -> None:
        running = await run_layer("tcp", limits=Limits(message_bytes=2000))
        stream = await connect(running.hop("tcp"))
        stream.send(make_request("OPTIONS", **{"Content-Length": "5000"}))
        assert (await stream.answer()).code == 513
        assert await stream.is_closed()

    async def test_rubbish_ends_the_connection_and_nothing_else(
        self, run_layer, connect, make_request
    ) -> None:
        running = await run_layer("tcp", limits=Limits(message_bytes=2000))
        running.users.on_request = answer(200)
        good, bad = await connect(running.hop("tcp")), await connect(running.hop("tcp"))
        bad.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await bad.is_closed()
        endless = await connect(running.hop("tcp"))
        endless.send(b"x" * 3000)
        assert await endless.is_closed()
        good.send(make_request("OPTIONS"))
        assert (await good.answer()).code == 200

    async def test_nobody_is_called_back_to_hear_that_its_message_was_bad(
        self, run_layer, connect, make_request
    ) -> None:
        running = await run_layer("tcp")
        called: list[object] = []
        server = await asyncio.start_server(
            lambda reader, writer: called.append(writer), "127.0.0.1", 0
        )
        via = f"SIP/2.0/TCP 127.0.0.1:{server.sockets[0].getsockname()[1]};branch=z9hG4bK1"
        bad = parse_message(make_request("OPTIONS", Via=via, To="<"))
        gone = Hop("tcp", "127.0.0.1", 4321, 99)
        running.layer.receive(bytes(bad), gone)
        stream = await connect(running.hop("tcp"))
        stream.send(b"\r\n\r\n")
        await stream.read(2)
        assert called == []
        server.close()

    async def test_connections_of_one_source_are_limited(
        self, run_layer, connect, make_request
    ) -> None:
        running = await run_layer("tcp", limits=Limits(connections_per_source=2))
        running.users.on_request = answer(200)
        first, second = await connect(running.hop("tcp")), await connect(running.hop("tcp"))
        for stream, number in ((first, 1), (second, 2)):
            stream.send(make_request("OPTIONS", Via=f"SIP/2.0/TCP h;branch=z9hG4bK{number}"))
            await stream.answer()
        third = await connect(running.hop("tcp"))
        assert await third.is_closed()
        first.writer.close()
        await until(lambda: len(running.layer._transports.pool) == 1)
        fourth = await connect(running.hop("tcp"))
        fourth.send(make_request("OPTIONS", Via="SIP/2.0/TCP h;branch=z9hG4bK4"))
        assert (await fourth.answer()).code == 200

    async def test_all_connections_are_limited(self, run_layer, connect) -> None:
        running = await run_layer("tcp", limits=Limits(connections=1))
        first = await connect(running.hop("tcp"))
        first.send(b"\r\n\r\n")
        await first.read(2)
        assert await (await connect(running.hop("tcp"))).is_closed()

    @pytest.mark.parametrize(
        ("sent", "seconds"),
        [
            (b"", 30),
            (b"\r\n\r\n", 30),
            (b"OPTIONS sip:a@b SIP/2.0\r\n", 10),
        ],
    )
    async def test_connection_that_says_nothing_or_half_a_message_is_closed(
        self, run_layer, connect, sent: bytes, seconds: float
    ) -> None:
        clock = ManualClock()
        running = await run_layer("tcp", clock=clock)
        stream = await connect(running.hop("tcp"))
        stream.send(b"\r\n\r\n" + sent)
        await stream.read(2)
        pool = running.layer._transports.pool
        clock.advance(seconds - 5)
        await asyncio.sleep(0)
        assert len(pool) == 1
        clock.advance(10)
        assert (await stream.reader.read()).strip() == b""
        assert len(pool) == 0

    async def test_idle_connection_is_closed_and_a_used_one_is_not(
        self, run_layer, connect, make_request
    ) -> None:
        clock = ManualClock()
        running = await run_layer("tcp", clock=clock, limits=Limits(idle_s=100))
        running.users.on_request = answer(200)
        idle, used = await connect(running.hop("tcp")), await connect(running.hop("tcp"))
        for number, stream in enumerate((idle, used)):
            stream.send(make_request("OPTIONS", Via=f"SIP/2.0/TCP h;branch=z9hG4bK{number}"))
            await stream.answer()
        clock.advance(60)
        used.send(b"\r\n\r\n")
        await used.read(2)
        clock.advance(60)
        assert await idle.is_closed()
        used.send(b"\r\n\r\n")
        assert await used.read(2) == b"\r\n"

    async def test_peer_that_does_not_read_is_cut_off(
        self, run_layer, connect, make_request
    ) -> None:
        running = await run_layer("tcp", limits=Limits(unsent_bytes=100_000))
        running.users.on_request = answer(200)
        stream = await connect(running.hop("tcp"))
        stream.send(make_request("OPTIONS"))
        await stream.answer()
        hop = running.users.requests[0].hop
        pool = running.layer._transports.pool
        for _ in range(2000):
            running.layer.send(new_request("NOTIFY", size=20_000), hop)
            if not len(pool):
                break
            await asyncio.sleep(0)
        assert len(pool) == 0

    async def test_response_finds_another_way_when_its_connection_is_gone(
        self, run_layer, connect, make_request
    ) -> None:
        running = await run_layer("tcp")
        taken: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(
            lambda reader, writer: taken.set_result(Stream(reader, writer)), "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        stream = await connect(running.hop("tcp"))
        stream.send(make_request("OPTIONS", Via=f"SIP/2.0/TCP 127.0.0.1:{port};branch=z9hG4bK1"))
        await until(lambda: running.users.requests)
        stream.writer.close()
        await until(lambda: len(running.layer._transports.pool) == 0)
        (tx,) = running.users.requests
        tx.respond(make_response(tx.request, 200))
        again = await asyncio.wait_for(taken, 30)
        assert (await again.answer()).code == 200
        again.writer.close()
        server.close()


class TestClient:
    async def test_requests_share_a_connection_both_ways(self, run_layer, make_listener) -> None:
        ours, theirs = await run_layer("tcp"), await run_layer("tcp")
        ours.users.on_request = theirs.users.on_request = answer(200)
        first, second, back, back_again = (make_listener() for _ in range(4))
        ours.layer.request(new_request(), theirs.hop("tcp"), first)
        ours.layer.request(new_request(), theirs.hop("tcp"), second)
        await first.hears()
        await second.hears()
        source = theirs.users.requests[0].hop
        assert theirs.users.requests[1].hop == source
        theirs.layer.request(new_request("NOTIFY"), source, back)
        place = Hop("tcp", source.host, source.port)
        theirs.layer.request(new_request("NOTIFY"), place, back_again)
        await back.hears()
        await back_again.hears()
        assert back.codes == back_again.codes == [200]
        assert len(ours.layer._transports.pool) == len(theirs.layer._transports.pool) == 1
        via = theirs.users.requests[0].request.top_via
        assert "alias" in via.parameters
        assert via.port == ours.hop("tcp").port

    @pytest.mark.parametrize("lost", [False, True])
    async def test_name_is_resolved_and_its_connection_used_again(
        self, run_layer, make_listener, lost: bool
    ) -> None:
        ours, theirs = await run_layer("tcp"), await run_layer("tcp")
        theirs.users.on_request = None if lost else answer(200)
        named = Hop("tcp", "localhost", theirs.hop("tcp").port)
        first, second = make_listener(), make_listener()
        ours.layer.request(new_request(), named, first)
        await until(lambda: theirs.users.requests)
        if lost:
            await theirs.layer.stop()
            await first.hears()
            assert first.errors == ["the connection was lost"]
            return
        ours.layer.request(new_request("NOTIFY"), named, second)
        await second.hears()
        assert second.codes == [200]
        assert len(ours.layer._transports.pool) == 1

    async def test_name_that_is_none_is_an_error(self, run_layer, make_listener) -> None:
        running = await run_layer("tcp")
        for name in ("no-such-host.invalid", "a" * 70 + ".invalid", ".."):
            listener = make_listener()
            running.layer.request(new_request(), Hop("tcp", name, 5060), listener)
            await listener.hears()
            assert len(listener.errors) == 1

    async def test_number_of_a_lost_connection_opens_a_new_one(self, run_layer, listener) -> None:
        ours, theirs = await run_layer("tcp"), await run_layer("tcp")
        theirs.users.on_request = answer(200)
        place = theirs.hop("tcp")
        ours.layer.request(new_request(), Hop("tcp", place.host, place.port, 12345), listener)
        await listener.hears()
        assert listener.codes == [200]

    async def test_number_of_a_connection_to_somebody_else_is_not_used(
        self, run_layer, make_listener
    ) -> None:
        ours, theirs = await run_layer("tcp"), await run_layer("tcp")
        theirs.users.on_request = answer(200)
        listener = make_listener()
        ours.layer.request(new_request(), theirs.hop("tcp"), listener)
        await listener.hears()
        pool = ours.layer._transports.pool
        (number,) = pool._by_id
        assert pool.find(Hop("tcp", "192.0.2.1", 5060, number)) is None

    async def test_refused_connection_is_told(self, run_layer, listener) -> None:
        running = await run_layer("tcp")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        running.layer.request(new_request(), Hop("tcp", "127.0.0.1", port), listener)
        assert listener.errors == []
        await listener.hears()
        assert len(listener.errors) == 1

    async def test_connecting_that_takes_too_long_is_told(self, run_layer, listener) -> None:
        with socket.socket() as full:
            # A listener with a full backlog takes no more connections.
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            place = full.getsockname()
            fillers = []
            for _ in range(4):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(place)
                fillers.append(filler)
            running = await run_layer("tcp", limits=Limits(connect_s=0.2))
            running.layer.request(new_request(), Hop("tcp", *place), listener)
            await listener.hears()
            assert listener.errors == ["connecting took too long"]
            for filler in fillers:
                filler.close()

    async def test_connection_lost_while_waiting_is_told_at_once(self, run_layer, listener) -> None:
        ours, theirs = await run_layer("tcp"), await run_layer("tcp")
        ours.layer.request(new_request(), theirs.hop("tcp"), listener)
        await until(lambda: theirs.users.requests)
        await theirs.layer.stop()
        await listener.hears()
        assert listener.errors == ["the connection was lost"]

    async def test_browser_cannot_be_reached_when_its_connection_is_gone(
        self, run_layer, listener
    ) -> None:
        running = await run_layer("tcp")
        running.layer.request(new_request(), Hop("wss", "192.0.2.1", 4321, 5), listener)
        await listener.hears()
        assert listener.errors == ["the connection is gone"]

    async def test_waiting_messages_are_limited(self, run_layer, make_listener) -> None:
        ours, theirs = await run_layer("tcp"), await run_layer("tcp")
        theirs.users.on_request = answer(200)
        listeners = [make_listener() for _ in range(80)]
        for number, listener in enumerate(listeners):
            request = new_request()
            request.headers.set("Call-ID", str(number))
            ours.layer.request(request, theirs.hop("tcp"), listener)
        for listener in listeners:
            await listener.hears()
        assert [len(listener.codes) for listener in listeners].count(1) == 64


class TestTls:
    async def test_both_ways(
        self, run_layer, make_listener, tls_pair: tuple[ssl.SSLContext, ssl.SSLContext]
    ) -> None:
        server, client = tls_pair
        theirs = await run_layer("tls", tls=server)
        ours = await run_layer("tcp", tls_client=client)
        ours.users.on_request = theirs.users.on_request = answer(200)
        there, back = make_listener(), make_listener()
        ours.layer.request(new_request(), theirs.hop("tls"), there)
        await there.hears()
        assert there.codes == [200]
        source = theirs.users.requests[0].hop
        assert source.transport == "tls"
        assert theirs.users.requests[0].request.top_via.transport == "TLS"
        theirs.layer.request(new_request("NOTIFY"), source, back)
        await back.hears()
        assert back.codes == [200]

    async def test_certificate_is_checked_by_the_name_that_was_asked_for(
        self, run_layer, listener, tls_pair: tuple[ssl.SSLContext, ssl.SSLContext]
    ) -> None:
        server, client = tls_pair
        theirs = await run_layer("tls", tls=server)
        theirs.users.on_request = answer(200)
        ours = await run_layer("tcp", tls_client=client)
        ours.layer.request(new_request(), Hop("tls", "localhost", theirs.hop("tls").port), listener)
        await listener.hears()
        assert listener.codes == [200]

    async def test_unknown_authority_is_refused(
        self, run_layer, listener, tls_pair: tuple[ssl.SSLContext, ssl.SSLContext]
    ) -> None:
        theirs = await run_layer("tls", tls=tls_pair[0])
        ours = await run_layer("tcp")
        ours.layer.request(new_request(), theirs.hop("tls"), listener)
        await listener.hears()
        assert "certificate" in listener.errors[0].lower()
        assert theirs.users.requests == []

    async def test_listening_needs_a_certificate(self, run_layer) -> None:
        with pytest.raises(OSError):
            await run_layer("tls")

    async def test_plain_text_on_the_tls_port_gets_nothing(
        self, run_layer, connect, make_request, tls_pair, certificate: tuple[Path, Path]
    ) -> None:
        running = await run_layer("tls", tls=tls_pair[0])
        stream = await connect(running.hop("tls"))
        stream.send(make_request("OPTIONS"))
        with pytest.raises((AssertionError, ConnectionResetError, ValueError)):
            await stream.answer()
        assert running.users.requests == []


class TestLargeRequests:
    async def both_kinds(self, run_layer):
        """Start a layer that listens on the same port by UDP and TCP."""
        for _ in range(20):
            running = await run_layer("udp")
            port = running.hop("udp").port
            server = socket.socket()
            try:
                server.bind(("127.0.0.1", port))
            except OSError:
                server.close()
                continue
            return running, server
        raise AssertionError("no port free in both")

    async def test_large_request_goes_by_tcp_where_the_target_answers_there(
        self, run_layer, listener
    ) -> None:
        theirs, sock = await self.both_kinds(run_layer)
        taken: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            framer = Framer(65535)
            while data := await reader.read(65535):
                for message in framer.feed(data):
                    taken.append(message)
                    writer.write(bytes(make_response(parse_message(message), 200)))
            writer.close()

        server = await asyncio.start_server(serve, sock=sock)
        ours = await run_layer("udp", "tcp")
        tx = ours.layer.request(new_request("MESSAGE", size=2000), theirs.hop("udp"), listener)
        await listener.hears()
        assert listener.codes == [200]
        assert tx.hop.transport == "tcp"
        came = parse_message(taken[0])
        assert came.top_via.transport == "TCP"
        assert came.headers.count("Via") == 1
        assert len(came.body) == 2000
        await ours.layer.stop()
        server.close()

    async def test_large_request_goes_by_udp_where_nothing_else_is(
        self, run_layer, make_listener
    ) -> None:
        theirs = await run_layer("udp")
        theirs.users.on_request = answer(200)
        ours = await run_layer("udp", "tcp")
        for number in range(2):
            listener = make_listener()
            request = new_request("MESSAGE", size=2000)
            request.headers.set("Call-ID", str(number))
            ours.layer.request(request, theirs.hop("udp"), listener)
            await listener.hears()
            assert listener.codes == [200]
        assert theirs.users.requests[0].request.top_via.transport == "UDP"
        assert theirs.users.requests[0].request.headers.count("Via") == 1

    async def test_small_request_stays_with_udp(self, run_layer, listener) -> None:
        theirs = await run_layer("udp", "tcp")
        theirs.users.on_request = answer(200)
        ours = await run_layer("udp", "tcp")
        ours.layer.request(new_request("MESSAGE", size=500), theirs.hop("udp"), listener)
        await listener.hears()
        assert theirs.users.requests[0].hop.transport == "udp"


class TestTurns:
    """One connection that brings much does not keep the others waiting."""

    @staticmethod
    def many(make_request: Callable[..., bytes], count: int) -> bytes:
        return b"".join(
            make_request("OPTIONS", Via=f"SIP/2.0/TCP h;branch=z9hG4bKm{n}", Call_ID=f"m{n}")
            for n in range(count)
        )

    async def test_a_datagram_is_served_between_the_messages_of_a_connection(
        self, run_layer, connect, make_peer, make_request
    ) -> None:
        running = await run_layer("tcp", "udp")
        running.users.on_request = answer(200)
        stream, peer = await connect(running.hop("tcp")), make_peer(running.hop("udp"))
        stream.send(self.many(make_request, 1000))
        peer.send(make_request("OPTIONS", Call_ID="datagram"))
        await until(lambda: len(running.users.requests) == 1001)
        order = [tx.request.call_id for tx in running.users.requests]
        assert order.index("datagram") < 1000, "it did not wait for all of them"
        assert [name for name in order if name != "datagram"] == [f"m{n}" for n in range(1000)]

    async def test_a_stranger_over_budget_is_served_later_and_loses_nothing(
        self, run_layer, connect, make_request
    ) -> None:
        limits = BudgetLimits(stranger=Rate(100, 5))
        running = await run_layer("tcp", budgets=limits, standing=lambda hop: Standing.STRANGER)
        running.users.on_request = answer(200)
        stream = await connect(running.hop("tcp"))
        stream.send(self.many(make_request, 20))
        answers = [await stream.answer() for _ in range(20)]
        assert [one.headers["Call-ID"] for one in answers] == [f"m{n}" for n in range(20)]
        assert running.layer.budgets.delayed > 0
        assert running.layer.budgets.dropped == 0

    async def test_connections_of_registered_phones_count_for_their_account(
        self, run_layer, connect, make_request
    ) -> None:
        limits = Limits(connections_per_source=1, connections_per_account=2)
        running = await run_layer("tcp", limits=limits)
        running.users.on_request = answer(200)
        phones = []
        for number in range(3):
            phone = await connect(running.hop("tcp"))
            phone.send(make_request("OPTIONS", Via=f"SIP/2.0/TCP h;branch=z9hG4bKp{number}"))
            assert (await phone.answer()).code == 200, "its neighbour has registered"
            running.layer.proved(running.users.requests[-1].hop, "1/ann")
            phones.append(phone)
        assert await phones[0].is_closed(), "the oldest of an account that has too many"
        stranger = await connect(running.hop("tcp"))
        stranger.send(make_request("OPTIONS", Via="SIP/2.0/TCP h;branch=z9hG4bKs"))
        assert (await stranger.answer()).code == 200
        assert await (await connect(running.hop("tcp"))).is_closed()
