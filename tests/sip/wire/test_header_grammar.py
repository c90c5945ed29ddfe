"""Header values: what sipmessage's grammar cannot read, and that reading never takes long."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
import sipmessage

from tests.support.effort import effort
from vpbx.sip import grammar
from vpbx.sip.message import parse_message
from vpbx.sip.parameters import Parameters, parse_parameters, split_list
from vpbx.sip.uri import Uri, parse_uri


class TestUri:
    @pytest.mark.parametrize(
        ("text", "user", "host", "port"),
        [
            ("sip:701@acme.example", "701", "acme.example", None),
            ("SIP:701@acme.example:5070", "701", "acme.example", 5070),
            ("sips:acme.example", None, "acme.example", None),
            ("sip:701@pbx1", "701", "pbx1", None),
            ("sip:my_host.local", None, "my_host.local", None),
            ("sip:701@[2001:db8::1]:5060", "701", "[2001:db8::1]", 5060),
            ("sip:[::ffff:192.0.2.1]", None, "[::ffff:192.0.2.1]", None),
            ("sip:+7%20495@h;lr", "+7 495", "h", None),
            ("sip:*97#@h", "*97#", "h", None),
            ("sip:иван@h", "иван", "h", None),
            ("tel:+74951234567;phone-context=x", "+74951234567", "", None),
            ("isbn:2983792873", "2983792873", "", None),
            ("urn:service:sos", "service:sos", "", None),
        ],
    )
    def test_parts(self, text: str, user: str | None, host: str, port: int | None) -> None:
        uri = parse_uri(text)
        assert (uri.user, uri.host, uri.port) == (user, host, port)
        assert str(uri) == text
        assert isinstance(uri, sipmessage.URI)

    @pytest.mark.parametrize(
        "text",
        [
            *("", "sip", "sip:", ":", "701", "1sip:a@b", "sip:a@", "sip:a@b c", "sip:<a@b>"),
            *("sip:a b@c", "sip:a@b:x", "sip:a@b:70000", "sip:a@[::1", "sip:a@[::1]x"),
            *("sip:a%@b", "sip:a%4@b", "sip:a@b;;lr", "sip:a@b;=1", "sip:a@b;x=%zz", "sip:-a"),
            *("tel:12 34", "isbn:<x>", "sip:a@b;x y", 'sip:a"b@c', "sip:a@b\x00"),
        ],
    )
    def test_broken_ones(self, text: str) -> None:
        with pytest.raises(ValueError):
            parse_uri(text)

    def test_parameters_and_headers(self) -> None:
        uri = parse_uri("sip:a@b;Transport=tcp;lr;m%61ddr=x?subject=hi&a=b")
        assert dict(uri.parameters) == {"transport": "tcp", "lr": None, "maddr": "x"}
        assert uri.parameters["TRANSPORT"] == "tcp"
        assert uri.headers == "subject=hi&a=b"

    def test_made_one_is_written_by_sipmessage(self) -> None:
        uri = Uri("sip", "h", user="a b", parameters=Parameters(lr=None))
        assert str(uri) == "sip:a%20b@h;lr"
        assert str(Uri("mailto", "", user="a@b")) == "mailto:a@b"

    def test_long_one_is_parsed_without_being_kept(self) -> None:
        uri = parse_uri("sip:" + "a" * 500 + "@h")
        assert uri.user == "a" * 500


class TestAddress:
    @pytest.mark.parametrize(
        ("text", "name", "uri", "parameters"),
        [
            ("<sip:a@b>", "", "sip:a@b", {}),
            ("sip:a@b;tag=x", "", "sip:a@b", {"tag": "x"}),
            ("Ann <sip:a@b;lr>;TAG=x", "Ann", "sip:a@b;lr", {"tag": "x"}),
            ('"A \\"B\\" \\\\" <sip:a@b>', 'A "B" \\', "sip:a@b", {}),
            ('"a, <b>; c" <sip:a@b>', "a, <b>; c", "sip:a@b", {}),
            ("Bell, Alexander <sip:a@b>", "Bell, Alexander", "sip:a@b", {}),
            ("<sip:a@b> ; tag = x ; q=0.5", "", "sip:a@b", {"tag": "x", "q": "0.5"}),
            ("<sip:a@b?x=y>", "", "sip:a@b?x=y", {}),
            ('"Иван" <sip:a@b>', "Иван", "sip:a@b", {}),
            (
                '<sip:a@b>;+sip.instance="<urn:uuid:1;2>";reg-id=1',
                "",
                "sip:a@b",
                {"+sip.instance": '"<urn:uuid:1;2>"', "reg-id": "1"},
            ),
            ("<sip:a@b>;self=1", "", "sip:a@b", {"self": "1"}),
        ],
    )
    def test_parts(self, text: str, name: str, uri: str, parameters: dict[str, str | None]) -> None:
        address = grammar.parse_address(text)
        assert address.name == name
        assert str(address.uri) == uri
        assert dict(address.parameters) == parameters

    @pytest.mark.parametrize(
        "text",
        [
            *("", "*", "<>", "<sip:a@b", "sip:a@b?x=y", "sip:a@b, sip:c@d", '"A <sip:a@b>'),
            *('"A" sip:a@b', 'A "B" <sip:a@b>', "< sip:a@b >", "<sip:a@b>;;x", "<sip:a@b>;;"),
            *("<sip:a@b>x", "<sip:a@b>;tag=", '<sip:a@b>;x="y', "<sip:a@b>;a b=c", "A"),
        ],
    )
    def test_broken_ones(self, text: str) -> None:
        with pytest.raises(ValueError):
            grammar.parse_address(text)

    def test_a_parameter_is_read_without_quotes_and_written_with_them(self) -> None:
        address = grammar.parse_address('<sip:a@b>;+sip.instance="<urn:\\"x\\">"')
        assert isinstance(address.parameters, Parameters)
        assert address.parameters.text("+SIP.instance") == '<urn:"x">'
        assert address.parameters.text("none") == ""
        assert str(address) == '<sip:a@b>;+sip.instance="<urn:\\"x\\">"'

    def test_parameters_behave_like_a_mapping(self) -> None:
        parameters = parse_parameters(";a=1;b")
        assert len(parameters) == 2
        assert "A" in parameters
        assert 1 not in parameters
        assert dict(parameters.replace(c="3")) == {"a": "1", "b": None, "c": "3"}
        assert str(parameters.replace(a=None)) == ";a;b"
        assert repr(parameters) == "Parameters({'a': '1', 'b': None})"
        with pytest.raises(ValueError):
            parse_parameters("a=1")


class TestVia:
    def test_usual_one(self) -> None:
        via = grammar.parse_via("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK%41;rport")
        assert (via.transport, via.host, via.port) == ("UDP", "192.0.2.1", 5060)
        assert dict(via.parameters) == {"branch": "z9hG4bK%41", "rport": None}
        assert str(via) == "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK%41;rport"

    def test_spaces_and_ipv6(self) -> None:
        via = grammar.parse_via("sip / 2.0 / tcp  [2001:db8::9] : 5061 ; branch = x")
        assert (via.transport, via.host, via.port) == ("TCP", "[2001:db8::9]", 5061)
        assert via.parameters["branch"] == "x"

    @pytest.mark.parametrize(
        "text",
        [
            *("", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/1.0/UDP h", "HTTP/2.0/UDP h", "SIP/2.0 h"),
            *("SIP/2.0/U(P h", "SIP/2.0/UDP h;;", "SIP/2.0/UDP h;branch=", "SIP/2.0/UDP h:x"),
        ],
    )
    def test_broken_ones(self, text: str) -> None:
        with pytest.raises(ValueError):
            grammar.parse_via(text)


class TestLists:
    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("a", ["a"]),
            ("a , b,c", ["a", "b", "c"]),
            ('"a,b" <sip:a@b>, <sip:c,d@e>', ['"a,b" <sip:a@b>', "<sip:c,d@e>"]),
            ('"a\\",b", c', ['"a\\",b"', "c"]),
            ("<a, b", ["<a, b"]),
            ("a,,b", ["a", "", "b"]),
        ],
    )
    def test_split_outside_of_quotes_and_brackets(self, text: str, parts: list[str]) -> None:
        assert split_list(text) == parts

    @pytest.mark.parametrize("text", ['"a, b', 'a, "b\\"'])
    def test_open_quotes(self, text: str) -> None:
        with pytest.raises(ValueError):
            split_list(text)


class TestAuth:
    def test_commas_and_empty_values_in_quotes(self) -> None:
        scheme, items = grammar.parse_auth(
            'Digest realm="a, b", qop="auth,auth-int",nc=00000001 , opaque="", Algorithm=MD5'
        )
        assert scheme == "digest"
        assert items == {
            "realm": "a, b",
            "qop": "auth,auth-int",
            "nc": "00000001",
            "opaque": "",
            "algorithm": "MD5",
        }

    def test_scheme_with_a_token(self) -> None:
        assert grammar.parse_auth("Bearer abc") == ("bearer", {})

    @pytest.mark.parametrize(
        "text", ["", "Di(gest a=b", 'Digest a="b', "Digest a=b, a=c", "Digest a=b, c"]
    )
    def test_broken_ones(self, text: str) -> None:
        with pytest.raises(ValueError):
            grammar.parse_auth(text)

    def test_a_parameter_called_self_does_no_harm(self) -> None:
        assert dict(grammar.auth_parameters({"self": "x", "realm": "y"})) == {"realm": "y"}


SIZE = 60_000


def read_bytes(text: str) -> object:
    return parse_message(text.encode())


HOSTILE: dict[str, tuple[Callable[[str], object], str]] = {
    "quotes in credentials": (grammar.parse_auth, "Digest " + 'a="",' * (SIZE // 5) + "!"),
    "quotes in a list": (split_list, '"a",' * (SIZE // 4) + '"'),
    "backslashes": (grammar.parse_address, '"' + "\\" * SIZE),
    "brackets": (split_list, "<" * SIZE + ","),
    "digits of a tel": (parse_uri, "tel:+" + "1" * SIZE + "<"),
    "hyphens in a host": (parse_uri, "sip:" + "a-" * (SIZE // 2) + "!"),
    "dots in a host": (parse_uri, "sip:" + "." * SIZE),
    "hexadecimal": (parse_uri, "sip:[" + "a:" * (SIZE // 2) + "]"),
    "a user": (parse_uri, "sip:" + "%41" * (SIZE // 3) + "<@h"),
    "spaces": (grammar.parse_address, "a" + " " * SIZE + "b"),
    "semicolons": (grammar.parse_via, "SIP/2.0/UDP h" + ";" * SIZE),
    "folds": (read_bytes, "A sip:b SIP/2.0\r\nX: a\r\n b" + " " * SIZE + "c\r\n\r\n"),
    "lines": (read_bytes, "A sip:b SIP/2.0" + "\r\n:" * (SIZE // 3) + "\r\n\r\n"),
    "commas": (read_bytes, "A sip:b SIP/2.0\r\nVia: " + "," * SIZE + "\r\n\r\n"),
    "parameters": (parse_parameters, ";a=b" * (SIZE // 4) + '"'),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_takes_no_time(name: str) -> None:
    parse, text = HOSTILE[name]
    with effort() as spent, suppress(ValueError):
        parse(text)
    assert spent.total_s < 0.25
