import socket

import pytest

from kobza.net import addresses
from kobza.net.addresses import LocalHosts, family_of, is_address, is_wildcard, local_host_for, resolve, told_host


class Routes:
    """A routing table that a test writes; counts how often it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.local = "192.0.2.1"
        self.asked: list[str] = []
        self.now = 1000.0
        monkeypatch.setattr(addresses, "local_host_for", self.look_up)
        monkeypatch.setattr("kobza.net.addresses.time.monotonic", lambda: self.now)

    def look_up(self, remote_host: str) -> str:
        self.asked.append(remote_host)
        if not self.local:
            raise OSError("no route")
        return self.local


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> Routes:
    return Routes(monkeypatch)


def test_the_route_is_asked_once_for_each_peer(routes: Routes) -> None:
    hosts = LocalHosts()
    for _ in range(3):
        assert hosts.get("198.51.100.1") == hosts.get("198.51.100.2") == "192.0.2.1"
    assert routes.asked == ["198.51.100.1", "198.51.100.2"]


def test_a_machine_that_moves_is_noticed(routes: Routes) -> None:
    hosts = LocalHosts()
    hosts.get("198.51.100.1")
    routes.local = "203.0.113.9"
    routes.now += LocalHosts.LIFETIME - 0.1
    assert hosts.get("198.51.100.1") == "192.0.2.1"
    routes.now += 0.2
    assert hosts.get("198.51.100.1") == "203.0.113.9"


def test_peers_that_are_made_up_do_not_fill_the_memory(routes: Routes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalHosts, "BOUND", 10)
    hosts = LocalHosts()
    for number in range(1000):
        hosts.get(f"peer-{number}")
        assert len(hosts._known) <= 10


@pytest.mark.parametrize(("remote", "unspecified"), [("198.51.100.1", "0.0.0.0"), ("2001:db8::1", "::")])
def test_without_a_route_it_is_the_unspecified_address_until_there_is_one(
    routes: Routes, remote: str, unspecified: str
) -> None:
    hosts = LocalHosts()
    routes.local = ""
    assert hosts.get(remote) == unspecified
    routes.local = "192.0.2.1"
    assert hosts.get(remote) == "192.0.2.1"


def test_the_real_routing_table_knows_loopback() -> None:
    assert local_host_for("127.0.0.5") == "127.0.0.1"
    assert LocalHosts().get("127.0.0.5") == "127.0.0.1"


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        ("8.8.8.8", "198.51.100.7"),
        ("10.1.2.3", None),
        ("127.0.0.1", None),
        ("169.254.1.1", None),
        ("100.64.3.4", None),  # behind the NAT of a carrier that we are in as well
        ("2606:4700::1", None),  # there is no such address for it
        ("fe80::1%eth0", None),
    ],
)
def test_who_is_told_the_address_outside(remote: str, told: str | None) -> None:
    assert told_host("198.51.100.7", remote) == told
    assert told_host(None, remote) is None
    assert told_host("2001:db8::7", "2606:4700::1") == "2001:db8::7"


def test_tells_addresses_from_names() -> None:
    assert [is_address(host) for host in ("192.0.2.1", "::1", "pbx.example", "")] == [True, True, False, False]
    assert [family_of(host) for host in ("192.0.2.1", "::1")] == [socket.AF_INET, socket.AF_INET6]
    assert [is_wildcard(host) for host in ("0.0.0.0", "::", "", "127.0.0.1")] == [True, True, True, False]


async def test_an_unknown_name_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match=r"."):
        await resolve("no-such-host.invalid", 5060)
