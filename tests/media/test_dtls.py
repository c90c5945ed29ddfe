"""Keys by DTLS-SRTP, both ends in this process, datagrams carried by hand."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_ASN1, load_certificate

from vpbx.media.certificate import DtlsCertificate, make_certificate
from vpbx.media.dtls import Association, Keys, make_context

ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


@dataclass
class End:
    """One end; `sent` is what waits to be carried."""

    own: DtlsCertificate = field(default_factory=make_certificate)
    sent: list[bytes] = field(default_factory=list)
    keys: list[Keys] = field(default_factory=list)
    association: Association | None = None

    def begin(self, fingerprint: str, *, active: bool) -> Association:
        context = make_context(self.own.certificate.encode(), self.own.key.encode())
        self.association = Association(
            context,
            fingerprint,
            active=active,
            send=self.sent.append,
            done=self.keys.append,
            now=0.0,
        )
        return self.association


def carry(one: End, two: End) -> None:
    while one.sent or two.sent:
        for sender, receiver in ((one, two), (two, one)):
            assert receiver.association is not None
            while sender.sent:
                datagram = sender.sent.pop(0)
                assert len(datagram) <= 1200
                receiver.association.receive(datagram)


def ends(*, named: str = "") -> tuple[End, End]:
    """Two who know each other's certificates; the second is told that the first's is `named`."""
    one, two = End(), End()
    one.begin(two.own.fingerprint, active=False)
    two.begin(named or one.own.fingerprint, active=True)
    return one, two


def test_both_have_the_same_keys_each_its_own_to_send_with() -> None:
    one, two = ends()
    assert one.association is not None
    one.association.step()
    carry(one, two)
    [ours], [theirs] = one.keys, two.keys
    assert (ours.send, ours.receive) == (theirs.receive, theirs.send)
    assert ours.send != ours.receive
    assert len(ours.send) == 30
    assert ours.send.hex() not in repr(ours)


def test_who_shows_another_certificate_than_signalling_named_gets_no_keys() -> None:
    one, two = ends(named=make_certificate().fingerprint)
    assert one.association is not None
    assert two.association is not None
    one.association.step()
    carry(one, two)
    assert two.keys == []
    assert "not the one that signalling named" in two.association.failed
    two.association.receive(b"\x16anything")
    assert two.association.due_s(1.0) is None


def test_what_came_late_and_garbage_do_no_harm() -> None:
    one, two = ends()
    assert one.association is not None
    assert two.association is not None
    one.association.step()
    lost = one.sent.pop()
    assert one.association.due_s(0.0) is not None
    two.association.receive(b"\x16" + bytes(40))
    two.association.receive(b"\x17\xfe\xfd")
    one.sent.append(lost)  # as `retry` sends it, once OpenSSL's second is over
    carry(one, two)
    assert len(one.keys) == len(two.keys) == 1
    one.association.receive(lost)
    assert one.keys[1:] == []


def test_a_handshake_that_nobody_answers_is_given_up() -> None:
    one, _ = ends()
    assert one.association is not None
    one.association.step()
    one.association.retry(31.0)
    assert one.association.failed == "DTLS failed: no answer"
    assert one.association.due_s(31.0) is None


def test_what_is_said_after_the_handshake_is_not_kept() -> None:
    """No protocol of ours speaks there; a peer could fill the memory of the process."""
    one, two = ends()
    assert one.association is not None
    assert two.association is not None
    one.association.step()
    carry(one, two)
    for _ in range(20):
        one.association._tls.send(b"x" * 10)
    two.association.receive(one.association._tls.bio_read(4096))
    with pytest.raises(SSL.WantReadError):
        two.association._tls.recv(4096)


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL X509 objects")
def test_a_certificate_is_known_by_its_bytes_whatever_stands_in_it() -> None:
    """One of a version that there is not: a parser would refuse it, and nobody be told why."""
    made = make_certificate()
    body = bytearray(load_pem_x509_certificate(made.certificate.encode()).tbs_certificate_bytes)
    version = bytes.fromhex("a003020102")
    body[body.index(version) + 4] = 7
    key = load_pem_private_key(made.key.encode(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    signature = key.sign(bytes(body), ECDSA(SHA256()))
    odd = load_certificate(
        FILETYPE_ASN1,
        _der(0x30, bytes(body) + ECDSA_WITH_SHA256 + _der(3, b"\0" + signature)),
    )
    one, two = End(), End()
    context = make_context(made.certificate.encode(), made.key.encode())
    context.use_certificate(odd)
    one.association = Association(
        context,
        two.own.fingerprint,
        active=False,
        send=one.sent.append,
        done=one.keys.append,
        now=0.0,
    )
    two.begin(odd.digest("sha256").decode(), active=True)
    one.association.step()
    carry(one, two)
    assert len(two.keys) == 1


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + content
