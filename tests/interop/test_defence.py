"""A server on a network where nobody is trusted: floods, guesses and mirrors, and the phones that go on meanwhile."""

import asyncio
import json
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.flood import ATTACKER, MIXED, bad_request, flood
from bench.hostile import NOBODY_TRUSTED, Phone, Seen
from tests.interop.conftest import NUMBERS
from tests.interop.scrape import Scrape
from tests.interop.server import Server, Site
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.database("sqlite")

A, B, C, D = NUMBERS
GUESSES = 3
LONG = b"\r\nX-Filling: " + b"x" * 400 + b"\r\nExpires"
"""Makes a message as long as those of phones, so that its answer is no longer than it is."""
MESSAGES = Path(__file__).parents[1] / "sip"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, new_site: Site) -> Iterator[Server]:
    settings = {"KOBZA_SIP_NEVER_BAN": NOBODY_TRUSTED, "KOBZA_RATE_SIP_GUESSES": f"{GUESSES}/600"}
    running = new_site.copy(tmp_path_factory.mktemp("defended") / "kobza", **settings).start()
    yield running
    running.stop()


async def phone(server: Server, number: str, host: str = "127.0.0.1", password: str = "") -> Phone:
    made = Phone(number, server.site.sip, host, password or server.site.lines[number].password)
    await made.start()
    return made


def refused(server: Server, reason: str) -> float:
    return Scrape(server).sample("kobza_sip_refused_total", reason=reason)


async def test_calls_are_set_up_and_heard_in_a_flood(server: Server) -> None:
    """Also a phone that was never there before registers, though made-up senders have used all that strangers share."""
    seen, said = Seen(), len(server.log)
    caller, called, newcomer = await phone(server, A), await phone(server, B), await phone(server, C, "127.0.3.1")
    for each in (caller, called):
        await each.register()
    attack = asyncio.create_task(asyncio.to_thread(flood, server.site.sip, 3.0, 3000, 1500, MIXED))
    await asyncio.sleep(0.5)
    async with asyncio.TaskGroup() as group:
        group.create_task(newcomer.register())
        for _ in range(5):
            group.create_task(caller.call(called.name, 0.4, seen, called))
            await asyncio.sleep(0.4)
    assert await attack > 1000
    assert (seen.begun, seen.failed, len(seen.setups)) == (5, 0, 5)
    assert all(silence < 0.4 for silence in seen.silences), "something was heard in each"
    for each in (caller, called, newcomer):
        await each.close()
    assert await asyncio.to_thread(refused, server, "flood") > 500
    log = server.log[said:]
    assert log.count(f"{ATTACKER} sends more SIP than a stranger may") == 1
    assert "is banned" not in log, "who has answered no challenge may have made its address up"


async def test_who_guesses_is_banned_until_somebody_lifts_it(server: Server) -> None:
    guesser, owner = await phone(server, D, "127.0.5.1", "guessed"), await phone(server, D, "127.0.5.1")
    for _ in range(GUESSES + 1):
        assert await guesser.try_to_register() == 401
    waiting = asyncio.create_task(owner.try_to_register())
    for _ in range(100):
        (ban,) = json.loads(server.site.prepare("bans", "list", "--json"))["bans"] or [None]
        if ban is not None:
            break
        await asyncio.sleep(0.1)
    assert ban["address"] == "127.0.5.1"
    assert (ban["by"], ban["times"]) == ("kobza", 1)
    assert not waiting.done()
    server.site.prepare("bans", "remove", "127.0.5.1")
    assert await waiting == 200, "the REGISTER was sent again until it was heard"
    assert server.log.count("127.0.5.1 is banned for 10 min (no. 1)") == 1
    for each in (guesser, owner):
        await each.close()


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_a_scanner_hears_nothing(server: Server, method: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as scanner:
        scanner.settimeout(PATIENCE)
        scanner.bind(("127.0.7.1", 0))
        ordinary = bad_request(method, 8, "127.0.7.1").replace(b"\r\nExpires", LONG)
        own_word = ordinary.replace(b"\r\nExpires", b"\r\nUser-Agent: friendly-scanner\r\nExpires")
        scanner.sendto(own_word, server.site.sip)
        assert not select.select([scanner], [], [], 0.3)[0]
        scanner.sendto(ordinary, server.site.sip)
        assert scanner.recv(65_535).startswith(b"SIP/2.0 40"), "who does not say so is asked for a password"


@pytest.mark.parametrize("folder", ["torture", "captured"])
def test_nobody_is_sent_more_than_came_from_there(server: Server, folder: str) -> None:
    """Messages of RFC 4475 and of real phones, from an address that proves nothing and acknowledges nothing."""
    went = came = answers = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mirror:
        mirror.bind((f"127.0.6.{len(folder)}", 5060))  # where answers without rport go
        for message in sorted((MESSAGES / folder).glob("*.dat")):
            data = message.read_bytes()
            mirror.sendto(data, server.site.sip)
            went += len(data)
            while select.select([mirror], [], [], 0.03)[0]:
                came += len(mirror.recv(65_535))
                answers += 1
                assert came <= went, message.name
        while select.select([mirror], [], [], 0.7)[0]:  # what is repeated, T1 later
            came += len(mirror.recv(65_535))
            assert came <= went
    assert answers > 2
