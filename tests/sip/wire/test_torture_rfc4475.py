"""Every message of RFC 4475, through a real UDP socket, gets the answer the RFC asks for.

Where the RFC lets an element choose between 400 and being liberal, the choice is validate's:
liberal about unquoted display names and about Date; 400 for the rest.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.corpus import RFC4475, SOURCES, all_torture, torture
from vpbx.sip.message import Request, Response, make_response, parse_message
from vpbx.sip.transaction import ServerTransaction
from vpbx.sip.validate import Abilities, judge

VALID = {
    "wsinv": "§3.1.1.1 a short tortuous INVITE",
    "esc01": "§3.1.1.3 valid use of the % escaping mechanism",
    "escnull": "§3.1.1.4 escaped nulls in URIs",
    "lwsdisp": "§3.1.1.6 no LWS between display name and <",
    "longreq": "§3.1.1.7 long values in header fields",
    "dblreq": "§3.1.1.8 extra trailing octets in a UDP datagram",
    "semiuri": "§3.1.1.9 semicolon-separated parameters in URI user part",
    "transports": "§3.1.1.10 varied and unknown transport types",
    "mpart01": "§3.1.1.11 multipart MIME message",
    "baddate": "§3.1.2.12 invalid time zone in Date, ignored as the RFC permits",
    "baddn": "§3.1.2.15 non-token characters in display name, taken as the RFC permits",
    "badbranch": "§3.2.1 missing transaction identifier, RFC 2543 matching as the RFC permits",
    "regaut01": "§3.3.7 unknown authorization scheme, for the registrar to challenge",
    "zeromf": "§3.3.11 Max-Forwards of zero on an OPTIONS for us",
    "cparam01": "§3.3.12 REGISTER with a contact header parameter",
    "cparam02": "§3.3.13 REGISTER with a url parameter",
    "regescrt": "§3.3.14 REGISTER with a URL escaped header",
    "inv2543": "§3.4.1 INVITE with RFC 2543 syntax",
}
REFUSED = {
    "intmeth": (501, "§3.1.1.2 wide range of valid characters: a valid, unknown method"),
    "esc02": (501, "§3.1.1.5 use of % when it is not an escape: RE%47IST%45R is no REGISTER"),
    "badinv01": (400, "§3.1.2.1 extraneous header field separators"),
    "clerr": (400, "§3.1.2.2 Content-Length larger than message"),
    "ncl": (400, "§3.1.2.3 negative Content-Length"),
    "scalar02": (400, "§3.1.2.4 request scalar fields with overlarge values"),
    "quotbal": (400, "§3.1.2.6 unterminated quoted string in display name"),
    "ltgtruri": (400, "§3.1.2.7 <> enclosing Request-URI"),
    "lwsruri": (400, "§3.1.2.8 malformed SIP Request-URI (embedded LWS)"),
    "lwsstart": (400, "§3.1.2.9 multiple SP separating Request-Line elements"),
    "trws": (400, "§3.1.2.10 SP characters at end of Request-Line"),
    "escruri": (400, "§3.1.2.11 escaped headers in SIP Request-URI"),
    "regbadct": (400, "§3.1.2.13 failure to enclose name-addr URI in <>"),
    "badaspec": (400, "§3.1.2.14 spaces within addr-spec"),
    "badvers": (505, "§3.1.2.16 unknown protocol version"),
    "mismatch01": (400, "§3.1.2.17 start line and CSeq method mismatch"),
    "mismatch02": (400, "§3.1.2.18 unknown method with CSeq method mismatch"),
    "insuf": (400, "§3.3.1 missing required header fields"),
    "unkscm": (416, "§3.3.2 Request-URI with unknown scheme"),
    "novelsc": (416, "§3.3.3 Request-URI with known but atypical scheme"),
    "unksm2": (400, "§3.3.4 unknown URI schemes in header fields: To of a REGISTER"),
    "bext01": (420, "§3.3.5 Proxy-Require and Require"),
    "invut": (415, "§3.3.6 unknown Content-Type"),
    "multi01": (400, "§3.3.8 multiple values in single value required fields"),
    "mcl01": (400, "§3.3.9 multiple Content-Length values"),
    "sdp01": (406, "§3.3.15 unacceptable Accept offering"),
}
DROPPED = {
    "scalarlg": "§3.1.2.5 response scalar fields with overlarge values",
    "bigcode": "§3.1.2.19 overlarge response code",
    "unreason": "§3.1.1.12 unusual reason phrase, a response to nothing of ours",
    "noreason": "§3.1.1.13 empty reason phrase, a response to nothing of ours",
    "bcast": "§3.3.10 200 OK response with broadcast Via header field value",
}


def answer_202(tx: ServerTransaction) -> None:
    """A user agent that takes everything; 202 so that nobody else's 200 is meant."""
    tx.respond(make_response(tx.request, 202))


@pytest.mark.parametrize("name", VALID)
async def test_valid_message_reaches_the_user_agent(
    name: str, torture: Callable[[str], bytes], run_layer, make_peer
) -> None:
    data = torture(name)
    running = await run_layer("udp")
    running.users.on_request = answer_202
    peer = make_peer(running.hop())
    peer.send(data)
    response = await peer.answer()
    assert isinstance(response, Response)
    assert response.code == 202
    sent = running.users.requests[0].request
    assert response.headers["Call-ID"] == sent.headers["Call-ID"]
    assert response.headers["CSeq"] == sent.headers["CSeq"]
    assert response.headers["From"] == sent.headers["From"]
    assert response.to_tag
    assert response.top_via.parameters["received"] == "127.0.0.1"


@pytest.mark.parametrize("name", REFUSED)
async def test_bad_message_is_refused_with_the_right_code(
    name: str, torture: Callable[[str], bytes], run_layer, make_peer
) -> None:
    data = torture(name)
    running = await run_layer("udp")
    peer = make_peer(running.hop())
    peer.send(data)
    response = await peer.answer()
    assert isinstance(response, Response)
    assert response.code == REFUSED[name][0]
    assert running.users.requests == []
    assert running.layer.transactions == 0


@pytest.mark.parametrize("name", DROPPED)
async def test_response_that_is_broken_or_not_ours_is_dropped(
    name: str, torture: Callable[[str], bytes], run_layer, make_peer
) -> None:
    data = torture(name)
    running = await run_layer("udp")
    peer = make_peer(running.hop())
    peer.send(data)
    assert await peer.is_silent()
    assert running.users.strays == []
    assert running.layer.transactions == 0


@pytest.mark.parametrize("source", SOURCES)
def test_every_message_is_in_one_of_the_tables(source: str) -> None:
    names = {name.partition("/")[2] for name in all_torture() if name.startswith(source)}
    assert names == {*VALID, *REFUSED, *DROPPED}


def test_unsupported_names_what_was_required_and_not_what_proxies_should_do(
    torture: Callable[[str], bytes],
) -> None:
    request = parse_message(torture("bext01"))
    assert isinstance(request, Request)
    refusal = judge(request, Abilities())
    assert refusal is not None
    assert refusal.headers == (("Unsupported", "nothingSupportsThis, nothingSupportsThisEither"),)


class TestWhatIsRead:
    """The RFC's valid ones are understood, not only let through."""

    @pytest.fixture
    def read(self) -> Callable[[str], Request | Response]:
        if "rfc4475" not in SOURCES:
            pytest.skip(f"{RFC4475} is not there; TestWhatIsReadOfOurs stands in for it")
        return lambda name: parse_message(torture(name, "rfc4475"))

    def test_wsinv(self, read: Callable[[str], Request]) -> None:
        request = read("wsinv")
        assert request.to_tag == "1918181833n"
        assert request.from_tag == "98asjd8"
        assert request.from_address.name == 'J Rosenberg \\"'
        assert request.max_forwards == 68
        assert (request.cseq_number, request.cseq_method) == (9, "INVITE")
        assert [via.parameters["branch"] for via in request.via] == [
            "390skdjuw",
            "z9hG4bK9ikj8",
            "z9hG4bK30239",
        ]
        assert [via.transport for via in request.via] == ["UDP", "TCP", "UDP"]
        assert request.headers["NewFangledHeader"] == "newfangled value continued newfangled value"
        assert request.headers["Subject"] == ""
        contact = request.contact[0]
        assert contact.name == 'Quoted string ""'
        assert dict(contact.parameters) == {
            "newparam": "newvalue",
            "secondparam": None,
            "q": "0.33",
        }
        assert request.route[0].uri.parameters["unknown-no-value"] is None
        assert len(request.body) == 150

    def test_intmeth(self, read: Callable[[str], Request]) -> None:
        request = read("intmeth")
        assert request.method == "!interesting-Method0123456789_*+`.%indeed'~"
        assert request.uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
        assert request.uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
        assert request.uri.host == "example.com"
        assert request.branch == "z9hG4bK-.!%66*_+`'~"
        assert request.to_address.name == "BEL:\x07 NUL:\x00 DEL:\x7f"
        assert request.from_tag == "_token~1'+`*%!-."
        assert request.from_address.parameters["fromParam''~+*_!.-%"] == '"работающий"'
        assert request.headers["Call-ID"] == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
        assert request.headers["extensionHeader-!.%*+_`'~"] == "\N{ZERO WIDTH NO-BREAK SPACE}大停電"

    def test_esc01(self, read: Callable[[str], Request]) -> None:
        request = read("esc01")
        assert request.uri.user == "sips:user@example.com"
        assert request.to_address.uri.user == "user"
        assert request.from_address.uri.user == "I have spaces"
        uri = request.contact[0].uri
        assert uri.user == "caller"
        assert dict(uri.parameters) == {"lr": None, "name": "value%41"}

    def test_escnull(self, read: Callable[[str], Request]) -> None:
        request = read("escnull")
        assert request.to_address.uri.user == "null-\x00-null"
        assert [contact.uri.user for contact in request.contact] == ["\x00", "\x00\x00"]

    def test_esc02(self, read: Callable[[str], Request]) -> None:
        request = read("esc02")
        assert request.method == "RE%47IST%45R"
        assert request.to_address.name == "%Z%45"
        assert request.branch == "z9hG4bK209%fzsnel234"
        assert len(request.contact) == 2

    def test_lwsdisp(self, read: Callable[[str], Request]) -> None:
        assert read("lwsdisp").from_address.name == "caller"

    def test_longreq(self, read: Callable[[str], Request]) -> None:
        request = read("longreq")
        assert len(request.via) == 34
        assert len(request.from_tag) > 150
        assert len(request.body) == 150

    def test_dblreq(self, read: Callable[[str], Request]) -> None:
        request = read("dblreq")
        assert (request.method, request.body) == ("REGISTER", b"")
        assert request.headers["Call-ID"].startswith("dblreq.")

    def test_semiuri(self, read: Callable[[str], Request]) -> None:
        assert read("semiuri").uri.user == "user;par=u@example.net"

    def test_mpart01(self, read: Callable[[str], Request]) -> None:
        assert len(read("mpart01").body) == 553

    def test_transports(self, read: Callable[[str], Request]) -> None:
        assert [via.transport for via in read("transports").via] == [
            *("UDP", "SCTP", "TLS", "UNKNOWN", "TCP")
        ]

    def test_unreason(self, read: Callable[[str], Response]) -> None:
        response = read("unreason")
        assert response.code == 200
        assert response.phrase == "= 2**3 * 5**2 но сто девяносто девять - простое"

    def test_noreason(self, read: Callable[[str], Response]) -> None:
        response = read("noreason")
        assert (response.code, response.phrase) == (100, "")

    def test_cparam(self, read: Callable[[str], Request]) -> None:
        assert "unknownparam" in read("cparam01").contact[0].parameters
        assert "unknownparam" not in read("cparam02").contact[0].parameters
        assert "unknownparam" in read("cparam02").contact[0].uri.parameters

    def test_regescrt(self, read: Callable[[str], Request]) -> None:
        assert str(read("regescrt").contact[0].uri) == (
            "sip:user@example.com?Route=%3Csip:sip.example.com%3E"
        )

    def test_inv2543(self, read: Callable[[str], Request]) -> None:
        request = read("inv2543")
        assert (request.from_tag, request.branch) == ("", "")
        assert request.body.startswith(b"v=0")

    def test_baddn(self, read: Callable[[str], Request]) -> None:
        assert read("baddn").from_address.name == "Bell, Alexander"


class TestWhatIsReadOfOurs:
    """And so are our own."""

    @pytest.fixture
    def read(self) -> Callable[[str], Request | Response]:
        return lambda name: parse_message(torture(name))

    def test_white_space_folding_and_short_names(self, read: Callable[[str], Request]) -> None:
        request = read("wsinv")
        assert (request.to_tag, request.from_tag) == ("9876543210b", "alice-1")
        assert request.from_address.name == 'Alice \\"'
        assert request.max_forwards == 68
        assert (request.cseq_number, request.cseq_method) == (9, "INVITE")
        assert [via.parameters["branch"] for via in request.via] == [
            *("z9hG4bKws1", "z9hG4bKws2", "z9hG4bKws3")
        ]
        assert [via.transport for via in request.via] == ["UDP", "TCP", "UDP"]
        assert request.headers["NewFangled"] == "new fangled value goes on\t here"
        assert request.contact[0].name == 'Quoted "'
        assert dict(request.contact[0].parameters) == {"odd": "value", "lonely": None, "q": "0.25"}
        assert len(request.body) == 140

    def test_every_sign_of_a_token(self, read: Callable[[str], Request]) -> None:
        request = read("intmeth")
        assert request.method == "!odd-Method0123456789_*+`.%indeed'~"
        assert request.uri.user == "2_odd.user~(it-is!)&isn't+so$/mad?,/;;*"
        assert request.uri.password == "&pass=1,odd!*pa$s~d"
        assert request.to_address.name == "BEL:\x07 DEL:\x7f"
        assert request.from_address.parameters["par''~+*_!.-%"] == '"да"'
        assert request.headers["oddHeader-!.%*+_`'~"] == "\N{ZERO WIDTH NO-BREAK SPACE}大停"

    def test_percent_signs(self, read: Callable[[str], Request]) -> None:
        request = read("esc01")
        assert request.uri.user == "sips:bob@office.example"
        assert request.to_address.uri.user == "bob"
        assert request.from_address.uri.user == "two words"
        assert dict(request.contact[0].uri.parameters) == {"lr": None, "name": "a%41"}
        assert [c.uri.user for c in read("escnull").contact] == ["\x00", "\x00\x00"]
        assert read("esc02").method == "INV%49TE"
        assert len(read("esc02").contact) == 2

    def test_addresses_and_bodies(self, read: Callable[[str], Request]) -> None:
        assert read("lwsdisp").from_address.name == "alice"
        assert read("baddn").from_address.name == "Liddell, Alice"
        assert read("semiuri").uri.user == "bob;par=x@home.example"
        assert len(read("longreq").via) == 33
        assert (read("dblreq").method, read("dblreq").body) == ("REGISTER", b"")
        assert [via.transport for via in read("transports").via] == [
            *("UDP", "SCTP", "TLS", "PIGEON", "TCP")
        ]
        assert b"Hello\x00\x01\xff" in read("mpart01").body
        assert "unknownparam" in read("cparam01").contact[0].parameters
        assert "unknownparam" in read("cparam02").contact[0].uri.parameters
        assert (read("inv2543").from_tag, read("inv2543").branch) == ("", "")

    def test_reasons(self, read: Callable[[str], Response]) -> None:
        assert read("unreason").phrase == "= 4**2 * 5**2 но не 200"
        assert (read("noreason").code, read("noreason").phrase) == (100, "")
