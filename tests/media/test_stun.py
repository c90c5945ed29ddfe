"""STUN as aioice writes and reads it, and as nobody should."""

import os
import random
import struct

import pytest
from aioice import stun as theirs

from vpbx.media import stun

PASSWORD = "0123456789abcdef0123"
SOURCE = ("203.0.113.7", 40123)


def check(password: str = PASSWORD, *, nominates: bool = True) -> bytes:
    message = theirs.Message(
        message_method=theirs.Method.BINDING, message_class=theirs.Class.REQUEST
    )
    message.attributes["USERNAME"] = "ours:theirs"
    message.attributes["PRIORITY"] = 1
    message.attributes["ICE-CONTROLLING"] = 1
    if nominates:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(password.encode())
    return bytes(message)


@pytest.mark.parametrize("nominates", [True, False])
def test_a_check_is_read_proved_and_answered(nominates: bool) -> None:
    read = stun.Check.parse(check(nominates=nominates))
    assert read is not None
    assert (read.ufrag, read.nominates) == ("ours", nominates)
    assert read.proves(PASSWORD)
    answer = read.answer(SOURCE, PASSWORD)
    message = theirs.parse_message(answer)
    assert message.message_class == theirs.Class.RESPONSE
    assert message.transaction_id == read.transaction
    assert message.attributes["XOR-MAPPED-ADDRESS"] == SOURCE
    copy = theirs.Message(message.message_method, message.message_class, message.transaction_id)
    copy.attributes["XOR-MAPPED-ADDRESS"] = SOURCE
    copy.add_message_integrity(PASSWORD.encode())
    assert bytes(copy) == answer, "signed as they would"


def test_another_password_proves_nothing() -> None:
    read = stun.Check.parse(check("another password 1234"))
    assert read is not None
    assert not read.proves(PASSWORD)


def test_what_follows_the_signature_is_not_believed() -> None:
    data = bytearray(check(nominates=False)[:-8])  # without the fingerprint
    data += struct.pack("!HH", 0x0025, 0)  # USE-CANDIDATE, by somebody on the way
    struct.pack_into("!H", data, 2, len(data) - 20)
    read = stun.Check.parse(bytes(data))
    assert read is not None
    assert not read.nominates


def test_nothing_that_is_sent_raises() -> None:
    chance = random.Random(5)
    good = check()
    for _ in range(3000):
        data = bytearray(good[: chance.randrange(len(good) + 1)])
        for _ in range(chance.randrange(4)):
            if data:
                data[chance.randrange(len(data))] = chance.randrange(256)
        read = stun.Check.parse(bytes(data))
        if read is not None and bytes(data) != good:
            read.proves(PASSWORD)
    assert stun.Check.parse(os.urandom(200)) is None
    assert not stun.is_stun(b"")
