"""The server's certificate: self-signed at first, renewed in time, or the administrator's."""

from __future__ import annotations

import datetime
import stat
from pathlib import Path

import pytest

from vpbx.app import DataDir, StartError, certificate
from vpbx.app.certificate import Certificate, certificate_of, server_context
from vpbx.config import ServeConfig


@pytest.fixture
def config(tmp_path: Path) -> ServeConfig:
    DataDir(tmp_path).prepare()
    return ServeConfig(data=tmp_path)


def test_self_signed_certificate_is_made_once_and_its_key_is_private(config: ServeConfig) -> None:
    server_context(config)
    path, key = certificate_of(config)
    first = path.read_bytes()
    server_context(config)
    assert path.read_bytes() == first
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    made = Certificate.read(path)
    assert made.self_signed
    assert made.covers("localhost")
    assert made.covers("demo.localhost")
    assert not made.covers("acme.example")


def test_certificate_is_made_anew_when_the_server_gets_another_address(config: ServeConfig) -> None:
    server_context(config)
    server_context(ServeConfig(data=config.data, advertise="203.0.113.9"))
    assert "203.0.113.9" in Certificate.read(certificate_of(config)[0]).names


def test_certificate_is_made_anew_before_it_expires(
    config: ServeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate, "_VALID_FOR", datetime.timedelta(days=3))
    server_context(config)
    monkeypatch.undo()
    server_context(config)
    left = Certificate.read(certificate_of(config)[0]).not_after - datetime.datetime.now(
        datetime.UTC
    )
    assert left > datetime.timedelta(days=365)


def test_certificate_that_is_none_is_explained(config: ServeConfig, tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("rubbish")
    with pytest.raises(StartError, match="--certificate and --private-key"):
        server_context(ServeConfig(data=config.data, certificate=rubbish, private_key=rubbish))
