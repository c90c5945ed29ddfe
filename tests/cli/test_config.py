"""Settings: what is accepted, and what a refusal tells the administrator."""

from __future__ import annotations

from pathlib import Path

import pytest

from vpbx.config import ConfigError, Endpoint, PortRange, ServeConfig


def test_defaults_suit_a_company_with_one_command() -> None:
    config = ServeConfig.parse()
    assert str(config.http) == "127.0.0.1:8080"
    assert str(config.https) == "0.0.0.0:8443"
    assert (str(config.sip), str(config.sip_tls)) == ("0.0.0.0:5060", "0.0.0.0:5061")
    assert (str(config.rtp), config.data) == ("20000-30000", Path("vpbx-data"))
    assert config == ServeConfig()


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.1:5070", "192.0.2.1", 5070),
        (":0", "0.0.0.0", 0),
        ("localhost:80", "127.0.0.1", 80),
        ("[::1]:5060", "::1", 5060),
    ],
)
def test_addresses_are_read(text: str, host: str, port: int) -> None:
    assert Endpoint.parse(text, "--sip") == Endpoint(host, port)


def test_off_switches_an_address_off() -> None:
    assert Endpoint.parse("off", "--https") is None


@pytest.mark.parametrize("text", ["", "5060", "1.2.3.4:", "1.2.3.4:99999", "1.2.3.4:x", "pbx:5060"])
def test_wrong_address_names_the_option_its_variable_and_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--sip-tls \(or VPBX_SIP_TLS\): .*(0\.0\.0\.0)"):
        Endpoint.parse(text, "--sip-tls")


def test_port_range_is_read() -> None:
    assert PortRange.parse("30000-30099", "--rtp-ports") == PortRange(30000, 30099)


@pytest.mark.parametrize("text", ["", "20000", "30000-20000", "80-90000", "20000-20003", "a-b"])
def test_wrong_port_range_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--rtp-ports"):
        PortRange.parse(text, "--rtp-ports")


def test_plain_http_to_the_outside_needs_a_trusted_proxy() -> None:
    with pytest.raises(ConfigError, match="--trusted-proxies"):
        ServeConfig.parse(http="0.0.0.0:8080")
    config = ServeConfig.parse(http="0.0.0.0:8080", trusted_proxies="10.0.0.5, 10.1.0.0/16")
    assert config.trusted_proxies == ("10.0.0.5/32", "10.1.0.0/16")


@pytest.mark.parametrize(
    ("option", "settings"),
    [
        ("--advertise", {"advertise": "pbx.example"}),
        ("--public-url", {"public_url": "pbx.example"}),
        ("--trusted-proxies", {"trusted_proxies": "10.0.0.0/99"}),
        ("--database", {"database": "mysql://u:secret@h/d"}),
        ("--log-level", {"log_level": "loud"}),
        ("--certificate", {"certificate": Path("/nowhere.pem"), "private_key": Path("/n")}),
        ("--sip", {"sip": "off", "sip_tls": "off"}),
        ("--https", {"http": "off", "https": "off"}),
        ("--crm-log-days", {"crm_log_days": 0}),
    ],
)
def test_wrong_setting_is_refused_by_name(option: str, settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as refusal:
        ServeConfig.parse(**settings)
    assert refusal.value.option == option
    assert "secret" not in str(refusal.value)


def test_certificate_needs_its_key(tmp_path: Path) -> None:
    certificate = tmp_path / "c.pem"
    certificate.touch()
    with pytest.raises(ConfigError, match="--private-key"):
        ServeConfig.parse(certificate=certificate)
