"""Whatever arrives, nothing raises out of the stack, and fair messages go on being answered.

The examples are drawn the same each time (derandomized), so that a failure can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.support.corpus import all_torture
from vpbx.clock import ManualClock
from vpbx.sip import grammar
from vpbx.sip.layer import LayerConfig, TransactionLayer
from vpbx.sip.message import MalformedMessage, Request, make_response, parse_message
from vpbx.sip.parameters import parse_parameters, split_list
from vpbx.sip.transaction import ServerTransaction
from vpbx.sip.transport import Hop
from vpbx.sip.transport.framing import Framer, Unframable
from vpbx.sip.uri import parse_hostport, parse_uri

SOURCE = Hop("udp", "192.0.2.1", 5060)
STREAM = Hop("tcp", "192.0.2.1", 5060, 7)
fuzz = settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

SEEDS = [
    b"INVITE sip:bob@example.com;lr SIP/2.0\r\nVia: SIP/2.0/UDP h:5060;branch=z9hG4bK1;rport\r\n"
    b'From: "A, \\"B\\"" <sip:ann@example.org>;tag=1\r\nTo: <sip:bob@example.com>\r\n'
    b"Call-ID: c1\r\nCSeq: 1 INVITE\r\nContact: <sip:ann@h>;expires=60\r\nMax-Forwards: 70\r\n"
    b"Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\nRequire: 100rel\r\nSupported: timer, path\r\n"
    b"Content-Type: application/sdp\r\nContent-Length: 3\r\n\r\nv=0",
    b"REGISTER sip:example.com SIP/2.0\r\nv: SIP / 2.0 / TCP h ;branch = z9hG4bK2\r\n"
    b"f: sip:ann@example.org;tag=2\r\nt: sip:ann@example.org\r\ni: c2\r\nCSeq: 2 REGISTER\r\n"
    b'm: *\r\nExpires: 0\r\nAuthorization: Digest username="a", realm="r", nonce="n",\r\n'
    b' uri="sip:x", response="00", qop=auth, nc=00000001, cnonce="c"\r\nl: 0\r\n\r\n',
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK3;received=192.0.2.2;rport=5060\r\n"
    b"From: <sip:a@b>;tag=3\r\nTo: <tel:+74951234567>;tag=4\r\nCall-ID: c3\r\nCSeq: 3 INVITE\r\n"
    b'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth,auth-int"\r\n\r\n',
    b"CANCEL sip:[2001:db8::1]:5060 SIP/2.0\r\nVia: SIP/2.0/UDP [2001:db8::9];branch=z9hG4bK1\r\n"
    b"From: <sip:ann@example.org>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: c1\r\n"
    b"CSeq: 1 CANCEL\r\n\r\n",
    b"ACK sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>\r\nTo: <sip:c@d>\r\n"
    b"Call-ID: c4\r\nCSeq: 1 ACK\r\n\r\n",
]
SEEDS += all_torture().values()

BITS = [
    *(
        b"\r\n",
        b"\r\n\r\n",
        b"\r\n ",
        b":",
        b";",
        b",",
        b"<",
        b">",
        b'"',
        b"\\",
        b"%",
        b"%00",
        b"@",
    ),
    *(
        b"=",
        b" ",
        b"\0",
        b"\xff",
        b"\xf0\x9f",
        b"/",
        b"?",
        b"[",
        b"]",
        b"::",
        b"*",
        b"-1",
        b"99999",
    ),
    *(b"4294967296", b"SIP/2.0", b"SIP/7.0", b"sip:", b"tel:", b"branch=", b";tag=", b"z9hG4bK"),
    *(b"Via: ", b"l: 5\r\n", b"To: x\r\n", b"CSeq: 1 X\r\n", b"Contact: ;\r\n", b"Via: ,\r\n"),
    *(b";self=1", b";received=", b";rport", "٣".encode(), b"Content-Length: 1\r\n"),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A message with a few pieces cut out, put in, doubled or exchanged."""
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 12)))
        piece = draw(st.sampled_from(BITS) | st.binary(max_size=4))
        how = draw(st.sampled_from(["put in", "exchange", "cut", "double"]))
        if how == "put in":
            data = data[:at] + piece + data[at:]
        elif how == "exchange":
            data = data[:at] + piece + data[end:]
        elif how == "cut":
            data = data[:at] + data[end:]
        else:
            data = data[:end] + data[at:]
    return data


messages = mutated() | st.binary(max_size=200) | st.sampled_from(SEEDS)


@pytest.fixture
def layer() -> TransactionLayer:
    """A layer without sockets: what it sends is only counted, and must be readable."""

    def on_request(tx: ServerTransaction) -> None:
        read_everything(tx.request)
        tx.respond(make_response(tx.request, 200 if tx.request.method == "BYE" else 486))

    layer = TransactionLayer(
        LayerConfig((), max_transactions=10**6),
        clock=ManualClock(),
        on_request=on_request,
        on_ack=lambda request, hop: read_everything(request),
        on_stray_response=lambda response, hop: None,
    )
    layer._transports.send = lambda data, hop, failed=None: parse_message(data)  # type: ignore[method-assign]
    return layer


def read_everything(request: Request) -> None:
    """Use every accessor a user agent would; only ValueError may come out."""
    readers: list[Callable[[], object]] = [
        lambda: request.from_tag,
        lambda: request.to_tag,
        lambda: request.branch,
        lambda: request.text(),
        lambda: str(request.uri),
        lambda: str(request.from_address),
        lambda: str(request.to_address),
        lambda: [str(via) for via in request.via],
        lambda: request.cseq,
        lambda: [str(contact) for contact in request.contact],
        lambda: request.record_route,
        lambda: request.route,
        lambda: request.expires,
        lambda: request.max_forwards,
        lambda: request.authorization,
        lambda: request.www_authenticate,
        lambda: request.proxy_authorization,
        lambda: request.supported,
        lambda: request.require,
    ]
    for read in readers:
        try:
            read()
        except ValueError:
            pass


@fuzz
@given(data=messages)
def test_layer_swallows_everything(layer: TransactionLayer, data: bytes) -> None:
    with capture_logs() as logs:
        layer.receive(data, SOURCE)
        layer.receive(data, STREAM)
        layer.receive_broken(data, STREAM, 400, "broken")
    assert [log for log in logs if log["log_level"] == "error"] == []


@fuzz
@given(data=messages)
def test_parser_raises_nothing_else_and_what_it_reads_can_be_written(data: bytes) -> None:
    try:
        message = parse_message(data)
    except MalformedMessage as error:
        code, message = error.code, error.message
    else:
        code = 400
    assert code in (None, 400, 505, 513)
    if message is None:
        return
    if isinstance(message, Request):
        read_everything(message)
        make_response(message, 400)
    once = bytes(message)
    assert once.count(b"\r\n\r\n") >= 1


@fuzz
@given(data=messages)
def test_what_was_read_reads_the_same_after_writing(data: bytes) -> None:
    try:
        first = parse_message(data)
    except MalformedMessage:
        return
    again = parse_message(bytes(first))
    assert again.start_line() == first.start_line()
    assert again.body == first.body
    first.headers.remove("Content-Length")
    again.headers.remove("Content-Length")
    assert again.headers.lines() == first.headers.lines()


@fuzz
@given(text=st.text(max_size=60) | mutated().map(lambda data: data.decode("utf-8", "replace")))
def test_grammar_raises_only_value_errors(text: str) -> None:
    for parse in (
        parse_uri,
        grammar.parse_address,
        grammar.parse_via,
        parse_parameters,
        grammar.parse_auth,
        split_list,
        parse_hostport,
    ):
        try:
            parse(text)
        except ValueError:
            pass


@fuzz
@given(pieces=st.lists(messages, max_size=4))
def test_framer_ends_or_goes_on(pieces: list[bytes]) -> None:
    framer = Framer(4000)
    code = 400
    try:
        for piece in pieces:
            for message in framer.feed(piece):
                assert b"\r\n\r\n" in message
    except Unframable as error:
        code = error.code
    assert code in (400, 513)


async def test_fair_requests_are_answered_in_a_storm_of_rubbish(
    run_layer, make_peer, make_request
) -> None:
    running = await run_layer()
    running.users.on_request = lambda tx: tx.respond(make_response(tx.request, 200))
    peer = make_peer(running.hop())
    for number in range(20):
        for at in range(0, 200, 20):
            peer.send(b"\0" * at + SEEDS[2][at:])
        peer.send(
            make_request(
                "OPTIONS",
                Via=f"SIP/2.0/UDP h;rport;branch=z9hG4bK{number}",
                Call_ID=f"fair{number}",
            )
        )
    codes = [(await peer.answer()).code for _ in range(20)]
    assert codes == [200] * 20
