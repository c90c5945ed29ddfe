"""The numbers of RTPProxy's sockets are found, whatever else opens and closes files meanwhile."""

import contextlib
import os
import random
import socket
import sys
from collections.abc import Iterator

import pytest

from vpbx.media.kernel import Sockets

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")


@pytest.fixture
def files() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as opened:
        yield opened


def bound(files: contextlib.ExitStack) -> socket.socket:
    sock = files.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sock.bind(("127.0.0.1", 0))
    return sock


def numbers(socks: list[socket.socket]) -> dict[int, int]:
    return {sock.getsockname()[1]: sock.fileno() for sock in socks}


@pytest.mark.parametrize("others", [5, 80])
@pytest.mark.parametrize("seed", range(4))
def test_sockets_are_found_among_files_that_come_and_go(
    files: contextlib.ExitStack, seed: int, others: int
) -> None:
    chance = random.Random(seed)
    sockets = Sockets()
    strange = [bound(files) for _ in range(others)]
    own: list[socket.socket] = []
    calls: list[list[socket.socket]] = []
    closing: list[socket.socket] = []
    for _ in range(300):
        free = sockets.free()
        for sock in closing:  # RTPProxy takes its time to close
            sock.close()
        closing.clear()
        call = [bound(files) for _ in range(4)]
        calls.append(call)
        assert sockets.find(numbers(call), free) == numbers(call)
        for _ in range(chance.randrange(3)):
            match chance.randrange(4):
                case 0:
                    strange.pop(chance.randrange(len(strange))).close()
                    strange.append(bound(files))
                case 1:
                    own.append(bound(files))
                    sockets.hold(own[-1].fileno())
                case 2 if own:
                    number = own[0].fileno()
                    own.pop(0).close()
                    sockets.closed(number)
                case 3 if calls:
                    over = calls.pop(chance.randrange(len(calls)))
                    sockets.release([sock.fileno() for sock in over])
                    closing.extend(over)


@pytest.mark.parametrize("many", [2, 12])
def test_calls_that_begin_at_once_find_their_own(files: contextlib.ExitStack, many: int) -> None:
    sockets = Sockets()
    for _ in range(200 // many):
        free = [sockets.free() for _ in range(many)]
        calls = [[bound(files) for _ in range(4)] for _ in range(many)]
        told = {number for each in free for number in each}
        assert told >= {sock.fileno() for call in calls for sock in call}, "to be searched for"
        for call, numbers_free in zip(calls, free, strict=True):
            assert sockets.find(numbers(call), numbers_free) == numbers(call)


def test_a_port_nobody_has_is_not_found(files: contextlib.ExitStack) -> None:
    sockets = Sockets()
    port = bound(files).getsockname()[1]
    with open(os.devnull) as other:
        assert sockets.find([1], [other.fileno()]) == {}
    assert list(sockets.find([port, 1])) == [port]
