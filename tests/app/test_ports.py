"""Who holds a port."""

from __future__ import annotations

import os
import socket

import pytest

from vpbx.app import ports
from vpbx.config import Endpoint


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_taken_port_is_noticed_and_its_holder_named(transport: ports.Transport) -> None:
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if transport == "tcp":
            taken.listen()
        port = taken.getsockname()[1]
        error = ports.why_not(transport, Endpoint("127.0.0.1", port))
        assert error is not None
        assert ports.in_use(error)
        holder = ports.holder_of(transport, port)
        assert holder is not None
        assert holder[0] == os.getpid()
    assert ports.why_not(transport, Endpoint("127.0.0.1", port)) is None
    assert ports.holder_of(transport, port) is None


def test_address_of_another_machine_cannot_be_had_and_is_not_in_use() -> None:
    error = ports.why_not("tcp", Endpoint("192.0.2.77", 0))
    assert error is not None
    assert not ports.in_use(error)
