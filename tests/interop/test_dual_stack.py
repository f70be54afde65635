"""IPv6 beside IPv4 in one office: phones of each family and a trunk on IPv6 call each other, and hear each other."""

from pathlib import Path

import pytest

from kobza.phone.call import PhoneCall
from kobza.phone.phone import SoftPhone
from kobza.phone.sound import Sound
from tests.interop.conftest import NUMBERS
from tests.interop.server import Site
from tests.support.ports import free_port, has_ipv6
from tests.support.waiting import PATIENCE, until

A, B = NUMBERS[:2]
OUTSIDE = "0325550123"
SIX, FOUR = "::1", "127.0.0.1"


async def hear_each_other(one: PhoneCall, other: SoftPhone, sent: int, received: int) -> None:
    """A socket of one family sends nothing to the other: a tone that arrives went to an address of the phone's own."""
    await one.established(PATIENCE)
    call = other.calls[-1]
    await until(lambda: one.heard_tone() == pytest.approx(received, abs=5), f"{received} Hz")
    await until(lambda: call.heard_tone() == pytest.approx(sent, abs=5), f"{sent} Hz")


@pytest.mark.database("sqlite")  # nothing of it is stored
@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_phones_and_trunks_of_both_families(tmp_path: Path, new_site: Site) -> None:
    site = new_site.copy(tmp_path / "kobza", KOBZA_RTP_HOST6=SIX)
    port = free_port(SIX)
    site.prepare("trunk", "add", "six", "--host", SIX, "--port", str(port), "--prefix", "032", "--json")
    server = site.start()

    def phone(number: str, host: str, hz: int) -> SoftPhone:
        password = site.lines[number].password
        sound = Sound.tone(hz)
        return SoftPhone(number, (host, site.sip_port), password=password, sound=sound, answer_after=0.0)

    outside = SoftPhone(OUTSIDE, (SIX, site.sip_port), bind=(SIX, port), sound=Sound.tone(990), answer_after=0.0)
    try:
        async with phone(A, SIX, 440) as six, phone(B, FOUR, 660) as four, outside:
            for caller, called, dialled, sent, received in (
                (six, four, B, 440, 660),
                (four, six, A, 660, 440),
                (four, outside, OUTSIDE, 660, 990),
                (six, outside, OUTSIDE, 440, 990),
            ):
                call = caller.dial(dialled)
                await hear_each_other(call, called, sent, received)
                await call.hold(PATIENCE)
                await call.resume(PATIENCE)
                call.hang_up()
                await call.ended(PATIENCE)
            call = outside.dial(B, caller=OUTSIDE)  # in by the trunk's address
            await hear_each_other(call, four, 990, 660)
        server.assert_no_errors()
    finally:
        server.stop()
