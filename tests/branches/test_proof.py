"""The key of two connected PBXs is proved and never sent (crm-api §16)."""

from __future__ import annotations

import json

import pytest

from vpbx.branches.answering import Refusal, read_flat
from vpbx.branches.proof import Challenges, derive, proof, proven, sip_password
from vpbx.branches.wire import Malformed, digest, read_content

KEY = "16faeb17-be58-43e8"


def test_both_sides_derive_the_same_and_another_key_or_pair_another() -> None:
    secret = derive(KEY, "a.example", "B.example")
    assert secret == derive(KEY, "b.example", "A.example")
    assert secret != derive(KEY + "x", "a.example", "b.example")
    assert secret != derive(KEY, "a.example", "c.example")
    assert KEY.encode() not in secret
    assert sip_password(secret) != secret.hex()


def test_a_proof_is_good_for_its_sender_challenge_and_content_only() -> None:
    secret = derive(KEY, "a.example", "b.example")
    values = {"by": "a", "to": "b", "challenge": "c", "counter": "n", "content": b"x"}
    good = proof(secret, **values)  # type: ignore[arg-type]
    assert proven(good, proof(secret, **values))  # type: ignore[arg-type]
    changes = ({"by": "b", "to": "a"}, {"challenge": "d"}, {"counter": "m"}, {"content": b"y"})
    for change in changes:
        assert not proven(good, proof(secret, **{**values, **change}))  # type: ignore[arg-type]
    assert not proven("é", good)


def test_a_challenge_is_good_once_for_a_minute_and_only_if_it_is_ours() -> None:
    now = [1000.0]
    ours = Challenges(lambda: now[0])
    challenge = ours.new()
    assert ours.good(challenge)
    ours.use(challenge)
    assert not ours.good(challenge)
    late = ours.new()
    now[0] += 61
    assert not ours.good(late)
    assert not ours.good(Challenges(lambda: now[0]).new())
    for text in ("", "x", "1.2.3", f"{late}x", "é.é.é"):
        assert not ours.good(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"people": 1}',
        '{"people": [1]}',
        '{"people": [{"login": ""}]}',
        '{"people": [{"login": "a", "ext": "7a"}]}',
        '{"people": [{"login": "a", "kind": "robot"}]}',
        '{"people": [{"login": "a", "name": 5}]}',
        json.dumps({"people": [{"login": "a" * 256}]}),
        json.dumps({"people": [{"login": "a\nb"}]}),
        json.dumps({"people": [], "sip": ["x"]}),
    ],
)
def test_what_is_no_directory_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        read_content(text)


def test_a_directory_is_read_and_told_from_another() -> None:
    row = {"kind": "user", "login": "ann", "name": "Анна", "ext": "701"}
    people, sip = read_content(json.dumps({"people": [row, row], "sip": "sip:192.0.2.1:5060"}))
    assert [(p.login, p.name, p.ext, p.kind) for p in people] == [("ann", "Анна", "701", "user")]
    assert sip == "sip:192.0.2.1:5060"
    assert digest("a") != digest("b")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"{",
        b'"a"',
        b'{"a": 1}',
        b'{"a": null}',
        b'{"a": ["x"]}',
        b'{"a": {"b": "c"}}',
        b'{"a": "b"',
        b'{"a": "b",}',
        b'{"a" "b"}',
        b'{a: "b"}',
        b'{"a": "b\n"}',
        b'{"a": "\\x"}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": "a"}',
        b"\xff\xfe",
        b"{" * 100_000,
        b"[" * 100_000,
        b'{"a": ' + b"[" * 100_000,
        b"{" + b",".join(b'"%d": "x"' % number for number in range(100)) + b"}",
    ],
)
def test_what_strangers_ask_is_an_object_of_texts_or_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        read_flat(body)
    assert refused.value.status == 400


def test_an_object_of_texts_is_read_as_json_is() -> None:
    told = {"from": "a.example", "content": json.dumps({"people": [{"name": "Вася"}]}), "x": ""}
    for text in (json.dumps(told), json.dumps(told, ensure_ascii=False, indent=3)):
        assert read_flat(text.encode()) == told


def test_a_directory_that_would_take_long_to_read_is_refused() -> None:
    for text in ('{"people": [' + "[]," * 60_000 + "[]]}", "[" * 30_000, "{" * 50_000):
        with pytest.raises(Malformed):
            read_content(text)
