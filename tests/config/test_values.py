import pytest

from kobza.config.values import Collector, ListenAddress, PortRange, Rate, SipListen


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", ListenAddress("127.0.0.1", 8080)),
        (" 0.0.0.0:0 ", ListenAddress("0.0.0.0", 0)),
        ("[::1]:65535", ListenAddress("::1", 65535)),
        ("[2001:DB8::0:1]:80", ListenAddress("2001:db8::1", 80)),
    ],
)
def test_addresses(text: str, address: ListenAddress) -> None:
    assert ListenAddress.parse(text) == address
    assert ListenAddress.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "localhost:80", "1.2.3:80", "::1:80", "1.2.3.4:65536", "[]:1"],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected address:port"):
        ListenAddress.parse(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("udp:127.0.0.1:5060", "udp:127.0.0.1:5060"),
        ("TCP:[::1]:5060", "tcp:[::1]:5060"),
        ("ws:[::]:5060", "ws:[::]:5060"),
    ],
)
def test_sip_addresses(text: str, written: str) -> None:
    listen = SipListen.parse(text)
    assert str(listen) == written
    assert listen.port == 5060
    assert listen.host == listen.address.host


@pytest.mark.parametrize("text", ["", "127.0.0.1:5060", "sctp:127.0.0.1:5", "udp:", "udp:5060", "udp:localhost:5060"])
def test_what_is_no_sip_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected transport:address:port"):
        SipListen.parse(text)


@pytest.mark.parametrize(
    ("address", "loopback"),
    [("127.0.0.1:1", True), ("127.9.9.9:1", True), ("[::1]:1", True), ("0.0.0.0:1", False), ("10.0.0.1:1", False)],
)
def test_loopback(address: str, loopback: bool) -> None:
    assert ListenAddress.parse(address).is_loopback is loopback


def test_port_ranges() -> None:
    ports = PortRange.parse("20000-20999")
    assert ports == PortRange(20000, 20999)
    assert str(ports) == "20000-20999"
    assert list(PortRange.parse("1 - 4").ports) == [1, 2, 3, 4]


@pytest.mark.parametrize("text", ["", "20000", "20999-20000", "0-100", "65000-65536", "100-102", "a-b", "1-2-3"])
def test_what_is_no_port_range(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected"):
        PortRange.parse(text)


@pytest.mark.parametrize(
    ("text", "rate", "written"),
    [
        ("600/60", Rate(600, 60), "600/60"),
        (" 1 / 86400 ", Rate(1, 86_400), "1/86400"),
        ("1000000/1", Rate(1_000_000, 1), "1000000/1"),
        ("OFF", Rate(0, 0), "off"),
    ],
)
def test_rates(text: str, rate: Rate, written: str) -> None:
    assert Rate.parse(text) == rate
    assert str(rate) == written
    assert rate.is_off == (written == "off")


@pytest.mark.parametrize("text", ["", "60", "0/60", "60/0", "1000001/1", "1/86401", "-1/60", "1.5/60", "none", "10/1m"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected requests/seconds, such as 600/60"):
        Rate.parse(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("udp:homer.example.com:9060", "udp:homer.example.com:9060"),
        (" TCP:[::1]:9061 ", "tcp:[::1]:9061"),
        ("udp:192.0.2.1:1", "udp:192.0.2.1:1"),
    ],
)
def test_collectors(text: str, written: str) -> None:
    assert str(Collector.parse(text)) == written


@pytest.mark.parametrize(
    "text",
    ["", "homer:9060", "tls:homer:9060", "udp:homer", "udp:homer:65536", "udp:[x]:1", "udp:[1:2]:1"],
)
def test_what_is_no_collector(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Collector.parse(text)
