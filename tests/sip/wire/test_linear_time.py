"""Twice the text takes twice the time, whatever it is made of; and no text is too long.

Each kind is measured at a length and at eight times it, by processor time and the best of
several runs: linear work then takes about eight times as long, quadratic sixty-four times.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.support.effort import effort
from vpbx.sip import grammar
from vpbx.sip.message import MalformedMessage, parse_message
from vpbx.sip.parameters import parse_parameters, split_list
from vpbx.sip.transport.framing import Framer, Unframable
from vpbx.sip.uri import parse_uri

HEAD = (
    "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\nFrom: <sip:a@b>;tag=1"
    "\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
)


def message(text: str) -> Callable[[], object]:
    return lambda: parse_message((HEAD + text + "\r\n\r\n").encode())


KINDS: dict[str, tuple[int, Callable[[int], Callable[[], object]]]] = {
    "escaped quotes": (4000, lambda n: lambda: grammar.parse_address('"' + '\\"' * n + '" <s:a>')),
    "open quote": (4000, lambda n: lambda: split_list('"' + '\\"' * n)),
    "quotes in a list": (2000, lambda n: lambda: split_list('"a",' * n)),
    "brackets in a list": (2000, lambda n: lambda: split_list("<,>," * n)),
    "open brackets": (4000, lambda n: lambda: split_list("<," * n)),
    "parameters": (2000, lambda n: lambda: parse_parameters(";a=b" * n)),
    "quoted parameters": (2000, lambda n: lambda: parse_parameters(';a="b;"' * n)),
    "semicolons": (8000, lambda n: lambda: parse_uri("sip:a@b" + ";" * n)),
    "escapes of a user": (4000, lambda n: lambda: parse_uri("sip:" + "%41" * n + "@b")),
    "signs of a user": (4000, lambda n: lambda: parse_uri("sip:" + "a@" * n + "b")),
    "host": (8000, lambda n: lambda: parse_uri("sip:a@" + "a.-" * n)),
    "Via slashes": (8000, lambda n: lambda: grammar.parse_via("SIP/2.0/" + "U /" * n)),
    "spaces": (8000, lambda n: lambda: grammar.parse_via("SIP/2.0/UDP " + " \t" * n + "h")),
    "credentials": (2000, lambda n: lambda: grammar.parse_auth("Digest " + 'a="\\"",' * n)),
    "one long header": (1000, lambda n: message("X: " + "y" * n)),
    "many headers": (15, lambda n: message("X: y\r\n" * n)),
    "many names": (15, lambda n: message("".join(f"X{i}: y\r\n" for i in range(n)))),
    "folded lines": (400, lambda n: message("X: y" + "\r\n  z" * n)),
    "line ends": (2000, lambda n: message("X: y" + "\r\n" * n)),
    "bare line ends": (1000, lambda n: message("X: y" + "\n" * n)),
    "list of contacts": (60, lambda n: message("Contact: " + "<sip:a@b>," * n)),
}


def best_s(work: Callable[[], object]) -> float:
    """Return the least processor time of several runs; errors are a fair end of the work."""
    times = []
    for _ in range(7):
        with effort() as spent:
            for _ in range(4):
                with suppress(ValueError):
                    work()
        times.append(spent.total_s)
    return min(times)


@pytest.mark.parametrize("kind", KINDS)
def test_eight_times_the_text_takes_no_more_than_eight_times_as_long(kind: str) -> None:
    length, make = KINDS[kind]
    small, large = best_s(make(length)), best_s(make(8 * length))
    assert large < 24 * small + 0.001, f"{small * 250:.3f} ms, then {large * 250:.3f} ms"


@pytest.mark.parametrize("segment", [1, 7, 1400])
def test_a_stream_in_small_pieces_takes_linear_time(segment: int) -> None:
    def feed(count: int) -> Callable[[], None]:
        data = (HEAD + "X: " + "y" * count + "\r\nContent-Length: 0\r\n\r\n").encode()

        def run() -> None:
            framer = Framer(65535)
            for at in range(0, len(data), segment):
                framer.feed(data[at : at + segment])

        return run

    assert best_s(feed(8000)) < 24 * best_s(feed(1000)) + 0.001


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("X: " + "y" * 8190, 513),
        ("X: " + "y" * 60_000, 513),
        ("X: y" + "\r\n y" * 5000, 513),
        ("".join(f"X{n}: {'y' * 1000}\r\n" for n in range(40)), 513),
        ("X: y\r\n" * 200, 400),
    ],
)
def test_headers_have_limits_and_the_answer_still_finds_its_way(text: str, code: int) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse_message((HEAD + text + "\r\n\r\n").encode())
    assert caught.value.code == code
    assert caught.value.message is not None
    assert caught.value.message.headers["Call-ID"] == "1"


def test_a_stream_without_an_end_of_headers_is_given_up_early() -> None:
    framer = Framer(65535)
    for _ in range(32):
        assert framer.feed(b"OPTIONS sip:a@b SIP/2.0\r\nX: " + b"y" * 990) == []
    with pytest.raises(Unframable) as caught:
        framer.feed(b"y" * 1000)
    assert caught.value.code == 513
    assert len(caught.value.head) <= 32768


def test_a_contact_of_four_kilobytes_is_fair() -> None:
    text = f"Contact: <sip:a@b;pn-prid={'f' * 4000}>"
    request = parse_message((HEAD + text + "\r\n\r\n").encode())
    (contact,) = request.contact
    assert len(str(contact.uri)) > 4000


def test_a_hundred_parameters_are_fair_and_more_are_not() -> None:
    assert len(parse_uri("sip:a@b" + "".join(f";p{n}" for n in range(100))).parameters)
    for text in (";p" * 101, ";p=1" * 101):
        with pytest.raises(ValueError, match="100 parameters"):
            parse_uri(f"sip:a@b{text}")
        with pytest.raises(ValueError, match="100 parameters"):
            parse_parameters(text)
