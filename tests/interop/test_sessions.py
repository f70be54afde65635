"""Session timers (RFC 4028) and reliable provisional responses (RFC 3262), sipp as phone and as outside line."""

import pytest

from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.sipp import Line, Sipp

A = NUMBERS[0]
OUTSIDE = "0445550124"


@pytest.mark.database("sqlite")  # what is stored of a call's end is tried on both elsewhere
async def test_a_short_session_on_each_side(
    sipp: Sipp, kobza_server: Server, ledger: Ledger, lines: list[Line]
) -> None:
    """The outside line is refreshed by re-INVITE, as it takes no UPDATE; the phone keeps no promise and is given up."""
    port = kobza_server.site.trunk_port
    async with sipp.start("uas_refreshed", "-rtp_echo", port=port, seconds=3) as trunk:
        await sipp.run("uac_session", line=lines[0], dial=OUTSIDE, seconds=8)
        await trunk.success()
    outcome = await ledger.call(A, OUTSIDE, owners=(A,))
    outcome.has(cause=102, status=200, released_by="network")
    assert outcome.types(A) == ["established", "finished"]


@pytest.mark.database("sqlite")
async def test_reliable_early_media_on_both_sides(
    sipp: Sipp, kobza_server: Server, ledger: Ledger, lines: list[Line]
) -> None:
    """The outside line sends its announcement reliably, the phone requires that and offers anew in its PRACK."""
    async with sipp.start("uas_100rel", "-rtp_echo", port=kobza_server.site.trunk_port, pause_ms=300) as trunk:
        await sipp.run("uac_100rel", line=lines[0], dial=OUTSIDE, pause_ms=300)
        await trunk.success()
    outcome = await ledger.call(A, OUTSIDE, owners=(A,))
    outcome.has(cause=16, status=200, released_by="caller")
    assert outcome.types(A) == ["alerting", "established", "finished"]


@pytest.mark.database("sqlite")
async def test_a_late_offer_is_made_with_the_ringing(
    sipp: Sipp, kobza_server: Server, ledger: Ledger, lines: list[Line]
) -> None:
    """The phone makes no offer and requires reliable responses: ours is in the 180, its answer in the PRACK."""
    async with sipp.start("uas_answer", "-rtp_echo", port=kobza_server.site.trunk_port, pause_ms=300) as trunk:
        await sipp.run("uac_late_100rel", line=lines[0], dial=OUTSIDE, pause_ms=300)
        await trunk.success()
    outcome = await ledger.call(A, OUTSIDE, owners=(A,))
    outcome.has(cause=16, status=200, released_by="caller")
    assert outcome.types(A) == ["alerting", "established", "finished"]
