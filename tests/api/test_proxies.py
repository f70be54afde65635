"""Whose request it is behind proxies: only what trusted ones wrote is believed."""

from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kobza.api.proxies import Hop, Proxies, ProxyHeader, forwarded, node_address, x_forwarded_for
from kobza.defence.source import parsed_address
from kobza.store import tokens
from kobza.store.tokens import parse_networks
from tests.api.test_callstat import assert_problem
from tests.api.world import World

PROXIES = Proxies(parse_networks(["10.0.0.0/8", "127.0.0.1", "2001:db8:ffff::/48"]))


@pytest.mark.parametrize(
    ("peer", "header", "client"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "6.6.6.6, 198.51.100.1, 10.1.2.3", "198.51.100.1"),
        ("127.0.0.1", "6.6.6.6,198.51.100.1,10.1.2.3, 10.4.5.6", "198.51.100.1"),
        ("127.0.0.1", "10.1.2.3, 10.4.5.6", "10.1.2.3"),
        ("127.0.0.1", "10.0.0.1, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "6.6.6.6, unknown", "127.0.0.1"),
        ("127.0.0.1", "6.6.6.6, unknown, 10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "6.6.6.6, , 10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("127.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", "[2001:db8::1]:4711, [2001:db8:ffff::5]", "2001:db8::1"),
        ("::ffff:127.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("2001:db8:ffff::5", "198.51.100.1", "198.51.100.1"),
        ("2001:db8::5", "198.51.100.1", "2001:db8::5"),
        ("127.0.0.1", ", ".join(["6.6.6.6", *["10.0.0.1"] * 100]), "10.0.0.1"),
    ],
)
def test_the_rightmost_address_that_is_not_trusted_is_the_client(peer: str, header: str, client: str) -> None:
    assert PROXIES.client(peer, x_forwarded_for([header])).address == client


def test_several_lines_are_one_list() -> None:
    hops = x_forwarded_for(["6.6.6.6, 198.51.100.1", "10.1.2.3"])
    assert [hop.address for hop in hops] == ["6.6.6.6", "198.51.100.1", "10.1.2.3"]
    assert PROXIES.client("127.0.0.1", hops).address == "198.51.100.1"


@pytest.mark.parametrize(
    ("header", "hops"),
    [
        ("for=192.0.2.60;proto=http;by=203.0.113.43", [Hop("192.0.2.60", "http")]),
        ('For="[2001:db8:cafe::17]:4711"', [Hop("2001:db8:cafe::17")]),
        ("for=192.0.2.43, for=198.51.100.17;PROTO=HTTPS", [Hop("192.0.2.43"), Hop("198.51.100.17", "https")]),
        ('for="192.0.2.43:80";host="a,b;c"', [Hop("192.0.2.43")]),
        (r'for="192\.0.2.43"', [Hop("192.0.2.43")]),
        ("for=unknown, for=_hidden", [Hop(), Hop()]),
        ("for=192.0.2.43;for=192.0.2.44", [Hop()]),
        ("for=192.0.2.43;", [Hop("192.0.2.43")]),
        ("for", [Hop()]),
        ("", [Hop()]),
        ("proto=https", [Hop("", "https")]),
        ("for=192.0.2.43;proto=gopher", [Hop("192.0.2.43")]),
        ('for="192.0.2.43, for=6.6.6.6', [Hop(), Hop("6.6.6.6")]),
        (r'for="a\", for=1.1.1.1", for=6.6.6.6', [Hop(), Hop("6.6.6.6")]),
        ("for=2001:db8::1", [Hop()]),
    ],
)
def test_forwarded_is_read_as_rfc_7239_has_it(header: str, hops: list[Hop]) -> None:
    assert forwarded([header]) == hops


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" 192.0.2.7 ", "192.0.2.7"),
        ("192.0.2.7:port", "192.0.2.7"),
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:80", "fe80::1"),
        ("192.0.2.256", ""),
        ("192.0.2.7:", ""),
        ("[192.0.2.7", ""),
        ("crm.example.com", ""),
    ],
)
def test_nodes(text: str, address: str) -> None:
    assert node_address(text) == address


PARTS = st.sampled_from(
    [*("for=", "proto=", "by="), *'"\\\\,; []:=', *("10.1.2.3", "6.6.6.6", "2001:db8::1", "_x", "é")]
)
WRITTEN_BY_A_CLIENT = st.lists(st.lists(PARTS, max_size=12).map("".join) | st.text(max_size=30), max_size=4)


@settings(max_examples=400, deadline=None)
@given(lines=WRITTEN_BY_A_CLIENT)
def test_every_text_is_read_and_gives_addresses_or_nothing(lines: list[str]) -> None:
    for read in (x_forwarded_for, forwarded):
        hops = read(lines)
        for hop in hops:
            assert hop.address == "" or parsed_address(hop.address) is not None
        assert PROXIES.client("127.0.0.1", hops).address in {"127.0.0.1", *(hop.address for hop in hops)}
        assert PROXIES.client("203.0.113.9", hops) == Hop("203.0.113.9")


@settings(max_examples=400, deadline=None)
@given(lines=WRITTEN_BY_A_CLIENT)
@example(lines=['for="10.0.0.1'])
@example(lines=['for="10.0.0.1\\\\'])
@example(lines=["for=6.6.6.6, 10.0.0.1", '"'])
def test_what_a_client_writes_changes_nothing_of_what_proxies_write_after_it(lines: list[str]) -> None:
    """A proxy may append to the last line or add a line of its own."""
    for read, first, second in (
        (x_forwarded_for, "198.51.100.1", "10.1.2.3"),
        (forwarded, "for=198.51.100.1", 'for="10.1.2.3:80";by="[::1]"'),
    ):
        for appended in ([*lines, first], [", ".join([*lines, first])]):
            assert PROXIES.client("127.0.0.1", read(appended)).address == "198.51.100.1"
            assert PROXIES.client("127.0.0.1", read([*appended, second])).address == "198.51.100.1"


@pytest.mark.parametrize("text", ['"' * 60_000, "\\" * 60_000, '\\"' * 30_000, "," * 60_000, "for=[" * 12_000])
def test_a_long_header_is_no_work(text: str) -> None:
    assert len(forwarded([text])) <= 33
    assert len(x_forwarded_for([text])) <= 33


def client_behind(
    world: World, peer: str = "127.0.0.1", header: ProxyHeader = "x-forwarded-for", **changes: Any
) -> httpx.AsyncClient:
    app = world.build(proxies=Proxies((ip_network("127.0.0.1"),), header, **changes))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(peer, 50_000)), base_url="http://kobza.test")


def limited_to(world: World, address: str) -> dict[str, Any]:
    with world.store.write() as conn:
        made = tokens.add(conn, world.own.enterprise_id, 0, networks=parse_networks([address]))
    return {
        "params": {"integrator_id": world.own.integrator_id},
        "headers": {"authorization": f"Bearer {made.secret}"},
    }


@pytest.mark.parametrize(
    ("header", "right", "wrong"),
    [
        ("x-forwarded-for", {"x-forwarded-for": "6.6.6.6, 192.0.2.7"}, {"x-forwarded-for": "192.0.2.7, 6.6.6.6"}),
        ("x-forwarded-for", {"x-forwarded-for": "192.0.2.7"}, {"forwarded": "for=192.0.2.7"}),
        ("forwarded", {"forwarded": "for=192.0.2.7;proto=https"}, {"x-forwarded-for": "192.0.2.7"}),
    ],
)
async def test_the_list_of_addresses_is_about_the_client_and_not_the_proxy(
    world: World, header: ProxyHeader, right: dict[str, str], wrong: dict[str, str]
) -> None:
    options = limited_to(world, "192.0.2.7")
    path = "/api/fmc/v1/phonestatus"
    async with client_behind(world, header=header) as client:
        for headers, allowed in ((right, True), (wrong, False), ({}, False)):
            answer = await client.get(path, params=options["params"], headers=options["headers"] | headers)
            if allowed:
                assert answer.status_code == 200
            else:
                assert_problem(answer, 403, "address_not_allowed")
    async with client_behind(world, peer="203.0.113.9", header=header) as client:
        answer = await client.get(path, params=options["params"], headers=options["headers"] | right)
        assert_problem(answer, 403, "address_not_allowed")


async def test_the_access_log_has_the_address_of_the_client(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "kobza.access")
    async with client_behind(world) as client:
        await client.get("/healthz", headers={"x-forwarded-for": "6.6.6.6, 198.51.100.1"})
    assert "198.51.100.1 GET /healthz 200" in caplog.text


@pytest.mark.parametrize(
    ("header", "headers", "scheme"),
    [
        ("x-forwarded-for", {"x-forwarded-proto": "https"}, "https"),
        ("x-forwarded-for", {"x-forwarded-proto": "http, https", "x-forwarded-for": "192.0.2.7"}, "https"),
        ("x-forwarded-for", {"x-forwarded-proto": "gopher"}, "http"),
        ("forwarded", {"forwarded": "for=192.0.2.7;proto=https"}, "https"),
        ("forwarded", {"x-forwarded-proto": "https"}, "http"),
    ],
)
async def test_the_cookie_is_for_tls_only_when_the_proxy_was_asked_over_tls(
    world: World, header: ProxyHeader, headers: dict[str, str], scheme: str
) -> None:
    form = {"login": "olena", "password": "correct horse"}
    async with client_behind(world, header=header) as client:
        answer = await client.post("/signin", data=form, headers=headers)
    assert ("Secure" in answer.headers["set-cookie"]) is (scheme == "https")
    async with client_behind(world, peer="203.0.113.9", header=header) as client:
        answer = await client.post("/signin", data=form, headers=headers)
    assert "Secure" not in answer.headers["set-cookie"]
