"""The layer on real UDP sockets: matching, answers of its own, addresses."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from vpbx.clock import LoopClock, ManualClock
from vpbx.sip.budget import BudgetLimits, Standing
from vpbx.sip.layer import LayerConfig, TransactionLayer
from vpbx.sip.message import Request, Response, make_response, parse_message
from vpbx.sip.transaction import ServerTransaction, TransactionState
from vpbx.sip.transport import Hop, Listen
from vpbx.sip.via import make_via, note_source, reopened_hop, reply_hop


def answer(code: int) -> Callable[[ServerTransaction], None]:
    return lambda tx: tx.respond(make_response(tx.request, code))


def new_request(method: str = "OPTIONS", **headers: str) -> Request:
    request = Request(method, "sip:bob@example.com")
    request.headers.set("From", "<sip:ann@example.org>;tag=from1")
    request.headers.set("To", "<sip:bob@example.com>")
    request.headers.set("Call-ID", "call1")
    request.headers.set("CSeq", f"1 {method}")
    for name, value in headers.items():
        request.headers.set(name, value)
    return request


class TestServer:
    async def test_invite_that_is_not_answered_at_once_gets_100(
        self, run_layer, make_peer, make_request
    ) -> None:
        running = await run_layer()
        peer = make_peer(running.hop())
        peer.send(make_request("INVITE"))
        trying = await peer.answer()
        assert (trying.code, trying.to_tag) == (100, "")
        running.users.requests[0].respond(make_response(running.users.requests[0].request, 180))
        assert (await peer.answer()).code == 180

    async def test_invite_that_is_answered_at_once_gets_no_100(
        self, run_layer, make_peer, make_request
    ) -> None:
        running = await run_layer()
        running.users.on_request = answer(486)
        peer = make_peer(running.hop())
        peer.send(make_request("INVITE"))
        assert (await peer.answer()).code == 486
        peer.send(make_request("ACK"))
        assert await peer.is_silent()
        assert running.users.acks == []
        assert running.users.requests[0].state is TransactionState.CONFIRMED

    async def test_repeated_request_is_not_told_twice(
        self, run_layer, make_peer, make_request
    ) -> None:
        running = await run_layer()
        running.users.on_request = answer(200)
        peer = make_peer(running.hop())
        peer.send(make_request("OPTIONS"))
        first = await peer.read()
        peer.send(make_request("OPTIONS"))
        assert await peer.read() == first
        assert len(running.users.requests) == 1

    async def test_ack_of_a_2xx_is_passed_on(self, run_layer, make_peer, make_request) -> None:
        running = await run_layer()
        running.users.on_request = answer(200)
        peer = make_peer(running.hop())
        peer.send(make_request("INVITE"))
        ok = await peer.answer()
        ack = make_request("ACK", To=ok.headers["To"], Via="SIP/2.0/UDP h;branch=z9hG4bKtwo;rport")
        peer.send(ack)
        assert await peer.is_silent()
        ((heard, hop),) = running.users.acks
        assert heard.to_tag == ok.to_tag
        assert (hop.host, hop.port) == (peer.host, peer.port)

    async def test_broken_ack_is_dropped_without_an_answer(
        self, run_layer, make_peer, make_request
    ) -> None:
        running = await run_layer()
        peer = make_peer(running.hop())
        peer.send(make_request("ACK", To="<sip:a"))
        peer.send(make_request("ACK", CSeq="1 INVITE"))
        peer.send(make_request("ACK", To="<sip:a@b>;tag=x", Call_ID=None))
        peer.send(make_request("ACK", To="<sip:a@b>;tag=x", CSeq="x"))
        peer.send(make_request("ACK", **{"Content-Length": "x"}))
        assert await peer.is_silent()
        assert running.users.acks == []

    async def test_cancel_is_answered_and_told(self, run_layer, make_peer, make_request) -> None:
        running = await run_layer()
        peer = make_peer(running.hop())
        peer.send(make_request("INVITE"))
        await peer.answer()
        (tx,) = running.users.requests
        tx.on_cancel = lambda: tx.respond(make_response(tx.request, 487))
        tx.respond(make_response(tx.request, 180, to_tag="mine"))
        assert (await peer.answer()).code == 180
        peer.send(make_request("CANCEL"))
        ok, terminated = await peer.answer(), await peer.answer()
        assert (ok.code, ok.cseq_method, ok.to_tag) == (200, "CANCEL", "mine")
        assert (terminated.code, terminated.cseq_method) == (487, "INVITE")
        peer.send(make_request("CANCEL"))
        assert (await peer.answer()).code == 200

    async def test_cancel_of_nothing_is_481(self, run_layer, make_peer, make_request) -> None:
        running = await run_layer()
        peer = make_peer(running.hop())
        peer.send(make_request("CANCEL"))
        assert (await peer.answer()).code == 481
        peer.send(make_request("CANCEL", To="<sip:"))
        assert (await peer.answer()).code == 400
        assert running.users.requests == []

    async def test_request_that_came_another_way_too_is_merged(
        self, run_layer, make_peer, make_request
    ) -> None:
        running = await run_layer()
        peer = make_peer(running.hop())
        peer.send(make_request("INVITE"))
        assert (await peer.answer()).code == 100
        peer.send(make_request("INVITE", Via="SIP/2.0/UDP other;branch=z9hG4bKtwo;rport"))
        assert (await peer.answer()).code == 482
        peer.send(
            make_request("INVITE", Via="SIP/2.0/UDP h;branch=z9hG4bKthree;rport", CSeq="2 INVITE")
        )
        assert (await peer.answer()).code == 100
        assert len(running.users.requests) == 2

    async def test_our_own_request_that_comes_back_is_a_loop_unless_its_target_changed(
        self, run_layer, make_peer, listener
    ) -> None:
        running = await run_layer()
        running.users.on_request = answer(486)
        peer = make_peer(running.hop())
        running.layer.request(new_request("INVITE"), peer.hop, listener)
        came = await peer.read()
        proxied = came.replace(b"\r\nVia:", b"\r\nVia: SIP/2.0/UDP p;branch=z9hG4bKp;rport, ", 1)
        peer.send(proxied)
        assert (await peer.answer()).code == 482
        peer.send(proxied.replace(b"sip:bob@", b"sip:carol@", 1))
        assert (await peer.answer()).code == 486
        assert len(running.users.requests) == 1

    async def test_user_agent_that_fails_answers_500(
        self, run_layer, make_peer, make_request
    ) -> None:
        def fail(tx: ServerTransaction) -> None:
            raise RuntimeError("on purpose")

        running = await run_layer()
        running.users.on_request = fail
        peer = make_peer(running.hop())
        peer.send(make_request("OPTIONS"))
        assert (await peer.answer()).code == 500

    async def test_too_many_transactions_get_503(self, run_layer, make_peer, make_request) -> None:
        running = await run_layer(max_transactions=1)
        peer = make_peer(running.hop())
        peer.send(make_request("INVITE"))
        assert (await peer.answer()).code == 100
        peer.send(make_request("OPTIONS", Via="SIP/2.0/UDP h;branch=z9hG4bKtwo;rport"))
        busy = await peer.answer()
        assert (busy.code, busy.headers["Retry-After"]) == (503, "5")
        running.users.on_request = answer(200)
        peer.send(make_request("BYE", To="<sip:bob@example.com>;tag=x"))
        assert (await peer.answer()).code == 200

    async def test_transactions_are_forgotten(self, run_layer, make_peer, make_request) -> None:
        clock = ManualClock()
        running = await run_layer(clock=clock)
        running.users.on_request = answer(200)
        peer = make_peer(running.hop())
        peer.send(make_request("OPTIONS"))
        await peer.answer()
        assert running.layer.transactions == 1
        clock.advance(32)
        assert running.layer.transactions == 0

    async def test_rfc_2543_peers_are_matched_without_a_branch(
        self, run_layer, make_peer, make_request
    ) -> None:
        running = await run_layer()
        peer = make_peer(running.hop())
        via = "SIP/2.0/UDP h"
        peer.send(make_request("INVITE", Via=via))
        assert (await peer.answer()).code == 100
        peer.send(make_request("INVITE", Via=via))
        assert (await peer.answer()).code == 100
        (tx,) = running.users.requests
        tx.respond(make_response(tx.request, 486))
        rejected = await peer.answer()
        peer.send(make_request("ACK", Via=via, To=rejected.headers["To"]))
        assert await peer.is_silent()
        assert tx.state is TransactionState.CONFIRMED

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\r\n\r\n",
            b"\0\0\0\0",
            b"\0\1\0\0\x21\x12\xa4\x42" + b"x" * 12,
            b"\x80\x08" + b"\xd5" * 160,
            b"jaK\0",
            b"hello, is this a web server?\r\n\r\n",
        ],
    )
    async def test_what_is_no_sip_is_ignored(self, run_layer, make_peer, data: bytes) -> None:
        running = await run_layer()
        peer = make_peer(running.hop())
        peer.send(data)
        assert await peer.is_silent()

    async def test_line_ends_before_a_message_are_skipped(
        self, run_layer, make_peer, make_request
    ) -> None:
        running = await run_layer()
        peer = make_peer(running.hop())
        peer.send(b"\r\n\r\n" + make_request("CANCEL"))
        assert (await peer.answer()).code == 481

    async def test_rubbish_shuts_nobody_out(self, run_layer, make_peer, make_request) -> None:
        running = await run_layer(budgets=BudgetLimits(), standing=lambda hop: Standing.PHONE)
        peer = make_peer(running.hop())
        for _ in range(60):
            peer.send(make_request("OPTIONS", To="<"))
            assert (await peer.answer()).code == 400
        peer.send(make_request("CANCEL"))
        assert (await peer.answer()).code == 481


class TestBursts:
    async def test_messages_wait_in_the_socket_while_the_loop_is_busy(
        self, run_layer, make_peer, make_request
    ) -> None:
        running = await run_layer()
        (udp,) = running.layer._transports._udp
        room = udp._transport.get_extra_info("socket").getsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF
        )
        if room < 4 << 20:
            pytest.skip("net.core.rmem_max is small and this is not root")
        peer = make_peer(running.hop())
        count = 1500  # ten seconds of INVITEs at 150 calls a second
        for number in range(count):
            peer.send(
                make_request(
                    "INVITE",
                    Via=f"SIP/2.0/UDP h;branch=z9hG4bK{number}",
                    Call_ID=f"call{number}",
                )
            )
        async with asyncio.timeout(20):
            while len(running.users.requests) < count:
                await asyncio.sleep(0.001)


class TestWhereResponsesGo:
    async def test_rport_and_received_are_noted(self, run_layer, make_peer, make_request) -> None:
        running = await run_layer()
        peer = make_peer(running.hop())
        peer.send(make_request("CANCEL", Via="SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bKx"))
        via = (await peer.answer()).headers["Via"]
        assert via == (
            f"SIP/2.0/UDP 127.0.0.1:9;rport={peer.port};branch=z9hG4bKx;received=127.0.0.1"
        )

    async def test_without_rport_the_port_in_via_counts_if_the_address_is_true(
        self, run_layer, make_peer, make_request
    ) -> None:
        running = await run_layer()
        sender, other = make_peer(running.hop()), make_peer(running.hop())
        via = f"SIP/2.0/UDP 127.0.0.1:{other.port};branch=z9hG4bKx"
        sender.send(make_request("CANCEL", Via=via))
        assert (await other.answer()).headers["Via"] == via

    async def test_behind_a_nat_without_rport_the_source_counts(
        self, run_layer, make_peer, make_request
    ) -> None:
        running = await run_layer()
        peer = make_peer(running.hop())
        via = "SIP/2.0/UDP 192.168.1.10:5060;branch=z9hG4bKx"
        peer.send(make_request("CANCEL", Via=via))
        assert (await peer.answer()).headers["Via"] == f"{via};received=127.0.0.1"

    def test_forged_received_is_replaced(self, make_request) -> None:
        request = parse_message(
            make_request("OPTIONS", Via="SIP/2.0/UDP h;received=9.9.9.9;branch=z9hG4bKx;rport")
        )
        assert isinstance(request, Request)
        note_source(request, request.top_via, Hop("udp", "192.0.2.7", 4321))
        assert request.headers["Via"] == (
            "SIP/2.0/UDP h;branch=z9hG4bKx;rport=4321;received=192.0.2.7"
        )

    def test_maddr_is_not_followed(self, make_request) -> None:
        request = parse_message(
            make_request("OPTIONS", Via="SIP/2.0/UDP h;maddr=192.0.2.66;branch=z9hG4bKx")
        )
        hop = Hop("udp", "192.0.2.7", 4321)
        assert reply_hop(request.top_via, hop) == hop

    def test_lost_connection_is_opened_again_at_the_port_in_via(self, make_request) -> None:
        request = parse_message(make_request("OPTIONS", Via="SIP/2.0/TLS h;branch=z9hG4bKx"))
        assert reopened_hop(request.top_via, Hop("tls", "192.0.2.7", 4321, 17)) == (
            Hop("tls", "192.0.2.7", 5061)
        )

    async def test_repeated_2xx_goes_the_same_way(self, run_layer, make_peer, make_request) -> None:
        running = await run_layer()
        running.users.on_request = answer(200)
        peer = make_peer(running.hop())
        peer.send(make_request("INVITE"))
        ok = await peer.answer()
        running.layer.send(ok, running.users.requests[0].hop)
        assert bytes(await peer.answer()) == bytes(ok)

    async def test_ipv6(self, run_layer, make_peer, make_request, listener) -> None:
        try:
            running = await run_layer(host="::1")
        except OSError:
            pytest.skip("no IPv6 here")
        running.users.on_request = answer(200)
        peer = make_peer(running.hop())
        peer.send(make_request("OPTIONS", Via="SIP/2.0/UDP [2001:db8::1];rport;branch=z9hG4bKx"))
        via = (await peer.answer()).top_via
        assert via.parameters["received"] == "::1"
        running.layer.request(new_request(), peer.hop, listener)
        came = await peer.answer()
        assert came.headers["Via"].startswith(f"SIP/2.0/UDP [::1]:{running.hop().port};branch=")
        peer.send(bytes(make_response(came, 200)))
        await listener.hears()
        assert listener.codes == [200]


class TestClient:
    async def test_call_between_two_layers(self, run_layer, listener) -> None:
        ours, theirs = await run_layer(), await run_layer()
        tx = ours.layer.request(new_request("INVITE"), theirs.hop(), listener)
        await listener.hears()
        (server,) = theirs.users.requests
        assert server.request.headers["Max-Forwards"] == "70"
        assert server.request.top_via.parameters["rport"] == str(ours.hop().port)
        server.respond(make_response(server.request, 200, to_tag="theirs"))
        await listener.hears(2)
        assert listener.codes == [100, 200]
        assert tx.state is TransactionState.ACCEPTED
        ack = new_request("ACK", CSeq="1 ACK", To="<sip:bob@example.com>;tag=theirs")
        ours.layer.send(ack, theirs.hop())
        first_via = ack.headers["Via"]
        ours.layer.send(ack, theirs.hop())
        async with asyncio.timeout(30):
            while len(theirs.users.acks) < 2:
                await asyncio.sleep(0.001)
        assert ack.headers.getlist("Via") == [first_via]
        assert theirs.users.acks[0][0].headers["Via"].startswith(first_via[:40])

    async def test_cancel_between_two_layers(self, run_layer, listener) -> None:
        ours, theirs = await run_layer(), await run_layer()
        cancelled = asyncio.Event()

        def ring(tx: ServerTransaction) -> None:
            def stop() -> None:
                tx.respond(make_response(tx.request, 487))
                cancelled.set()

            tx.on_cancel = stop
            tx.respond(make_response(tx.request, 180))

        theirs.users.on_request = ring
        tx = ours.layer.request(new_request("INVITE"), theirs.hop(), listener)
        tx.cancel()
        await listener.hears(2)
        assert listener.codes == [180, 487]
        assert cancelled.is_set()

    async def test_late_2xx_is_passed_on_as_a_stray(self, run_layer, make_peer, listener) -> None:
        clock = ManualClock()
        running = await run_layer(clock=clock)
        peer = make_peer(running.hop())
        running.layer.request(new_request("INVITE"), peer.hop, listener)
        invite = await peer.answer()
        peer.send(bytes(make_response(invite, 200, to_tag="fork1")))
        await listener.hears()
        clock.advance(32)
        peer.send(bytes(make_response(invite, 180, to_tag="fork2")))
        peer.send(bytes(make_response(invite, 200, to_tag="fork2")))
        assert await peer.is_silent()
        assert [stray.to_tag for stray in running.users.strays] == ["fork2"]
        assert listener.codes == [200]

    @pytest.mark.parametrize(
        ("header", "value"),
        [
            ("Call-ID", "another"),
            ("From", "<sip:ann@example.org>;tag=another"),
            ("CSeq", "2 OPTIONS"),
            ("CSeq", "1 INVITE"),
            ("CSeq", "x"),
            ("Via", "SIP/2.0/UDP h;branch=z9hG4bKvguess"),
            ("Via", "rubbish"),
        ],
    )
    async def test_response_that_does_not_fit_is_dropped(
        self, run_layer, make_peer, listener, header: str, value: str
    ) -> None:
        running = await run_layer()
        peer = make_peer(running.hop())
        running.layer.request(new_request(), peer.hop, listener)
        response = make_response(await peer.answer(), 200)
        response.headers.set(header, value)
        peer.send(bytes(response))
        assert await peer.is_silent()
        assert listener.responses == []

    async def test_answer_that_comes_again_is_no_nonsense(
        self, run_layer, make_peer, listener
    ) -> None:
        running = await run_layer()
        peer = make_peer(running.hop())
        tx = running.layer.request(new_request(), peer.hop, listener)
        response = bytes(make_response(await peer.answer(), 200))
        with capture_logs() as logs:
            for _ in range(3):
                peer.send(response)
            assert await peer.is_silent()
        assert logs == []
        assert [answer.code for answer in listener.responses] == [200]
        assert tx.state is TransactionState.COMPLETED

    async def test_tag_and_number_may_be_written_otherwise_in_a_response(
        self, run_layer, make_peer, listener
    ) -> None:
        running = await run_layer()
        peer = make_peer(running.hop())
        running.layer.request(new_request(), peer.hop, listener)
        response = make_response(await peer.answer(), 200)
        response.headers.set("From", '"Ann" <sip:ann@EXAMPLE.org> ;tag=from1')
        response.headers.set("CSeq", "0001  OPTIONS")
        peer.send(bytes(response))
        assert await peer.is_silent()
        assert [answer.code for answer in listener.responses] == [200]

    async def test_response_that_goes_through_us_is_dropped(
        self, run_layer, make_peer, listener
    ) -> None:
        running = await run_layer()
        peer = make_peer(running.hop())
        running.layer.request(new_request(), peer.hop, listener)
        response = make_response(await peer.answer(), 200)
        response.headers.add("Via", "SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKsaber")
        peer.send(bytes(response))
        assert await peer.is_silent()
        assert listener.responses == []

    async def test_silent_peer_is_a_timeout(self, run_layer, make_peer, listener) -> None:
        clock = ManualClock()
        running = await run_layer(clock=clock)
        running.layer.request(new_request(), make_peer(running.hop()).hop, listener)
        clock.advance(32)
        assert listener.errors == ["timeout"]

    async def test_error_of_the_socket_is_told_later(self, run_layer, listener) -> None:
        running = await run_layer()
        running.layer.request(new_request(), Hop("udp", "127.0.0.1", 0), listener)
        assert listener.errors == []
        await listener.hears()
        assert len(listener.errors) == 1

    async def test_no_socket_of_that_kind_is_an_error(self, run_layer, listener) -> None:
        running = await run_layer()
        running.layer.request(new_request(), Hop("udp", "2001:db8::1", 5060), listener)
        await listener.hears()
        assert listener.errors == ["no UDP socket of this kind"]

    async def test_name_is_resolved(self, run_layer, listener) -> None:
        ours, theirs = await run_layer(), await run_layer()
        theirs.users.on_request = answer(200)
        port = theirs.hop().port
        tx = ours.layer.request(new_request(), Hop("udp", "localhost", port), listener)
        await listener.hears()
        assert listener.codes == [200]
        assert tx.hop == Hop("udp", "127.0.0.1", port)

    @pytest.mark.parametrize("name", ["no-such-host.invalid", "a" * 70 + ".invalid", "..", "x y"])
    async def test_name_that_is_none_is_an_error(self, run_layer, listener, name: str) -> None:
        running = await run_layer()
        running.layer.request(new_request(), Hop("udp", name, 5060), listener)
        running.layer.send(new_request("ACK"), Hop("udp", name, 5060))
        await listener.hears()
        assert "cannot resolve" in listener.errors[0]

    async def test_nobody_hears_of_what_fails_after_the_stop(self, run_layer, listener) -> None:
        clock = ManualClock()
        running = await run_layer(clock=clock)
        tx = running.layer.request(new_request(), Hop("udp", "127.0.0.1", 0), listener)
        await running.layer.stop()
        clock.advance(100)
        assert tx.terminated
        assert listener.errors == []

    async def test_stop_forgets_everything(self, run_layer, make_peer, listener) -> None:
        running = await run_layer()
        running.layer.request(new_request(), make_peer(running.hop()).hop, listener)
        running.layer.request(new_request(), Hop("udp", "localhost", 9), listener)
        await running.layer.stop()
        assert running.layer.transactions == 0
        running.layer.request(new_request(), Hop("udp", "127.0.0.1", 5060), listener)
        await listener.hears()
        assert listener.errors == ["no UDP socket of this kind"]


class TestLocalAddress:
    async def test_bound_address_and_port_taken(self, run_layer) -> None:
        running = await run_layer("udp", "tcp")
        udp, tcp = running.layer.listens
        assert udp.port != 0
        assert running.layer.local_address(Hop("udp", "127.0.0.1", 1)) == ("127.0.0.1", udp.port)
        assert running.layer.local_address(Hop("tcp", "127.0.0.1", 1)) == ("127.0.0.1", tcp.port)
        assert running.layer.local_address(Hop("tls", "127.0.0.1", 1))[1] == 5061

    async def test_everywhere_means_the_address_towards_the_peer(self, run_layer) -> None:
        running = await run_layer(host="0.0.0.0")
        port = running.hop().port
        assert running.layer.local_address(Hop("udp", "127.0.0.1", 1)) == ("127.0.0.1", port)
        assert running.layer.local_address(Hop("udp", "a.name", 1))[0] != "0.0.0.0"

    async def test_advertised_address_is_for_outside(self, run_layer) -> None:
        running = await run_layer(host="0.0.0.0", advertise="203.0.113.5")
        port = running.hop().port
        address = running.layer.local_address
        assert address(Hop("udp", "8.8.8.8", 1)) == ("203.0.113.5", port)
        assert address(Hop("udp", "sip.carrier.example", 1)) == ("203.0.113.5", port)
        assert address(Hop("udp", "127.0.0.1", 1)) == ("127.0.0.1", port)
        assert address(Hop("udp", "10.1.2.3", 1))[0] != "203.0.113.5"

    async def test_several_sockets_answer_from_where_they_were_asked(
        self, make_peer, make_request
    ) -> None:
        listens = (Listen("udp", "127.0.0.1", 0), Listen("udp", "127.0.0.2", 0))
        layer = TransactionLayer(
            LayerConfig(listens),
            clock=LoopClock(),
            on_request=answer(200),
            on_ack=lambda request, hop: None,
            on_stray_response=lambda response, hop: None,
        )
        await layer.start()
        try:
            for listen in layer.listens:
                peer = make_peer(Hop("udp", listen.host, listen.port))
                peer.sock.connect((listen.host, listen.port))
                peer.sock.send(make_request("OPTIONS", Via=f"SIP/2.0/UDP {listen.port};rport"))
                assert isinstance(await peer.answer(), Response)
        finally:
            await layer.stop()

    async def test_a_place_is_reached_by_the_socket_asked_for_whichever_led_there_before(
        self, make_peer, make_request
    ) -> None:
        seen: list[Hop] = []
        layer = TransactionLayer(
            LayerConfig((Listen("udp", "127.0.0.1", 0), Listen("udp", "127.0.0.2", 0))),
            clock=LoopClock(),
            on_request=lambda tx: seen.append(tx.hop),
            on_ack=lambda request, hop: None,
            on_stray_response=lambda response, hop: None,
        )
        await layer.start()
        try:
            peer = make_peer(Hop("udp", "127.0.0.1", 9))
            for number, listen in enumerate(layer.listens):
                headers = {"Call-ID": f"{number}", "Via": f"SIP/2.0/UDP h;branch={number};rport"}
                request = make_request("INVITE", **headers)
                peer.sock.sendto(request, (listen.host, listen.port))
                await peer.answer()
            peer.sock.settimeout(30)
            first, second = layer.listens
            ways = [(peer.hop, first), (seen[1], second), (seen[0], first), (peer.hop, first)]
            for hop, listen in [*ways, *ways]:
                layer.send(new_request("ACK"), hop)
                data, source = peer.sock.recvfrom(65535)
                assert source == (listen.host, listen.port)
                assert f" {listen.host}:{listen.port};".encode() in data
        finally:
            await layer.stop()

    async def test_place_that_is_taken_is_an_error_and_nothing_stays_open(self, run_layer) -> None:
        first = await run_layer("tcp")
        taken = first.hop("tcp")
        listens = (Listen("udp", "127.0.0.1", 0), Listen("tcp", taken.host, taken.port))
        layer = TransactionLayer(
            LayerConfig(listens),
            clock=LoopClock(),
            on_request=answer(200),
            on_ack=lambda request, hop: None,
            on_stray_response=lambda response, hop: None,
        )
        with pytest.raises(OSError):
            await layer.start()
        assert layer.listens == ()

    def test_via_of_a_stream_asks_for_reuse(self) -> None:
        via = make_via(Hop("tcp", "192.0.2.1", 5060), ("2001:db8::1", 5060), "z9hG4bKx")
        assert via == "SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bKx;rport;alias"


class TestUsersThatFail:
    """A bug above must not take the layer down, nor other calls with it."""

    class Failing:
        def on_response(self, tx: object, response: object) -> None:
            raise RuntimeError("on purpose")

        def on_timeout(self, tx: object) -> None:
            raise RuntimeError("on purpose")

        on_transport_error = on_response

    async def test_on_a_response_and_on_a_timeout(self, run_layer, make_peer, listener) -> None:
        clock = ManualClock()
        running = await run_layer(clock=clock)
        peer = make_peer(running.hop())
        running.layer.request(new_request(), peer.hop, self.Failing())
        came = await peer.answer()
        other = new_request()
        other.headers.set("Call-ID", "other")
        running.layer.request(other, peer.hop, listener)
        await peer.answer()
        peer.send(bytes(make_response(came, 100)))
        assert await peer.is_silent()
        clock.advance(32)
        assert listener.errors == ["timeout"]
        assert running.layer.transactions == 0

    async def test_on_an_ack(self, make_peer, make_request) -> None:
        def fail(request: Request, hop: Hop) -> None:
            raise RuntimeError("on purpose")

        layer = TransactionLayer(
            LayerConfig((Listen("udp", "127.0.0.1", 0),)),
            clock=LoopClock(),
            on_request=answer(200),
            on_ack=fail,
            on_stray_response=lambda response, hop: None,
        )
        await layer.start()
        peer = make_peer(Hop("udp", "127.0.0.1", layer.listens[0].port))
        peer.send(make_request("ACK", To="<sip:a@b>;tag=x"))
        assert await peer.is_silent()
        await layer.stop()
