"""Asterisk beside Kobza, where `make bench-peers` has installed it: a carrier, a PBX at a trunk, and a phone."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bench.asterisk_peer import running, version
from bench.rows import Unavailable
from kobza.phone.phone import SoftPhone
from kobza.phone.sound import Sound
from kobza.sip.flow import Address
from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.test_commands import Phones, hears, leg_of, made, other_hears_music
from tests.interop.test_trunks import Trunks
from tests.support.ports import free_port, free_range
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.database("sqlite")  # it is the wire that is tried
A, B, C, D = NUMBERS
CONFIGURATION = Path(__file__).parent / "asterisk"
EARLY, ECHO, DIGITS, BUSY, TRANSFERS = (f"0325550{number}" for number in range(101, 106))


@pytest.fixture
async def phones(kobza_server: Server) -> AsyncIterator[Phones]:
    async with made(kobza_server) as phones:
        yield phones


@pytest.fixture
def trunks(kobza_server: Server) -> Iterator[Trunks]:
    made = Trunks(kobza_server)
    yield made
    made.clear()


@pytest.fixture
async def asterisk(kobza_server: Server, trunks: Trunks) -> AsyncIterator[Address]:
    """Where Asterisk speaks SIP: Kobza is registered there, and it registers as the phone of D."""
    try:
        version()
    except Unavailable as error:
        pytest.skip(str(error))
    site, port, rtp = kobza_server.site, free_port(), free_range(40)
    values = {"SIP": str(port), "KOBZA": str(site.sip_port), "RTP": str(rtp.start), "RTP_END": str(rtp.stop - 1)}
    values |= {"NUMBER": D, "PASSWORD": site.lines[D].password, "COLLEAGUE": B}
    async with running(CONFIGURATION, "kobza-test", port, values):
        account = ("--register", "--username", "office", "--password", "open sesame", "--expires", "60")
        trunks.add("asterisk", port, *account, "--format", "national")
        await trunks.until("asterisk", state="up", registration="registered")
        yield "127.0.0.1", port


async def test_asterisk_as_carrier_as_pbx_and_as_phone(phones: Phones, ledger: Ledger, asterisk: Address) -> None:
    """One after the other, as it takes long to start."""
    c = await phones.at(C, 660)
    await calls_out(phones, c, ledger)
    await calls_in(c, ledger, asterisk)
    await is_a_phone(phones, c, ledger)


async def calls_out(phones: Phones, c: SoftPhone, ledger: Ledger) -> None:
    """Early media, sound both ways, digits both ways, hold, busy, and a REFER that is not for strangers to send."""
    call = c.dial(EARLY)
    await hears(call, 620)
    await call.established()
    await hears(call, 440)
    call.hang_up()
    (await ledger.call(C, EARLY, owners=(C,))).has(cause=16, status=200, released_by="caller")

    call = c.dial(ECHO)
    await call.established()
    await hears(call, 660)
    await call.hold()
    await call.resume()
    await hears(call, 660)
    call.hang_up()
    await ledger.call(C, ECHO, owners=(C,))

    call = c.dial(DIGITS)
    await call.established()
    leg = await leg_of(phones, ledger, C)
    body = {"call_control_id": leg, "action": "dtmf", "digits": "142"}
    await asyncio.to_thread(phones.server.post, "/v1/callcontrol", body)
    await until(lambda: call.digits == "142", "the digits back")
    call.hang_up()
    await ledger.call(C, DIGITS, owners=(C,))

    assert (await c.dial(BUSY).ended()).cause == 17
    (await ledger.call(C, BUSY)).has(cause=17, status=486, released_by="called")

    call = c.dial(TRANSFERS)
    await call.established()
    await hears(call, 880)  # what Asterisk plays when its REFER was refused
    call.hang_up()
    await ledger.call(C, TRANSFERS, owners=(C,))


async def calls_in(c: SoftPhone, ledger: Ledger, asterisk: Address) -> None:
    """A phone of that PBX calls in by the trunk, holds, and hangs up."""
    async with SoftPhone("desk", asterisk, password="desk", sound=Sound.tone(990)) as desk:
        call = desk.dial(C)
        answered = await c.incoming()
        answered.answer()
        await call.established()
        await hears(call, 660)
        await hears(answered, 990)
        await call.hold()
        await other_hears_music(answered)
        await call.resume()
        await hears(answered, 990)
        call.hang_up()
        await answered.ended()
    row = await ledger._row("desk", C, PATIENCE)
    assert (row["direction"], row["cause"], row["released_by"]) == ("incoming", 16, "caller")


async def is_a_phone(phones: Phones, c: SoftPhone, ledger: Ledger) -> None:
    """Asterisk answers as D, and transfers whoever calls to a colleague by REFER."""
    b = await phones.at(B, 880, answer_after=0.2)
    await until(lambda: phones.server.status_of(D) == "available", "the registration of Asterisk")
    call = c.dial(D)
    await call.established()
    await hears(call, 440)
    await hears(call, 880)
    (taken,) = b.calls
    await hears(taken, 660)
    call.hang_up()
    await taken.ended()
    row = await ledger._row(C, D, PATIENCE)
    assert (row["answered_number"], row["cause"], row["released_by"]) == (B, 16, "caller")
