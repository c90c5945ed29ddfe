"""Messages: bytes to values and back."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
import sipmessage

from vpbx.sip.headers import Headers
from vpbx.sip.message import (
    MalformedMessage,
    Request,
    Response,
    is_our_branch,
    make_response,
    new_branch,
    new_call_id,
    new_tag,
    parse_message,
)

OPTIONS = (
    b"OPTIONS sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h1;branch=z9hG4bK1, SIP/2.0/TCP h2\r\n"
    b"f: <sip:x@y>;tag=1\r\nt: <sip:a@b>\r\ni: c1\r\nCSeq: 7 OPTIONS\r\n"
)


def parse(data: bytes) -> Request:
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


class TestParsing:
    def test_compact_names_and_lists(self) -> None:
        request = parse(OPTIONS + b"k: timer, 100rel\r\nK: path\r\n\r\n")
        assert request.headers.getlist("Via") == [
            "SIP/2.0/UDP h1;branch=z9hG4bK1",
            "SIP/2.0/TCP h2",
        ]
        assert request.headers.getlist("supported") == ["timer", "100rel", "path"]
        assert request.supported == ["timer", "100rel", "path"]
        assert request.branch == "z9hG4bK1"
        assert request.call_id == "c1"
        assert (request.from_tag, request.to_tag) == ("1", "")

    def test_every_compact_name_can_be_written_again(self) -> None:
        short = "abcdefijklmorstuvxy"
        request = parse(OPTIONS + "".join(f"{c.upper()} : 0\r\n" for c in short).encode())
        assert len(request.headers.lines()) == len(short) + 6

    def test_folding_and_space_before_the_colon(self) -> None:
        request = parse(OPTIONS + b"Subject  : one\r\n\ttwo\r\n   three\r\nX-Y :z\r\n\r\n")
        assert request.headers["Subject"] == "one two three"
        assert request.headers["x-y"] == "z"

    def test_bytes_that_are_not_utf8(self) -> None:
        request = parse(OPTIONS + b"Subject: caf\xe9\r\n\r\n\xff\xfe")
        assert request.headers["Subject"] == "caf\N{REPLACEMENT CHARACTER}"
        assert request.body == b"\xff\xfe"
        assert request.text() == "\N{REPLACEMENT CHARACTER}" * 2

    def test_body_is_cut_to_its_length(self) -> None:
        assert parse(OPTIONS + b"l: 2\r\n\r\nabcdef").body == b"ab"
        assert parse(OPTIONS + b"\r\nabcdef").body == b"abcdef"

    def test_message_without_blank_line_has_no_body(self) -> None:
        assert parse(OPTIONS).headers["Call-ID"] == "c1"

    def test_version_in_lower_case(self) -> None:
        assert parse(OPTIONS.replace(b"SIP/2.0\r\n", b"sip/2.0\r\n", 1) + b"\r\n").method
        response = parse_message(b"sip/2.0 200 OK\r\n\r\n")
        assert isinstance(response, Response)

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"", None),
            (b"hello", None),
            (b"\r\n\r\n", None),
            (b"GET / HTTP/1.1\r\n\r\n", None),
            (b"SIP/2.0\r\n\r\n", None),
            (b"SIP/2.0 20 OK\r\n\r\n", None),
            (b"SIP/2.0 700 OK\r\n\r\n", None),
            (b"SIP/2.0 2000 OK\r\n\r\n", None),
            ("SIP/2.0 ٢٠٠ OK\r\n\r\n".encode(), None),
            (b"SIP/3.0 200 OK\r\n\r\n", None),
            (b"SIP/2.0 200 OK\r\nno colon\r\n\r\n", None),
            (b"A SIP/2.0\r\n\r\n", None),
            (b"A  SIP/2.0\r\n\r\n", 400),
            (b"A(B sip:a@b SIP/2.0\r\n\r\n", 400),
            (b"OPTIONS sip:a@b SIP/2.1\r\n\r\n", 505),
            (OPTIONS + b"no colon\r\n\r\n", 400),
            (OPTIONS + b": no name\r\n\r\n", 400),
            (OPTIONS + b"Subject\r\n\r\n", 400),
            (OPTIONS + b"k: " + b"a," * 200 + b"\r\n\r\n", 400),
            (OPTIONS + b"X: a\nVia: b\r\n\r\n", 400),
            (OPTIONS + b"X: a\rb\r\n\r\n", 400),
            (OPTIONS + b"two words: x\r\n\r\n", 400),
            (OPTIONS + b"l: 5\r\n\r\nab", 400),
            (OPTIONS + b"l: -5\r\n\r\nab", 400),
            (OPTIONS + b"l: x\r\n\r\nab", 400),
            (OPTIONS + b"l: 99999999999\r\n\r\nab", 400),
            (OPTIONS + b"l: 1\r\nl: 2\r\n\r\nab", 400),
            (OPTIONS + "l: ٢\r\n\r\nab".encode(), 400),
            (OPTIONS + b"X: y\r\n" * 200 + b"\r\n", 400),
            (OPTIONS + b"X: " + b"y" * 70_000 + b"\r\n\r\n", 513),
        ],
    )
    def test_malformed_ones_say_what_to_answer(self, data: bytes, code: int | None) -> None:
        with pytest.raises(MalformedMessage) as caught:
            parse_message(data)
        assert caught.value.code == code
        assert caught.value.reason
        if code:
            assert isinstance(caught.value.message, Request)

    def test_malformed_one_keeps_what_the_answer_needs(self) -> None:
        with pytest.raises(MalformedMessage) as caught:
            parse_message(OPTIONS + b"rubbish\r\nMax-Forwards: 1\r\n\r\n")
        request = caught.value.message
        assert isinstance(request, Request)
        response = make_response(request, 400)
        assert response.headers.getlist("Via") == request.headers.getlist("Via")
        assert response.headers["CSeq"] == "7 OPTIONS"
        assert response.to_tag


class TestAccessors:
    def test_tags_however_they_are_written(self) -> None:
        def tag(value: str) -> str:
            request = Request("X", "sip:a@b")
            request.headers.set("From", value)
            return request.from_tag

        assert tag("<sip:a@b>;tag=x1") == "x1"
        assert tag("<sip:a@b>;a=b;TAG=x1;c") == "x1"
        assert tag("sip:a@b;tag=x1") == "x1"
        assert tag("<sip:a@b> ; tag = x1 ; c") == "x1"
        assert tag('";tag=no" <sip:a@b>;tag=x1') == "x1"
        assert tag('<sip:a@b>;x=";tag=no";tag=x1') == "x1"
        assert tag("<sip:a@b;tag=no>") == ""
        assert tag("<sip:a@b>;stag=1") == ""
        assert tag('"broken <sip:a@b> ;tag = x') == ""
        assert Request("X", "sip:a@b").to_tag == ""

    def test_values_parsed_once_follow_the_header(self) -> None:
        request = parse(OPTIONS + b"\r\n")
        assert (request.cseq_number, request.from_tag, request.branch) == (7, "1", "z9hG4bK1")
        request.cseq = sipmessage.CSeq(8, "BYE")
        request.headers.set("From", "<sip:x@y>;tag=2")
        request.headers.push("Via", "SIP/2.0/UDP new;branch=z9hG4bK2")
        assert (request.cseq.sequence, request.cseq_method) == (8, "BYE")
        assert (request.from_tag, request.branch) == ("2", "z9hG4bK2")
        assert [via.host for via in request.via] == ["new", "h1", "h2"]

    @pytest.mark.parametrize(
        "value", ["", "1", "x INVITE", "-1 INVITE", "4294967296 INVITE", "1 INVITE x", "٢ X"]
    )
    def test_broken_cseq(self, value: str) -> None:
        request = Request("X", "sip:a@b")
        request.headers.set("CSeq", value)
        with pytest.raises(ValueError):
            _ = request.cseq_number

    @pytest.mark.parametrize("value", ["x", "-1", "", "1" * 5000, "٢"])
    def test_broken_numbers(self, value: str) -> None:
        request = Request("X", "sip:a@b")
        request.headers.set("Expires", value)
        with pytest.raises(ValueError):
            _ = request.expires

    def test_addresses_and_setters(self) -> None:
        request = parse(OPTIONS + b'm: "A, B" <sip:a@b>;+sip.instance="<x>", <sip:c@d>\r\n\r\n')
        assert [contact.name for contact in request.contact] == ["A, B", ""]
        request.from_address = request.contact[0]
        assert request.headers["From"] == '"A, B" <sip:a@b>;+sip.instance="<x>"'
        request.to_address = sipmessage.Address(request.contact[1].uri)
        assert request.to_address.uri.user == "c"
        request.via = request.via[1:]
        assert request.headers.getlist("Via") == ["SIP/2.0/TCP h2"]
        request.uri = request.contact[1].uri
        assert request.raw_uri == "sip:c@d"

    def test_credentials_and_challenges(self) -> None:
        request = parse(
            OPTIONS
            + b'Authorization: Digest username="a,b", response="", qop=auth\r\n'
            + b'WWW-Authenticate: Digest realm="r", qop="auth,auth-int"\r\n'
            + b"Proxy-Authorization: Strange thing\r\n\r\n"
        )
        credentials = request.authorization
        assert credentials is not None
        assert dict(credentials.parameters or {}) == {
            "username": "a,b",
            "response": "",
            "qop": "auth",
        }
        challenge = request.www_authenticate
        assert challenge is not None
        assert challenge.parameters["qop"] == "auth,auth-int"
        other = request.proxy_authorization
        assert other is not None
        assert (other.scheme, other.token) == ("strange", "thing")
        assert request.proxy_authenticate is None
        assert Request("X", "sip:a@b").authorization is None


class TestHeaders:
    def test_storage(self) -> None:
        headers = Headers([("X-One", "1"), ("via", "a")])
        headers.add("x-one", "2")
        headers.push("Via", "b")
        headers.add("v", "c")
        assert headers.getlist("X-ONE") == ["1", "2"]
        assert headers.getlist("Via") == ["b", "a", "c"]
        assert headers.count("Via") == 3
        assert headers.count("x-one") == 2
        assert (headers.count("To"), headers.getlist("To"), headers.get("To")) == (0, [], None)
        headers.replace_first("Via", "B")
        assert headers.get("Via") == "B"
        assert headers.keys() == ["X-One", "Via"]
        assert "VIA" in headers
        headers.setlist("Via", ["only"])
        headers.replace_first("Via", "sole")
        headers.remove("x-one")
        headers.remove("x-one")
        assert str(headers) == "Via: sole\r\n\r\n"
        headers.setlist("Via", [])
        assert headers.keys() == []
        headers.set("X-A", "1")
        headers.push("X-B", "2")
        assert headers.keys() == ["X-B", "X-A"]
        with pytest.raises(KeyError):
            headers["Via"]

    def test_values_in_a_list_are_nobody_elses(self) -> None:
        headers = Headers([("Route", "a"), ("Route", "b")])
        headers.getlist("Route").append("c")
        assert headers.getlist("Route") == ["a", "b"]


class TestWriting:
    def test_content_length_is_put_right(self) -> None:
        request = Request("MESSAGE", "sip:a@b", "привет".encode())
        request.headers.set("Content-Length", "1")
        assert bytes(request) == (
            "MESSAGE sip:a@b SIP/2.0\r\nContent-Length: 12\r\n\r\nпривет".encode()
        )
        assert bytes(request) == bytes(request)

    def test_no_value_breaks_out_of_its_line(self) -> None:
        request = Request("MESSAGE", "sip:a@b")
        request.headers.set("Subject", "hi\r\nVia: evil\r\n\r\nbody")
        request.headers.set("X", "a\rb\nc")
        again = parse(bytes(request))
        assert again.headers["Subject"] == "hi Via: evil body"
        assert again.headers["X"] == "a b c"
        assert "Via" not in again.headers

    def test_lone_surrogates_can_be_written(self) -> None:
        request = Request("MESSAGE", "sip:a@b")
        request.headers.set("Subject", "\ud800")
        assert b"Subject: ?\r\n" in bytes(request)

    def test_foreign_messages_are_written_too(self) -> None:
        foreign = sipmessage.Request("BYE", sipmessage.URI.parse("sip:a@b"))
        assert bytes(foreign).startswith(b"BYE sip:a@b SIP/2.0\r\n")

    def test_round_trip(self, make_request: Callable[..., bytes]) -> None:
        data = make_request("INVITE", Route="<sip:a;lr>, <sip:b;lr>")
        once = bytes(parse(data))
        assert bytes(parse(once)) == once


class TestResponses:
    @pytest.fixture
    def invite(self, make_request: Callable[..., bytes]) -> Request:
        return parse(
            make_request("INVITE", Timestamp="1.5", **{"Record-Route": "<sip:p1;lr>, <sip:p2;lr>"})
        )

    def test_copies(self, invite: Request) -> None:
        response = make_response(
            invite, 200, to_tag="t1", headers=(("X", "1"),), body=b"v=0", content_type="a/b"
        )
        assert (response.code, response.phrase) == (200, "OK")
        assert response.headers.getlist("Via") == invite.headers.getlist("Via")
        assert response.headers.getlist("Record-Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
        assert response.headers["To"] == "<sip:bob@example.com>;tag=t1"
        assert response.headers["X"] == "1"
        assert response.headers["Content-Type"] == "a/b"
        assert b"Content-Length: 3\r\n" in bytes(response)
        response.headers.set("Via", "other")
        assert invite.headers["Via"] != "other"

    def test_record_route_only_where_a_dialog_is_made(
        self, invite: Request, make_request: Callable[..., bytes]
    ) -> None:
        assert "Record-Route" in make_response(invite, 180).headers
        assert "Record-Route" not in make_response(invite, 100).headers
        assert "Record-Route" not in make_response(invite, 486).headers
        bye = parse(make_request("BYE", **{"Record-Route": "<sip:p1;lr>"}))
        assert "Record-Route" not in make_response(bye, 200).headers

    def test_100_has_no_tag_and_the_timestamp(self, invite: Request) -> None:
        trying = make_response(invite, 100)
        assert trying.to_tag == ""
        assert trying.headers["Timestamp"] == "1.5"
        assert "Timestamp" not in make_response(invite, 180).headers

    def test_made_tag_is_the_same_for_a_request_and_its_copies(self, invite: Request) -> None:
        other = parse(bytes(invite))
        first = make_response(invite, 180).to_tag
        assert first
        assert make_response(other, 404).to_tag == first
        other.headers.set("Call-ID", "another")
        assert make_response(other, 404).to_tag != first

    def test_tag_of_the_request_stays(self, make_request: Callable[..., bytes]) -> None:
        bye = parse(make_request("BYE", To="<sip:a@b>;tag=mine"))
        assert make_response(bye, 200, to_tag="other").headers["To"] == "<sip:a@b>;tag=mine"

    def test_phrases(self, invite: Request) -> None:
        assert make_response(invite, 486).phrase == "Busy Here"
        assert make_response(invite, 486, "Am Apparat").phrase == "Am Apparat"
        assert make_response(invite, 499).phrase == ""


def test_identifiers_are_new_each_time() -> None:
    for make in (new_branch, new_tag, new_call_id):
        assert len({make() for _ in range(100)}) == 100
    assert new_branch().startswith("z9hG4bK")
    assert is_our_branch(new_branch())
    assert not is_our_branch("z9hG4bKsomething")


def test_identifiers_are_whole_and_never_the_same_past_many_fetches_of_randomness() -> None:
    identifiers = [make() for _ in range(1000) for make in (new_tag, new_call_id)]
    assert {len(one) for one in identifiers} == {16, 32}
    digits = "".join(identifiers)
    pieces = [digits[at : at + 16] for at in range(0, len(digits), 16)]
    assert len(set(pieces)) == len(pieces) == 3000


def test_a_forked_process_makes_identifiers_of_its_own() -> None:
    new_tag()  # so that the parent has some in store
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, new_tag().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reader, 100).decode()
    os.close(reader)
    os.close(writer)
    assert len(theirs) == 16
    assert theirs != new_tag()
