"""The certificates a server shows: of its own authority by name, or the administrator's."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from vpbx.app import DataDir, StartError, authority, certificate
from vpbx.app.authority import Authority
from vpbx.app.certificate import Certificate, Identities, certificate_of
from vpbx.config import ServeConfig


@pytest.fixture
def config(tmp_path: Path) -> ServeConfig:
    DataDir(tmp_path).prepare()
    return ServeConfig(data=tmp_path)


def trusting(*pem: bytes) -> ssl.SSLContext:
    """Return a strict client that trusts these authorities only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for each in pem:
        context.load_verify_locations(cadata=each.decode())
    return context


@asynccontextmanager
async def listening(identities: Identities) -> AsyncIterator[int]:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\n")
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=identities.context)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def shown(port: int, name: str, context: ssl.SSLContext) -> ssl.SSLObject:
    """Connect as a client that means `name`, and return what it agreed on."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=name
    )
    assert await reader.readline() == b"hello\n"
    found: ssl.SSLObject = writer.get_extra_info("ssl_object")
    writer.close()
    return found


def write_pair(folder: Path, *names: str) -> tuple[Path, Path, bytes]:
    """Make a certificate of another authority; return it, its key, and the authority."""
    folder.mkdir(exist_ok=True)
    other = Authority(folder)
    both = folder / "both.pem"
    other.issue(names, both)
    pem = both.read_text()
    at = pem.index("-----BEGIN PRIVATE KEY-----")
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_text(pem[:at])
    key.write_text(pem[at:])
    return chain, key, other.pem


def test_own_certificate_is_made_once_and_keys_are_private(config: ServeConfig) -> None:
    Identities(config)
    path, key = certificate_of(config)
    first = path.read_bytes()
    Identities(config)
    assert path.read_bytes() == first
    for secret in (key, DataDir(config.data).tls / "ca-key.pem"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    made = Certificate.read(path)
    assert made.covers("localhost")
    assert made.covers("demo.localhost")
    assert not made.covers("acme.example")


def test_certificate_is_made_anew_when_the_server_gets_another_address(config: ServeConfig) -> None:
    Identities(config)
    Identities(ServeConfig(data=config.data, advertise="203.0.113.9"))
    assert "203.0.113.9" in Certificate.read(certificate_of(config)[0]).names


async def test_certificate_is_made_anew_while_the_server_runs_before_it_expires(
    config: ServeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authority, "_LEAF_VALID_FOR", datetime.timedelta(days=3))
    identities = Identities(config)
    monkeypatch.undo()
    trust = trusting(Authority(DataDir(config.data).tls).pem)
    async with listening(identities) as port:
        before = (await shown(port, "localhost", trust)).getpeercert()
        identities.refresh()
        after = (await shown(port, "localhost", trust)).getpeercert()
    assert before
    assert after
    left_s = ssl.cert_time_to_seconds(str(after["notAfter"])) - ssl.cert_time_to_seconds(
        str(before["notAfter"])
    )
    assert left_s > 300 * 24 * 3600


async def test_who_trusts_the_authority_trusts_every_company_also_one_that_comes_later(
    config: ServeConfig,
) -> None:
    companies = {"acme.example"}
    identities = Identities(config, companies.__contains__)
    trust = trusting(Authority(DataDir(config.data).tls).pem)
    async with listening(identities) as port:
        for name in ("acme.example", "localhost"):
            assert (await shown(port, name, trust)).getpeercert()
        for stranger in ("other.example", "acme.example.evil.example"):
            with pytest.raises((ssl.SSLCertVerificationError, ConnectionError)):
                await shown(port, stranger, trust)
        companies.add("other.example")
        assert (await shown(port, "other.example", trust)).getpeercert()
        with pytest.raises(ssl.SSLCertVerificationError):
            await shown(port, "acme.example", ssl.create_default_context())
    made = {path.name for path in (DataDir(config.data).tls / "companies").iterdir()}
    assert made == {"acme.example.pem", "other.example.pem"}


async def test_authority_stays_the_same_over_a_restart(config: ServeConfig) -> None:
    Identities(config)
    trust = trusting(Authority(DataDir(config.data).tls).pem)
    async with listening(Identities(config, lambda name: name == "acme.example")) as port:
        assert (await shown(port, "acme.example", trust)).version() in ("TLSv1.2", "TLSv1.3")


async def test_given_certificate_is_read_again_when_it_changes(
    config: ServeConfig, tmp_path: Path
) -> None:
    chain, key, first = write_pair(tmp_path / "one", "pbx.example")
    identities = Identities(ServeConfig(data=config.data, certificate=chain, private_key=key))
    new_chain, new_key, second = write_pair(tmp_path / "two", "pbx.example")
    async with listening(identities) as port:
        await shown(port, "pbx.example", trusting(first))
        chain.write_text(new_chain.read_text())
        identities.refresh()  # half of a renewal: they do not belong together yet
        await shown(port, "pbx.example", trusting(first))
        key.write_text(new_key.read_text())
        identities.refresh()
        await shown(port, "pbx.example", trusting(second))
        with pytest.raises(ssl.SSLCertVerificationError):
            await shown(port, "pbx.example", trusting(first))
        chain.unlink()
        identities.refresh()
        await shown(port, "pbx.example", trusting(second))


def test_certificate_that_is_none_is_explained(config: ServeConfig, tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("rubbish")
    with pytest.raises(StartError, match="--certificate and --private-key"):
        Identities(ServeConfig(data=config.data, certificate=rubbish, private_key=rubbish))


def test_which_file_who_names_a_company_is_shown(config: ServeConfig) -> None:
    identities = Identities(config, lambda name: True)
    assert certificate.shown_to(config, "acme.example") == certificate_of(config)[0]
    identities._of_company("acme.example")
    assert Certificate.read(certificate.shown_to(config, "acme.example")).covers("acme.example")
