"""`kobza phone` as a process, at a registrar that a test steers: what it prints and how it ends."""

import asyncio
import re
import signal
import time

import pytest

from kobza.phone.command import parse_server
from kobza.phone.events import Detail, PhoneEvent, What
from kobza.phone.phone import SoftPhone
from kobza.phone.sound import Sound
from tests.phone.peer import Registrar
from tests.phone.terminal import Terminal, kobza_phone
from tests.support.ports import free_port
from tests.support.waiting import until

NUMBER, PASSWORD = "0671234567", "open sesame"


async def ended(registrar: Registrar, *options: str, as_json: bool = True) -> tuple[int, str, Terminal]:
    """Run the command to its own end; return its exit status and complaints."""
    async with kobza_phone(registrar.address, NUMBER, PASSWORD, *options, as_json=as_json) as terminal:
        return *await terminal.end(), terminal


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_it_waits_for_calls_until_it_is_stopped(stop: signal.Signals) -> None:
    async with Registrar(NUMBER, PASSWORD) as registrar:
        async with kobza_phone(registrar.address, NUMBER, PASSWORD, "--answer-after", "0.1") as terminal:
            await terminal.event("registered")
            (contact,) = registrar.registers[0].request.contacts
            address = contact.uri.host, contact.uri.port or 0
            async with SoftPhone("100", address, bind=("127.0.0.1", 0), sound=Sound.tone(440)) as caller:
                call = caller.dial(NUMBER)
                await call.established()
                heard = await terminal.event("tone_heard")
                assert abs(heard["hz"] - 440) <= 3
                terminal.process.send_signal(stop)
                assert await terminal.end() == (0, "")
                assert (await call.ended()).by == "peer"
        assert [event["event"] for event in terminal.events[-2:]] == ["ended", "unregistered"]
        assert registrar.registers[-1].request.get("Expires") == "0"


async def test_it_rejects() -> None:
    async with (
        Registrar(NUMBER, PASSWORD) as registrar,
        kobza_phone(registrar.address, NUMBER, PASSWORD, "--reject", "486") as terminal,
    ):
        await terminal.event("registered")
        (contact,) = registrar.registers[0].request.contacts
        address = contact.uri.host, contact.uri.port or 0
        async with SoftPhone("100", address, bind=("127.0.0.1", 0)) as caller:
            assert (await caller.dial(NUMBER).ended()).status == 486
        await terminal.event("ended")


async def test_a_call_that_is_refused_is_a_failure_and_words_are_for_people() -> None:
    async with Registrar(NUMBER, PASSWORD) as registrar:
        running = asyncio.create_task(ended(registrar, "--dial", "0991112233", as_json=False))
        await until(lambda: registrar.calls, "a call")
        registrar.calls[0].reject(486, headers=[("Reason", "Q.850;cause=17")], now=time.time())
        registrar.act()
        status, complaint, terminal = await running
    assert (status, complaint) == (1, "")
    times = re.sub(r"(?m)^\d\d:\d\d:\d\d\.\d\d\d  ", "", terminal.printed)
    server = "{}:{}".format(*registrar.address)
    assert times.splitlines() == [
        f"registered as {NUMBER} at {server} for 60 s",
        "calling 0991112233",
        "ended: 486 Busy Here (Q.850 cause 17)",
        "unregistered",
    ]


async def test_a_wrong_password_is_said_in_one_line() -> None:
    async with Registrar(NUMBER, "another") as registrar:
        status, complaint, _ = await ended(registrar)
    assert status == 1
    (line,) = complaint.splitlines()
    assert "wrong number or password" in line
    assert NUMBER in line


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_no_server_is_said_in_one_line_and_at_once(transport: str) -> None:
    server = ("127.0.0.1", free_port())
    async with kobza_phone(server, NUMBER, PASSWORD, "--transport", transport) as terminal:
        status, complaint = await terminal.end(within=10)
    assert status == 1
    (line,) = complaint.splitlines()
    assert f"127.0.0.1:{server[1]}" in line


async def test_a_name_that_is_unknown_is_said_in_one_line() -> None:
    async with kobza_phone(("no-such-host.invalid", 5060), NUMBER, PASSWORD) as terminal:
        status, complaint = await terminal.end()
    assert status == 1
    (line,) = complaint.splitlines()
    assert "no-such-host.invalid" in line


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--play", "tone:99999"), "tone"),
        (("--play", "/no/such/file.wav"), "file.wav"),
        (("--record", "/no/such/file.wav"), "no folder"),
        (("--transport", "sctp"), "sctp"),
        (("--transport", "tls"), "tls"),
        (("--reject", "200"), "reject"),
        (("--reject", "486", "--answer-after", "1"), "reject"),
    ],
)
async def test_what_makes_no_sense_is_said_and_ends_with_2(options: tuple[str, ...], word: str) -> None:
    async with kobza_phone(("127.0.0.1", 5060), NUMBER, PASSWORD, *options) as terminal:
        status, complaint = await terminal.end()
    assert status == 2
    assert word in complaint
    assert "Traceback" not in complaint


async def test_it_can_be_stopped_while_it_registers() -> None:
    async with Registrar(NUMBER, PASSWORD) as registrar:
        registrar.silent = True
        async with kobza_phone(registrar.address, NUMBER, PASSWORD) as terminal:
            await until(lambda: registrar.endpoint.counters.received, "a REGISTER")
            terminal.process.send_signal(signal.SIGINT)
            assert await terminal.end() == (0, "")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", ("127.0.0.1", 5060)),
        ("pbx.example:5070", ("pbx.example", 5070)),
        ("[::1]:5070", ("::1", 5070)),
        ("[2001:db8::1]", ("2001:db8::1", 5060)),
    ],
)
def test_servers(text: str, address: tuple[str, int]) -> None:
    assert parse_server(text) == address


@pytest.mark.parametrize("text", ["", ":5060", "host:", "host:0", "host:65536", "::1", "a b", "host:5060:1", "[::1"])
def test_what_is_no_server(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_server(text)


@pytest.mark.parametrize("what", What)
def test_every_event_has_a_line_for_people_and_one_for_programs(what: What) -> None:
    details: dict[str, Detail] = {
        "number": "1",
        "server": "s",
        "expires": 60,
        "peer": "2",
        "codec": "PCMA",
        "by": "peer",
        "status": 486,
    }
    event = PhoneEvent(1.0, what, 1, details | {"reason": "why", "hz": 440, "digit": "5", "name": "Оля"})
    assert str(event)
    assert "None" not in str(event)
    assert event.as_dict()["event"] == what.value
