"""One side in the relay by itself, with sockets but without a process: whom it believes, and what it changes."""

import asyncio
import gc
import socket
from pathlib import Path

import pytest

from kobza.media import tones
from kobza.media.outgoing import Outgoing
from kobza.media.port_pair import PortPair
from kobza.media.relay_side import RelaySide
from kobza.media.rtcp_port import RtcpPort
from kobza.media.rtp_port import RtpPort
from kobza.media.side_count import SideCount
from kobza.rtp.g711 import Law
from kobza.rtp.packet import HEADER_BYTES, RtpPacket
from tests.media.flows import flow_with
from tests.media.phone_end import HOST, REPORT
from tests.media.relayed import CALLEE, CALLER, Stack, both_ways, running
from tests.support.waiting import PATIENCE


async def test_the_named_address_is_believed_at_any_time(stack: Stack) -> None:
    """Another phone took over (the stream moved), and the description says where it is."""
    relayed = await running(stack)
    relayed.callee.to = relayed.other.to = relayed.ports[2]
    relayed.configure(callee=relayed.flow(relayed.other))
    # Heard of first from elsewhere: from where it comes is where it is.
    await both_ways(relayed)
    # Then the one that was named begins to send.
    await both_ways(relayed, relayed.other)
    assert relayed.dropped == 0


async def test_late_packets_of_the_phone_before_do_not_count(stack: Stack) -> None:
    relayed = await running(stack)
    await both_ways(relayed)
    relayed.configure(callee=relayed.flow(relayed.other))
    relayed.callee.send()
    await relayed.until_dropped(1)
    await both_ways(relayed, relayed.other)
    # After a while it may be that the phone is where it was.
    relayed.configure()
    relayed.call.sides[CALLEE]._latch._shunned_until = 0.0
    await both_ways(relayed, relayed.other)


async def test_packets_faster_than_the_answer_are_of_the_phone_that_is_named(stack: Stack) -> None:
    """The first packets come before the 200 that names another of the phone's addresses: nothing may get lost."""
    relayed = await running(stack, open_sides=False)
    relayed.call.open(CALLER, PortPair(HOST, relayed.ports[0]))
    relayed.call.open(CALLEE, PortPair(HOST, relayed.ports[2]))
    relayed.configure(callee=flow_with(source="relay"))
    await both_ways(relayed)
    relayed.configure(callee=relayed.flow(relayed.callee, rtp=("127.0.0.9", 9)))
    await both_ways(relayed)
    assert relayed.dropped == 0


async def test_the_port_that_is_named_again_is_believed_at_once(stack: Stack) -> None:
    """A phone that was heard renames its host, or comes back from a hold by 0.0.0.0."""
    relayed = await running(stack)
    await both_ways(relayed)
    relayed.configure(callee=relayed.flow(relayed.callee, rtp=("127.0.0.9", relayed.callee.port)))
    await both_ways(relayed)
    relayed.configure(callee=relayed.flow(relayed.callee, rtp=None))
    relayed.configure(callee=relayed.flow(relayed.callee, rtp=("127.0.0.9", relayed.callee.port)))
    await both_ways(relayed)
    assert relayed.dropped == 0


async def test_reports_come_from_the_phones_host_only(stack: Stack) -> None:
    relayed = await running(stack)
    relayed.configure(callee=relayed.flow(relayed.callee, rtcp=("127.0.0.3", 9)))
    await both_ways(relayed)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        stranger.sendto(REPORT, (HOST, relayed.ports[3]))
        await relayed.until_dropped(1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as named:
            named.bind(("127.0.0.3", 0))
            # The host that was named for reports, whichever port.
            named.sendto(REPORT, (HOST, relayed.ports[3]))
            await relayed.until_dropped(2)
    relayed.callee.rtcp.sendto(REPORT, (HOST, relayed.ports[3]))
    await relayed.caller.wait(lambda: relayed.caller.reports == [REPORT])


async def test_reports_on_the_one_port_come_from_the_phone(stack: Stack) -> None:
    relayed = await running(stack)
    relayed.configure(callee=relayed.flow(relayed.callee, mux=True))
    await both_ways(relayed)
    relayed.other.rtp.sendto(REPORT, (HOST, relayed.ports[2]))
    await relayed.until_dropped(1)
    assert relayed.caller.reports == []
    relayed.callee.rtp.sendto(REPORT, (HOST, relayed.ports[2]))
    await relayed.caller.wait(lambda: relayed.caller.reports == [REPORT])


async def test_junk_is_counted_and_goes_nowhere(stack: Stack) -> None:
    relayed = await running(stack)
    await both_ways(relayed)
    for junk in (b"", b"x", bytes(12), b"\x80\xc9", b"\xc0" * 20):
        relayed.caller.rtp.sendto(junk, (HOST, relayed.ports[0]))
        relayed.caller.rtcp.sendto(junk, (HOST, relayed.ports[1]))
    await relayed.until_dropped(10)
    await both_ways(relayed)
    assert relayed.callee.reports == []
    assert len(relayed.callee.datagrams) == 2


async def test_what_cannot_be_sent_is_dropped_and_the_next_tried(stack: Stack) -> None:
    relayed = await running(stack)
    nowhere = ("255.255.255.255", 9)  # a broadcast, which a socket must not send unless it asked for it
    relayed.configure(callee=relayed.flow(relayed.callee, rtp=nowhere, rtcp=nowhere))
    relayed.caller.send()
    await relayed.until_dropped(1)
    relayed.caller.rtcp.sendto(REPORT, (HOST, relayed.ports[1]))
    await relayed.until_dropped(2)
    relayed.configure(callee=relayed.flow(relayed.callee, rtp=nowhere, rtcp=nowhere, source="music"))
    relayed.call.sides[CALLEE].outgoing.send_tone(tones.music(Law.A))
    assert relayed.dropped == 3
    relayed.configure()
    relayed.caller.send()
    await relayed.callee.hear(1)
    assert relayed.dropped == 3


async def test_until_the_other_side_is_there_nothing_is_relayed(stack: Stack) -> None:
    relayed = await running(stack, open_sides=False)
    relayed.call.open(CALLER, PortPair(HOST, relayed.ports[0]))
    relayed.call.configure(relayed.flow(relayed.caller), flow_with(source="relay"))
    side = relayed.call.sides[CALLER]

    async def say_something() -> None:
        sent = relayed.caller.send()
        side.rtcp.heard = None
        relayed.caller.rtcp.sendto(REPORT, (HOST, relayed.ports[1]))
        async with asyncio.timeout(PATIENCE):
            while (side.rtp.heard or b"")[:HEADER_BYTES] != sent[:HEADER_BYTES] or side.rtcp.heard is None:  # noqa: ASYNC110 - it goes nowhere
                await asyncio.sleep(0.005)

    await say_something()
    relayed.call.open(CALLEE, PortPair(HOST, relayed.ports[2]))
    # The other side is there but nobody knows where its phone is.
    relayed.call.configure(relayed.flow(relayed.caller), flow_with(source="relay"))
    await say_something()
    relayed.call.sides[CALLEE].outgoing.send_tone(tones.music(Law.A))
    relayed.configure()
    await both_ways(relayed)
    assert relayed.dropped == 0
    assert len(relayed.callee.datagrams) == 1


async def test_payload_types_are_renamed_in_a_stream_that_is_numbered_here(stack: Stack) -> None:
    relayed = await running(stack)
    relayed.configure(caller=relayed.flow(relayed.caller, renamed={101: 96}))
    await both_ways(relayed)
    relayed.callee.send(b"\x01\x0a\x00\xa0", payload_type=101)
    await relayed.caller.wait(lambda: len(relayed.caller.datagrams) == 2)
    relayed.configure(caller=relayed.flow(relayed.caller, renamed={101: 96}, source="music"))
    relayed.call.sides[CALLER].outgoing.send_tone(tones.music(Law.A))
    await relayed.caller.wait(lambda: len(relayed.caller.datagrams) == 3)
    relayed.configure(caller=relayed.flow(relayed.caller, renamed={101: 96}))
    relayed.callee.send(b"\x01\x0a\x00\xa0", payload_type=101)
    await relayed.caller.wait(lambda: len(relayed.caller.datagrams) == 4)
    packets = relayed.caller.packets
    assert [packet.payload_type for packet in packets] == [8, 96, 8, 96]
    assert {packet.ssrc for packet in packets} == {2}
    first = packets[0].sequence
    assert [packet.sequence for packet in packets] == [first + index for index in range(4)]
    # Without renaming it still is numbered here: the stream goes on.
    relayed.configure()
    relayed.callee.send()
    await relayed.caller.wait(lambda: len(relayed.caller.datagrams) == 5)
    assert relayed.caller.packets[-1].sequence == first + 4


async def test_a_side_opened_again_takes_the_place_of_the_first(stack: Stack) -> None:
    relayed = await running(stack)
    relayed.call.open(CALLEE, PortPair(HOST, relayed.ports[4]))
    relayed.configure()
    relayed.callee.to = relayed.ports[4]
    await both_ways(relayed)
    relayed.call.release()
    for port in relayed.ports[0], relayed.ports[2], relayed.ports[4]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind((HOST, port))


def parts() -> list[object]:
    """Return all parts of calls that there are in this process."""
    return [
        each for each in gc.get_objects() if isinstance(each, RelaySide | RtcpPort | Outgoing | SideCount | RtpPort)
    ]


async def test_a_call_that_is_over_gives_its_memory_back_without_the_collector(stack: Stack) -> None:
    others = parts()  # of tests before, which something may hold
    relayed = await running(stack)
    # All that a side may have is made: what is changed on the way, tones, digits and counts.
    relayed.configure(
        caller=relayed.flow(relayed.caller, muted=True, keys=101),
        callee=relayed.flow(relayed.callee, renamed={101: 96}),
    )
    relayed.call.sides[CALLER].outgoing.send_tone(tones.music(Law.A))
    relayed.callee.send()
    await relayed.caller.hear(1)
    relayed.callee.rtcp.sendto(REPORT, (HOST, relayed.ports[3]))
    await relayed.caller.wait(lambda: relayed.caller.reports == [REPORT])
    relayed.call.sweep(0.0, 1.0)
    gc.collect()
    gc.disable()
    try:
        relayed.call.release()
        known = {id(each) for each in others}
        assert [each for each in parts() if id(each) not in known] == []
    finally:
        gc.enable()


@pytest.mark.parametrize("taken", [0, 1])
async def test_a_side_that_cannot_have_both_ports_has_none(stack: Stack, taken: int) -> None:
    relayed = await running(stack, open_sides=False)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, relayed.ports[taken]))
        with pytest.raises(OSError, match="in use"):
            relayed.call.open(CALLER, PortPair(HOST, relayed.ports[0]))
    relayed.call.open(CALLER, PortPair(HOST, relayed.ports[0]))


async def test_a_recording_follows_a_side_that_comes_later(stack: Stack, tmp_path: Path) -> None:
    relayed = await running(stack, open_sides=False)
    relayed.call.open(CALLER, PortPair(HOST, relayed.ports[0]))
    relayed.call.record(tmp_path / "spool", "r")
    relayed.call.open(CALLEE, PortPair(HOST, relayed.ports[2]))
    assert relayed.call.sides[CALLEE].rtp.spool is relayed.call.sides[CALLER].rtp.spool is not None
    relayed.call.stop_recording("r")
    relayed.call.stop_recording("r")
    assert relayed.call.sides[CALLEE].rtp.spool is None


async def test_a_look_at_an_empty_socket_is_nothing(stack: Stack) -> None:
    """What made the socket readable may be gone: a datagram whose checksum was wrong."""
    relayed = await running(stack)
    side = relayed.call.sides[CALLER]
    side.rtp.readable()
    side.rtcp.readable()
    assert (side.rtp.heard, side.rtcp.heard, relayed.dropped) == (None, None, 0)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
async def test_phones_with_an_ipv6_address(stack: Stack) -> None:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    relayed = await running(stack, open_sides=False)
    phones = []
    for _ in range(2):
        phone = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        phone.bind(("::1", 0))
        phone.setblocking(False)
        phones.append(phone)
    ports = [phone.getsockname()[1] for phone in phones]
    relayed.call.open(CALLER, PortPair("::1", relayed.ports[0]))
    relayed.call.open(CALLEE, PortPair("::1", relayed.ports[2]))
    flows = [relayed.flow(relayed.caller, rtp=("::1", port), rtcp=("::1", port + 1)) for port in ports]
    relayed.configure(*flows)
    packet = RtpPacket(8, 1, 160, 7, b"\xd5" * 160).to_bytes()
    loop = asyncio.get_running_loop()
    for sender, receiver, to in ((0, 1, 0), (1, 0, 2)):
        phones[sender].sendto(packet, ("::1", relayed.ports[to]))
        async with asyncio.timeout(PATIENCE):
            assert await loop.sock_recv(phones[receiver], 2048) == packet
    assert relayed.dropped == 0
