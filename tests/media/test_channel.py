"""The way of a phone with keys by DTLS that is behind a NAT."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from vpbx.media import dtls
from vpbx.media.certificate import make_certificate
from vpbx.media.channel import Channel

from .test_dtls import End

Sockets = Callable[[], socket.socket]


@pytest.fixture
def udp() -> Iterator[Sockets]:
    with ExitStack() as stack:

        def make() -> socket.socket:
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
            return sock

        yield make


def test_a_stranger_behind_the_same_nat_does_not_keep_the_phone_from_its_handshake(
    udp: Sockets,
) -> None:
    """Many share an address of a provider: who is heard first there has proved nothing yet."""
    ours, phone = make_certificate(), End()
    channel = Channel([udp() for _ in range(4)], udp().getsockname(), udp().getsockname())
    there, stranger = udp(), udp()
    address = channel.outer.getsockname()
    channel.at(None, "127.0.0.1")
    channel.secured.agree(
        dtls,
        dtls.make_context(ours.certificate.encode(), ours.key.encode()),
        {"call": "1", "fingerprint": phone.own.fingerprint, "active": True},
    )
    phone.begin(ours.fingerprint, active=False).step()
    while not phone.keys:
        stranger.sendto(b"\x16anything", address)
        channel.from_phone()
        for datagram in phone.sent:
            there.sendto(datagram, address)
            channel.from_phone()
        phone.sent.clear()
        assert phone.association is not None
        phone.association.receive(there.recv(2048))
    assert channel.secured.association._finished
