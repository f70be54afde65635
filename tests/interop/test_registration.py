"""sipp registers as a phone does; and what comes to the SIP port that is no phone at all."""

import asyncio
import random
import socket

import pytest

from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.sipp import Line, Sipp
from tests.support.ports import free_port


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
async def test_a_phone_registers_with_digest_and_leaves(
    sipp: Sipp, kobza_server: Server, lines: list[Line], tcp: bool
) -> None:
    number = NUMBERS[2]
    assert kobza_server.status_of(number) == "unavailable"
    port = free_port()
    await sipp.register(lines[2], port, tcp=tcp)
    if not tcp:  # the phone of a closed connection cannot be reached, and need not be called available
        assert kobza_server.status_of(number) == "available"
    await sipp.register(lines[2], port, expires=0, tcp=tcp)
    assert kobza_server.status_of(number) == "unavailable"


async def test_a_wrong_password_is_refused(sipp: Sipp, kobza_server: Server) -> None:
    wrong = Line(NUMBERS[2], "guessed")
    keys = ("-key", "cport", str(free_port()), "-key", "expires", "60")
    await sipp.run("register_refused", *keys, line=wrong)
    await sipp.run("register_refused", *keys, line=Line("0991234567", "of nobody"))
    assert kobza_server.status_of(NUMBERS[2]) == "unavailable"


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
async def test_options_say_what_is_understood(sipp: Sipp, lines: list[Line], tcp: bool) -> None:
    await sipp.run("options", line=lines[0], tcp=tcp)


async def test_rubbish_on_the_wire_harms_no_call(
    sipp: Sipp, kobza_server: Server, ledger: Ledger, lines: list[Line]
) -> None:
    chance = random.Random(4475)
    whole = (
        b"INVITE sip:0671110002@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\r\n"
        b"From: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: rubbish\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, socket.socket() as stream:
        stream.connect(kobza_server.site.sip)
        async with sipp.phone(lines[1], "uas_answer", "-rtp_echo", pause_ms=200) as phone:
            async with sipp.start("uac_call", line=lines[0], dial=NUMBERS[1], pause_ms=1500) as caller:
                for _ in range(300):
                    broken = bytearray(whole)
                    for _ in range(chance.randrange(1, 12)):
                        broken[chance.randrange(len(broken))] = chance.randrange(256)
                    sock.sendto(broken, kobza_server.site.sip)
                    sock.sendto(chance.randbytes(chance.randrange(1, 1400)), kobza_server.site.sip)
                    await asyncio.sleep(0.002)
                stream.sendall(b"\x16\x03\x01\x02\x00 this is TLS, or so")
                await caller.success()
            await phone.success()
    outcome = await ledger.call(NUMBERS[0], NUMBERS[1], owners=NUMBERS[:2])
    outcome.has(cause=16, status=200, released_by="caller")
    assert outcome.row["call_duration"] >= 1
