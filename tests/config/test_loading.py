from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

import pytest

from kobza.config.loading import CLIENT_VARIABLES, MASK, ConfigError, Loaded, load
from kobza.config.settings import LOOPBACK, Settings, unheard, webhook_networks
from kobza.config.values import ListenAddress, PortRange, SipListen


def loaded(tmp_path: Path, toml: str = "", environment: dict[str, str] | None = None, **overrides: Any) -> Loaded:
    if toml:
        (tmp_path / "kobza.toml").write_text(toml, "utf-8")
    return load(environment={"KOBZA_DATA": str(tmp_path), **(environment or {})}, overrides=overrides)


def problems(tmp_path: Path, toml: str = "", environment: dict[str, str] | None = None, **overrides: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, toml, environment, **overrides)
    return caught.value.problems


def test_defaults(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    settings = found.settings
    assert settings.http == ListenAddress("127.0.0.1", 8080)
    assert [str(listen) for listen in settings.sip] == ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]
    assert settings.rtp_ports == PortRange(20000, 20999)
    assert settings.media_timeout == 60
    assert settings.webhook_allow == ()
    assert set(found.sources) == set(Settings.model_fields)
    assert {name for name, source in found.sources.items() if source != "default"} == {"data"}
    assert found.file is None


def test_the_command_line_wins_over_variables_and_those_over_the_file(tmp_path: Path) -> None:
    toml = 'http = "127.0.0.1:1"\nring_timeout = 10\nmedia_timeout = 10\n'
    environment = {"KOBZA_HTTP": "127.0.0.1:2", "KOBZA_RING_TIMEOUT": "20"}
    found = loaded(tmp_path, toml, environment, http="127.0.0.1:3", sip=None)
    settings = found.settings
    assert (settings.http.port, settings.ring_timeout, settings.media_timeout) == (3, 20, 10)
    assert {name: found.sources[name] for name in ("http", "ring_timeout", "media_timeout", "sip")} == {
        "http": "command line",
        "ring_timeout": "environment",
        "media_timeout": "file",
        "sip": "default",
    }
    assert found.file == tmp_path / "kobza.toml"


@pytest.mark.parametrize(
    "written",
    [
        ["udp:127.0.0.1:5070", "tcp:127.0.0.1:5071"],
        "udp:127.0.0.1:5070,tcp:127.0.0.1:5071",
        " udp:127.0.0.1:5070  tcp:127.0.0.1:5071 ",
    ],
)
def test_lists_may_be_one_text(tmp_path: Path, written: Any) -> None:
    expected = (SipListen.parse("udp:127.0.0.1:5070"), SipListen.parse("tcp:127.0.0.1:5071"))
    assert loaded(tmp_path, sip=written).settings.sip == expected


def test_the_file_may_be_named(tmp_path: Path) -> None:
    named, other = tmp_path / "named.toml", tmp_path / "other.toml"
    named.write_text("ring_timeout = 11")
    other.write_text("ring_timeout = 12")
    environment = {"KOBZA_CONFIG": str(other)}
    assert load(environment=environment).settings.ring_timeout == 12
    assert load(config=named, environment=environment).settings.ring_timeout == 11


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: the configuration file cannot be read: No such file"):
        load(config=tmp_path / "missing.toml", environment={})


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    [line] = problems(tmp_path, "http = ")
    assert "kobza.toml: the configuration file is not TOML" in line


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("http", "8080", "expected address:port, such as 127.0.0.1:8080 or [::1]:8080"),
        ("sip", "", "expected one or more of transport:address:port"),
        ("sip", "sctp:127.0.0.1:5061", "expected transport:address:port with udp or tcp or "),
        ("rtp_ports", "20000", "expected first-last, such as 20000-20999"),
        ("rtp_host", "localhost", "expected an IP address"),
        ("rtp_host6", "192.0.2.1", "expected an IPv6 address beside an rtp_host of IPv4"),
        ("sip_host", "pbx.example.com", "expected an IP address"),
        ("rtp_host", "0.0.0.0", "expected the address that peers are told, not 0.0.0.0"),
        ("sip_host", "::", "expected the address that peers are told, not ::"),
        ("rtp_bind", "::1", "expected an address of the family of rtp_host"),
        ("dns_servers", "ns.example.net", "expected addresses of name servers"),
        ("dns_servers", "192.0.2.53:0", "expected addresses of name servers"),
        ("rtpengine", "127.0.0.1:2223 127.0.0.1", "expected addresses of rtpengines"),
        ("rtpengine", "media.example.com", "expected addresses of rtpengines"),
        ("rtpengine", "127.0.0.1:0", "expected addresses of rtpengines"),
        ("media_plane", "asterisk", "expected 'embedded' or 'rtpengine'"),
        ("sip_realm", 'a "b"', "expected 1 to 64 characters without spaces, quotes"),
        ("ring_timeout", "soon", "expected a whole number"),
        ("ring_timeout", "1.5", "expected a whole number"),
        ("ring_timeout", "4", "expected at least 5"),
        ("ring_timeout", "301", "expected at most 300"),
        ("webhook_allow", "10.0.0.0/33", "expected networks or addresses"),
        ("log_level", "loud", "expected 'debug', 'info', 'warning' or 'error'"),
        ("nonce_secret", "short", "expected at least 32 characters"),
    ],
)
def test_a_wrong_value_is_one_line_with_name_source_and_what_is_right(
    tmp_path: Path, name: str, value: str, right: str
) -> None:
    [line] = problems(tmp_path, environment={f"KOBZA_{name.upper()}": value})
    assert line.startswith(f"{name} (in the variable KOBZA_{name.upper()}): {right}")
    [line] = problems(tmp_path, **cast("dict[str, Any]", {name: value}))
    assert line.startswith(f"{name} (given as --{name.replace('_', '-')}): {right}")
    toml = f"{name} = '{value}'" if value else f"{name} = []"
    [line] = problems(tmp_path, toml)
    assert line.startswith(f"{name} (in {tmp_path / 'kobza.toml'}): {right}")


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    lines = problems(
        tmp_path,
        "colour = 1\nhttps = '127.0.0.1:1'\nring_timeout = true",
        {"KOBZA_HTP": "127.0.0.1:1", "KOBZA_LOG_FORMAT": "x"},
    )
    assert len(lines) == 5
    text = "\n".join(lines)
    assert "KOBZA_HTP: unknown variable (did you mean KOBZA_HTTP?)" in text
    assert "https: unknown setting in" in text
    assert "(did you mean http?)" in text
    assert "colour: unknown setting in" in text
    assert "ring_timeout (in" in text
    assert "log_format (in the variable KOBZA_LOG_FORMAT)" in text


@pytest.mark.parametrize(
    "environment",
    [
        {"KOBZA_REGISTRATION_DEFAULT": "59"},
        {"KOBZA_REGISTRATION_DEFAULT": "3601"},
        {"KOBZA_REGISTRATION_MIN": "700"},
    ],
)
def test_registration_times_must_fit_together(tmp_path: Path, environment: dict[str, str]) -> None:
    [line] = problems(tmp_path, environment=environment)
    assert line.startswith("registration_default (")
    assert "expected a value from registration_min to registration_max" in line


def test_a_session_is_as_long_as_its_minimum(tmp_path: Path) -> None:
    [line] = problems(tmp_path, session_min_se=300, session_expires=299)
    assert line.endswith("expected 0 or at least session_min_se (300)")
    assert loaded(tmp_path, session_min_se=300, session_expires=0).settings.session_expires == 0


def test_a_problem_never_shows_a_value(tmp_path: Path) -> None:
    [line] = problems(tmp_path, environment={"KOBZA_NONCE_SECRET": "hunter2"})
    assert "hunter2" not in line


def test_secrets_are_masked(tmp_path: Path) -> None:
    secret = "0123456789abcdef" * 2
    found = loaded(tmp_path, environment={"KOBZA_NONCE_SECRET": secret})
    assert found.shown()["nonce_secret"] == {"value": MASK, "source": "environment"}
    assert secret not in repr(found)
    assert loaded(tmp_path).shown()["nonce_secret"] == {"value": None, "source": "default"}


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        loaded(tmp_path).settings.ring_timeout = 1


LOCAL: dict[str, Any] = {"http": "127.0.0.1:1", "sip": "udp:127.0.0.1:1,tcp:[::1]:1", "rtp_host": "127.0.0.1"}


def test_webhooks_may_go_to_loopback_when_everything_listens_there(tmp_path: Path) -> None:
    assert webhook_networks(loaded(tmp_path, **LOCAL).settings) == LOOPBACK
    allowed = loaded(tmp_path, **LOCAL, webhook_allow="10.0.0.0/8").settings
    assert webhook_networks(allowed) == (ip_network("10.0.0.0/8"), *LOOPBACK)


@pytest.mark.parametrize(
    "opened",
    [{"http": "0.0.0.0:1"}, {"sip": "udp:127.0.0.1:1,tcp:192.0.2.1:1"}, {"rtp_host": "192.0.2.1"}],
)
def test_one_address_that_others_reach_ends_that(tmp_path: Path, opened: dict[str, Any]) -> None:
    assert webhook_networks(loaded(tmp_path, **(LOCAL | opened)).settings) == ()


def test_the_variables_of_the_client_are_no_settings_and_no_mistake(tmp_path: Path) -> None:
    found = loaded(tmp_path, environment=dict.fromkeys(CLIENT_VARIABLES, "x"))
    assert set(found.shown()) == set(Settings.model_fields)
    (problem,) = problems(tmp_path, environment={"KOBZA_URI": "x"})
    assert "did you mean KOBZA_URL?" in problem


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"KOBZA_SIP": "tls:127.0.0.1:5061"}, "expected a file, as sip has tls:127.0.0.1:5061"),
        ({"KOBZA_SIP": "udp:127.0.0.1:5060 wss:127.0.0.1:443"}, "expected a file, as sip has wss:127.0.0.1:443"),
        ({"KOBZA_SIP_CERTIFICATE": "chain.pem"}, "expected a file too, as sip_certificate is given"),
        ({"KOBZA_SIP_KEY": "key.pem"}, "expected a file too, as sip_key is given"),
    ],
)
def test_a_certificate_and_its_key_go_together(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    [line] = problems(tmp_path, environment=environment)
    assert said in line


def test_audio_that_nobody_would_hear_is_told(tmp_path: Path) -> None:
    assert unheard(loaded(tmp_path).settings) is None
    elsewhere: dict[str, Any] = {"sip": "udp:127.0.0.1:1 tcp:0.0.0.0:2"}
    told = unheard(loaded(tmp_path, **elsewhere).settings)
    assert told == "phones reach tcp:0.0.0.0:2 and are told to send their audio to 127.0.0.1"
    assert unheard(loaded(tmp_path, **elsewhere, rtp_host="192.0.2.1").settings) is None
