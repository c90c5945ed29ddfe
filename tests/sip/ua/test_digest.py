"""Digest, both sides (RFC 7616, RFC 8760)."""

from __future__ import annotations

import hashlib
import sys
from types import FrameType

import pytest

from vpbx.clock import ManualClock
from vpbx.sip.digest import (
    Authenticator,
    AuthResult,
    Challenge,
    Credentials,
    DigestAnswer,
    Ha1,
    Proof,
    WithoutQop,
    ha1,
    parse_digest,
)
from vpbx.sip.message import Request

from .messages import request

REALM = "acme.example"
SECRET = b"a secret of thirty-two bytes...."
CREDENTIALS = Credentials("701", "open sesame")


def users(username: str) -> Ha1 | None:
    known = {"701": "open sesame", "manager": "open sesame"}
    password = known.get(username)
    return ha1(username, REALM, password) if password else None


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def server(clock: ManualClock) -> Authenticator:
    return Authenticator(SECRET, clock=clock)


def client(
    server: Authenticator, credentials: Credentials = CREDENTIALS, algorithm: str = ""
) -> DigestAnswer:
    values = [v for v in server.challenges(REALM) if f"algorithm={algorithm}" in v]
    challenge = Challenge.choose(values)
    assert challenge is not None
    return DigestAnswer(challenge, credentials)


def with_credentials(value: str, header: str = "Authorization") -> Request:
    return request(headers=[f"{header}: {value}"])


def ask(server: Authenticator, answer: DigestAnswer) -> AuthResult:
    value = answer.value("REGISTER", "sip:acme.example")
    return server.verify(with_credentials(value), REALM, users).result


def test_challenges_put_md5_first_for_phones_that_read_one_header(server: Authenticator) -> None:
    first, second = (parse_digest(value) for value in server.challenges(REALM))
    assert first is not None
    assert second is not None
    assert (first["algorithm"], second["algorithm"]) == ("MD5", "SHA-256")
    assert first["realm"] == REALM
    assert first["qop"] == "auth"
    assert "stale" not in first
    assert "stale=true" in server.challenges(REALM, stale=True)[0]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_right_password_is_taken_by_each_algorithm(server: Authenticator, algorithm: str) -> None:
    assert ask(server, client(server, algorithm=algorithm)) is AuthResult.OK


def test_verdict_names_the_user_whether_login_or_ext(server: Authenticator) -> None:
    answer = client(server, Credentials("manager", "open sesame"))
    value = answer.value("REGISTER", "sip:acme.example")
    verdict = server.verify(with_credentials(value, "Proxy-Authorization"), REALM, users)
    assert verdict.ok
    assert verdict.username == "manager"


def test_no_credentials_and_another_realms_are_missing(server: Authenticator) -> None:
    assert server.verify(request(), REALM, users).result is AuthResult.MISSING
    value = client(server).value("REGISTER", "sip:acme.example")
    verdict = server.verify(with_credentials(value), "other.example", users)
    assert verdict.result is AuthResult.MISSING


def test_wrong_password_and_unknown_user_are_wrong(server: Authenticator) -> None:
    assert ask(server, client(server, Credentials("701", "guess"))) is AuthResult.WRONG
    assert ask(server, client(server, Credentials("nobody", "guess"))) is AuthResult.WRONG


def test_unknown_user_costs_the_same_work_as_a_wrong_password(server: Authenticator) -> None:
    def work(username: str) -> list[str]:
        answer = client(server, Credentials(username, "guess"))
        value = answer.value("REGISTER", "sip:acme.example")
        message = with_credentials(value)
        kept = users(username)
        calls: list[str] = []

        def note(frame: FrameType, event: str, arg: object) -> None:
            calls.append(f"{event} {getattr(arg, '__name__', frame.f_code.co_name)}")

        sys.setprofile(note)
        try:
            server.verify(message, REALM, lambda _: kept)
        finally:
            sys.setprofile(None)
        return calls

    assert work("nobody") == work("701")
    assert any("compare_digest" in call for call in work("nobody"))


def test_another_method_than_the_answer_was_made_for_is_wrong(server: Authenticator) -> None:
    value = client(server).value("REGISTER", "sip:acme.example")
    message = request("INVITE", headers=[f"Authorization: {value}"])
    assert server.verify(message, REALM, users).result is AuthResult.WRONG


def test_each_count_is_taken_once(server: Authenticator) -> None:
    answer = client(server)
    first = with_credentials(answer.value("REGISTER", "sip:acme.example"))
    assert server.verify(first, REALM, users).ok
    assert server.verify(first, REALM, users).result is AuthResult.STALE
    assert ask(server, answer) is AuthResult.OK


def test_counts_may_overtake_each_other_but_not_come_twice(server: Authenticator) -> None:
    answer = client(server)
    messages = [with_credentials(answer.value("REGISTER", "sip:acme.example")) for _ in range(80)]
    order = [2, 0, 1, 79, 78, 3]
    results = [server.verify(messages[n], REALM, users).ok for n in order]
    assert results == [True, True, True, True, True, False]  # 3 is too far behind 79
    assert not any(server.verify(messages[n], REALM, users).ok for n in order)


def test_old_nonce_is_stale_only_with_the_right_password(
    server: Authenticator, clock: ManualClock
) -> None:
    right, wrong = client(server), client(server, Credentials("701", "guess"))
    clock.advance(301)
    assert ask(server, right) is AuthResult.STALE
    assert ask(server, wrong) is AuthResult.WRONG


def test_nonce_of_another_realm_or_of_nobody_is_stale(server: Authenticator) -> None:
    foreign = Challenge.choose(server.challenges("other.example"))
    assert foreign is not None
    challenge = Challenge(REALM, foreign.nonce, "MD5", True, None, False, False)
    assert ask(server, DigestAnswer(challenge, CREDENTIALS)) is AuthResult.STALE
    for nonce in ("", "x", "ÿ", "A" * 44):
        challenge = Challenge(REALM, nonce, "MD5", True, None, False, False)
        assert ask(server, DigestAnswer(challenge, CREDENTIALS)) is AuthResult.STALE


def test_nonce_of_another_node_with_the_same_secret_is_good(
    server: Authenticator, clock: ManualClock
) -> None:
    twin = Authenticator(SECRET, clock=clock)
    assert ask(twin, client(server)) is AuthResult.OK


def test_memory_for_counts_is_bounded_and_what_falls_out_is_stale(clock: ManualClock) -> None:
    server = Authenticator(SECRET, clock=clock, max_nonces=10)
    first = client(server)
    assert ask(server, first) is AuthResult.OK
    for _ in range(15):
        clock.advance(0.01)
        assert ask(server, client(server)) is AuthResult.OK
    assert len(server._nonces._counts) == 10
    assert ask(server, first) is AuthResult.STALE
    clock.advance(400)
    assert ask(server, client(server)) is AuthResult.OK
    assert len(server._nonces._counts) == 1


def test_wrong_passwords_fill_no_memory(server: Authenticator) -> None:
    for _ in range(20):
        ask(server, client(server, Credentials("701", "guess")))
    assert not server._nonces._counts


@pytest.mark.parametrize(
    "change",
    [
        ("qop=auth", "qop=auth-int"),
        (", qop=auth", ""),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=0000000g"),
        ("nc=00000001", "nc=00000000"),
        ("algorithm=MD5", "algorithm=MD5-sess"),
        ("algorithm=MD5", "algorithm=SHA-512-256"),
        ('username="701"', 'username="702"'),
        ('response="', 'response="\u00e9'),
    ],
)
def test_answers_nobody_asked_for_are_refused(
    server: Authenticator, change: tuple[str, str]
) -> None:
    value = client(server, algorithm="MD5").value("REGISTER", "sip:acme.example")
    assert change[0] in value
    message = with_credentials(value.replace(*change))
    assert not server.verify(message, REALM, users).ok


@pytest.mark.parametrize(
    "value",
    ["", "Digest", "Digest ,,,", "Basic Zm9v", 'Digest realm="acme.example', "Digest =", "\x00"],
)
def test_garbage_for_credentials_is_no_credentials(server: Authenticator, value: str) -> None:
    message = request()
    message.headers.add("Authorization", value)
    assert server.verify(message, REALM, users).result is AuthResult.MISSING


def test_client_answers_the_example_of_rfc_7616() -> None:
    challenge = Challenge.choose(
        [
            'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, '
            'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
            'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
        ]
    )
    assert challenge is not None
    answer = DigestAnswer(challenge, Credentials("Mufasa", "Circle of Life"))
    answer._cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    given = parse_digest(answer.value("GET", "/dir/index.html"))
    assert given is not None
    expected = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    assert given["response"] == expected
    assert given["opaque"] == "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"


def test_client_answers_a_legacy_challenge_without_qop() -> None:
    challenge = Challenge.choose(['Digest realm="r", nonce="n"'])
    assert challenge is not None
    given = parse_digest(DigestAnswer(challenge, Credentials("u", "p")).value("INVITE", "sip:x"))
    assert given is not None
    first = hashlib.md5(b"u:r:p").hexdigest()
    second = hashlib.md5(b"INVITE:sip:x").hexdigest()
    assert given["response"] == hashlib.md5(f"{first}:n:{second}".encode()).hexdigest()
    assert "nc" not in given
    assert "qop" not in given


def test_client_passes_over_challenges_it_cannot_answer() -> None:
    values = [
        'Digest realm="r", nonce="1", algorithm=SHA-512-256, qop="auth"',
        'Digest realm="r", nonce="2", algorithm=SHA-256, qop="auth-int"',
        'Digest realm="r", nonce="3", algorithm=MD5, qop="auth", stale=TRUE',
    ]
    challenge = Challenge.choose(values, proxy=True)
    assert challenge is not None
    assert (challenge.nonce, challenge.stale, challenge.proxy) == ("3", True, True)
    assert Challenge.choose(values[:2]) is None
    assert Challenge.choose(["Basic realm=x", "Digest", ""]) is None


def test_session_algorithm_hashes_the_nonces_into_the_secret() -> None:
    challenge = Challenge.choose(['Digest realm="r", nonce="n", algorithm=MD5-sess, qop="auth"'])
    assert challenge is not None
    answer = DigestAnswer(challenge, Credentials("u", "p"))
    answer._cnonce = "c"
    plain = hashlib.md5(b"u:r:p").hexdigest()
    assert answer._ha1 != plain
    assert "algorithm=MD5-sess" in answer.value("INVITE", "sip:x")


def test_quotes_in_names_survive_the_way() -> None:
    challenge = Challenge.choose(['Digest realm="a \\"b\\" c", nonce="n", qop="auth"'])
    assert challenge is not None
    given = parse_digest(DigestAnswer(challenge, Credentials('x"y\\', "p")).value("A", "sip:x"))
    assert given is not None
    assert (given["realm"], given["username"]) == ('a "b" c', 'x"y\\')


def test_secrets_do_not_show() -> None:
    assert "sesame" not in repr(CREDENTIALS)
    kept = ha1("u", "r", "p")
    assert kept.md5 not in repr(kept)
    with pytest.raises(ValueError, match="16 bytes"):
        Authenticator(b"short", clock=ManualClock())


A, B = "192.0.2.1", "192.0.2.2"


def answer_to(server: Authenticator, source: str, credentials: Credentials = CREDENTIALS) -> str:
    challenge = Challenge.choose(server.challenges(REALM, source=source))
    assert challenge is not None
    return DigestAnswer(challenge, credentials).value("REGISTER", "sip:acme.example")


def test_a_nonce_is_good_for_the_source_it_was_sent_to(server: Authenticator) -> None:
    message = with_credentials(answer_to(server, A))
    assert server.verify(message, REALM, users, B).result is AuthResult.STALE
    assert server.verify(message, REALM, users, A).ok


def test_nothing_is_told_of_the_password_to_who_did_not_receive_the_challenge(
    server: Authenticator,
) -> None:
    """Else a guess from a forged address could be tried by looking whether it is `stale`."""
    for password in ("open sesame", "guess"):
        message = with_credentials(answer_to(server, A, Credentials("701", password)))
        assert server.verify(message, REALM, users, B).result is AuthResult.STALE


def test_proof_says_who_has_received_a_challenge_before_any_password(
    server: Authenticator, clock: ManualClock
) -> None:
    wrong = with_credentials(answer_to(server, A, Credentials("701", "guess")))
    assert server.proof(request(), REALM, A) == (Proof.NONE, "")
    assert server.proof(wrong, REALM, A) == (Proof.PROVED, "701")
    assert server.proof(wrong, REALM, B) == (Proof.UNPROVED, "701")
    assert server.proof(wrong, "other.example", A)[0] is Proof.NONE
    clock.advance(1000)
    assert server.proof(wrong, REALM, A)[0] is Proof.PROVED, "old, but it was received"
    forged = with_credentials(answer_to(Authenticator(b"x" * 16, clock=clock), A))
    assert server.proof(forged, REALM, A)[0] is Proof.UNPROVED


def test_credentials_for_another_uri_are_told_so(server: Authenticator) -> None:
    value = answer_to(server, A)
    message = request(uri="sip:other@acme.example", headers=[f"Authorization: {value}"])
    assert server.proof(message, REALM, A)[0] is Proof.OTHER_URI
    assert server.verify(message, REALM, users, A).result is AuthResult.OTHER_URI


def legacy(server: Authenticator, password: str = "open sesame") -> Request:
    """An answer as RFC 2069 has it: no qop, nc or cnonce."""
    given = parse_digest(server.challenges(REALM, source=A)[0])
    assert given is not None
    first = hashlib.md5(f"701:{REALM}:{password}".encode()).hexdigest()
    second = hashlib.md5(b"REGISTER:sip:acme.example").hexdigest()
    response = hashlib.md5(f"{first}:{given['nonce']}:{second}".encode()).hexdigest()
    return with_credentials(
        f'Digest username="701", realm="{REALM}", nonce="{given["nonce"]}", '
        f'uri="sip:acme.example", response="{response}"'
    )


def test_an_answer_without_qop_is_taken_once_for_a_nonce(clock: ManualClock) -> None:
    server = Authenticator(SECRET, clock=clock, without_qop=WithoutQop.ONCE)
    message = legacy(server)
    assert server.verify(message, REALM, users, A).ok
    assert server.verify(message, REALM, users, A).result is AuthResult.STALE
    assert server.verify(legacy(server), REALM, users, A).ok
    assert server.verify(legacy(server, "guess"), REALM, users, A).result is AuthResult.WRONG
    assert server.verify(message, REALM, users, B).result is AuthResult.STALE


def test_an_answer_without_qop_may_be_used_again_while_the_nonce_is_young(
    clock: ManualClock,
) -> None:
    server = Authenticator(SECRET, clock=clock, without_qop=WithoutQop.REUSE)
    message = legacy(server)
    assert server.verify(message, REALM, users, A).ok
    clock.advance(299)
    assert server.verify(message, REALM, users, A).ok
    clock.advance(2)
    assert server.verify(message, REALM, users, A).result is AuthResult.STALE


def test_an_answer_without_qop_is_wrong_where_that_is_off(clock: ManualClock) -> None:
    server = Authenticator(SECRET, clock=clock)
    assert server.verify(legacy(server), REALM, users, A).result is AuthResult.WRONG


@pytest.mark.parametrize("by_s", [7200, -7200, 400 * 86_400])
def test_a_clock_that_is_set_makes_no_nonce_older_or_younger(
    clock: ManualClock, server: Authenticator, by_s: float
) -> None:
    answer = client(server)

    def asks() -> AuthResult:
        value = answer.value("REGISTER", "sip:acme.example")
        return server.verify(with_credentials(value), REALM, users).result

    assert asks() is AuthResult.OK
    clock.set_wall(by_s)
    assert asks() is AuthResult.OK
    clock.advance(299)
    assert asks() is AuthResult.OK
    clock.advance(2)
    clock.set_wall(-by_s)
    assert asks() is AuthResult.STALE
