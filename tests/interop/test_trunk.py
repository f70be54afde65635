"""The outside line, played by sipp: calls that come in over it and go out."""

import socket

import pytest

from kobza.sip.message import SipRequest, SipResponse, parse_message
from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.sipp import Line, Sipp
from tests.support.waiting import PATIENCE

A, B = NUMBERS[:2]
OUTSIDE = "0445550123"


async def test_a_call_from_outside(sipp: Sipp, kobza_server: Server, ledger: Ledger, lines: list[Line]) -> None:
    keys = ("-key", "caller", OUTSIDE)
    async with sipp.phone(lines[1], "uas_answer", "-rtp_echo", pause_ms=300) as phone:
        await sipp.run("trunk_in", *keys, dial=B, port=kobza_server.site.trunk_port, pause_ms=700)
        await phone.success()
        assert OUTSIDE in phone.messages.split("From:", 1)[1].split("\n", 1)[0]
    outcome = await ledger.call(OUTSIDE, B, owners=(B,))
    outcome.has(cause=16, status=200, released_by="caller")
    assert outcome.row["direction"] == "incoming"
    assert outcome.types(B) == ["alerting", "established", "finished"]


async def test_an_unknown_number_called_from_outside(sipp: Sipp, kobza_server: Server) -> None:
    keys = ("-key", "caller", OUTSIDE)
    port = kobza_server.site.trunk_port
    await sipp.run("trunk_in_refused", *keys, dial="0671119999", port=port, status=404, cause=1)


async def test_a_stranger_does_not_get_in_without_a_password(sipp: Sipp, lines: list[Line]) -> None:
    """From another port than the trunk's it is a phone, and a phone has to say who it is."""
    keys = ("-key", "caller", OUTSIDE)
    with pytest.raises(AssertionError, match=r"401|407|403"):
        await sipp.run("trunk_in", *keys, dial=B)


async def test_a_call_to_the_outside(sipp: Sipp, kobza_server: Server, ledger: Ledger, lines: list[Line]) -> None:
    port = kobza_server.site.trunk_port
    async with sipp.start("uas_answer", "-rtp_echo", port=port, pause_ms=300) as trunk:
        await sipp.run("uac_call", line=lines[0], dial=OUTSIDE, pause_ms=700)
        await trunk.success()
        invite = trunk.messages.split("INVITE ", 1)[1]
    assert invite.split("@", 1)[0].endswith(OUTSIDE[1:])
    assert A[1:] in invite.split("From:", 1)[1].split("\n", 1)[0]
    outcome = await ledger.call(A, OUTSIDE, owners=(A,))
    outcome.has(cause=16, status=200, released_by="caller")
    assert outcome.row["direction"] == "outgoing"
    assert outcome.types(A) == ["alerting", "established", "finished"]


@pytest.mark.parametrize(
    ("line", "status", "cause", "released_by"),
    [("486 Busy Here", 486, 17, "called"), ("404 Not Found\n    Reason: Q.850;cause=3", 404, 3, "network")],
    ids=["busy", "cause"],
)
async def test_the_outside_refuses(
    sipp: Sipp,
    kobza_server: Server,
    ledger: Ledger,
    lines: list[Line],
    line: str,
    status: int,
    cause: int,
    released_by: str,
) -> None:
    async with sipp.start("uas_refuses", port=kobza_server.site.trunk_port, pause_ms=100, status_line=line) as trunk:
        await sipp.run("uac_refused", line=lines[0], dial=OUTSIDE, status=status, cause=cause)
        await trunk.success()
    outcome = await ledger.call(A, OUTSIDE, owners=(A,))
    outcome.has(cause=cause, status=status, released_by=released_by)


def test_who_names_the_address_of_a_trunk_is_not_that_trunk(kobza_server: Server) -> None:
    """The Contact says where to send; whose a call is, is told by where it comes from."""
    site = kobza_server.site
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.settimeout(PATIENCE)
        stranger.bind(("127.0.0.1", 0))
        port = stranger.getsockname()[1]
        invite = SipRequest.create(
            "INVITE",
            f"sip:{B}@127.0.0.1:{site.sip_port}",
            [
                ("Via", f"SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKstranger;rport"),
                ("Max-Forwards", "70"),
                ("From", "<sip:0445550199@127.0.0.1>;tag=1"),
                ("To", f"<sip:{B}@127.0.0.1>"),
                ("Call-ID", "a-stranger"),
                ("CSeq", "1 INVITE"),
                ("Contact", f"<sip:0445550199@127.0.0.1:{site.trunk_port}>"),
            ],
        )
        stranger.sendto(invite.to_bytes(), site.sip)
        answer = parse_message(stranger.recv(4096))
    assert isinstance(answer, SipResponse)
    assert answer.status == 407
