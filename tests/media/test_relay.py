"""The relay's commands and reports, in this process: what a PBX that errs, dies or stops listening does to it."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kobza.media import relay as module
from kobza.media.frames import Frames, encode
from kobza.media.messages import (
    Command,
    Configure,
    Measure,
    Open,
    Opened,
    OpenFailed,
    Ping,
    Pong,
    Record,
    RecordingStopped,
    Release,
    Report,
    Reserve,
    Reserved,
    SideFlow,
    Take,
    Traffic,
    decode_report,
)
from kobza.media.plane import Side
from kobza.media.relay import Relay
from kobza.media.relay_call import RelayCall
from kobza.media.spool import END, read_header, read_records
from kobza.rtp.packet import RtpPacket
from tests.media.flows import flow_with
from tests.media.phone_end import HOST, PhoneEnd
from tests.support.ports import free_range
from tests.support.waiting import PATIENCE

CALLER, CALLEE = Side.CALLER, Side.CALLEE


class Told:
    """A relay at one end of a socket pair; we are at the other."""

    def __init__(self, relay: Relay, ours: socket.socket) -> None:
        self.relay = relay
        self.ours = ours
        self.frames = Frames()
        self.reports: list[Report] = []

    async def tell(self, *commands: Command) -> list[Report]:
        """Give commands; return what is reported until they are all carried out."""
        loop = asyncio.get_running_loop()
        for command in (*commands, Ping(99)):
            await loop.sock_sendall(self.ours, encode(command))
        async with asyncio.timeout(PATIENCE):
            while Pong(99) not in self.reports:
                data = await loop.sock_recv(self.ours, 4096)
                assert data
                self.reports += [decode_report(body) for body in self.frames.feed(data)]
        place = self.reports.index(Pong(99))
        reports, self.reports = self.reports[:place], self.reports[place + 1 :]
        return reports


@asynccontextmanager
async def told(timeout: float = 60.0) -> AsyncIterator[Told]:  # noqa: ASYNC109 - the relay's
    loop = asyncio.get_running_loop()
    ours, its = socket.socketpair()
    ours.setblocking(False)
    _, relay = await loop.create_unix_connection(lambda: Relay(loop, timeout), sock=its)
    end = Told(relay, ours)
    try:
        assert await end.tell() == [Pong(0)]
        yield end
    finally:
        await relay.stop()
        ours.close()


def flow(phone: PhoneEnd, **fields: object) -> SideFlow:
    values: dict[str, object] = {"rtp": (HOST, phone.port), "source": "relay", "tone_type": 8}
    return flow_with(**(values | fields))


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


async def test_reserved_ports_are_a_calls_at_once_without_what_came_before() -> None:
    ports = free_range(6)
    with PhoneEnd() as caller, PhoneEnd() as callee:
        async with told() as end:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind((HOST, ports[4]))
                reserved = await end.tell(Reserve(HOST, [ports[0], ports[2], ports[4]]))
            assert Reserved([ports[0], ports[2]], [ports[4]]) in reserved
            assert not is_free(ports[1])
            with PhoneEnd() as stranger:
                stranger.to = ports[0]
                stranger.send()
            taken = {CALLER: ports[0], CALLEE: ports[2]}
            assert await end.tell(Take("call", taken), Configure("call", flow(caller), flow(callee))) == []
            caller.to, callee.to = ports[0], ports[2]
            callee.send()
            await caller.hear(1)
            caller.send()
            (heard,) = await callee.hear(1)
            assert heard.ssrc == caller.ssrc
            assert await end.tell(Release("call")) == []
            assert is_free(ports[0])
            await end.tell(Reserve(HOST, [ports[0]]))
        assert is_free(ports[0])


async def test_a_port_that_was_never_reserved_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    ports = free_range(4)
    async with told() as end:
        await end.tell(Reserve(HOST, [ports[0]]))
        await end.tell(Take("call", {CALLER: ports[0], CALLEE: ports[2]}), Release("call"))
        assert caplog.messages == [f"port {ports[2]} was not reserved"]
        assert is_free(ports[0])


async def test_an_open_is_whole_or_not_at_all() -> None:
    ports = free_range(4)
    async with told() as end:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((HOST, ports[3]))
            (failed,) = await end.tell(Open(1, "call", HOST, {CALLER: ports[0], CALLEE: ports[2]}))
            assert isinstance(failed, OpenFailed)
            assert (failed.request, failed.port) == (1, ports[2])
            assert "in use" in failed.reason
            assert is_free(ports[0])
            assert is_free(ports[2])
        # Nothing of the call is left: it need not be released, and it can be opened.
        assert await end.tell(Release("call")) == []
        assert await end.tell(Open(2, "call", HOST, {CALLER: ports[0]})) == [Opened(2)]
        assert await end.tell(Open(3, "call", HOST, {CALLEE: ports[2]})) == [Opened(3)]
        assert await end.tell(Release("call")) == []
        assert is_free(ports[0])
        assert is_free(ports[2])


async def test_a_second_side_that_fails_leaves_the_first() -> None:
    ports = free_range(4)
    async with told() as end:
        assert await end.tell(Open(1, "call", HOST, {CALLER: ports[0]})) == [Opened(1)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((HOST, ports[2]))
            (failed,) = await end.tell(Open(2, "call", HOST, {CALLEE: ports[2]}))
            assert isinstance(failed, OpenFailed)
        assert not is_free(ports[0])
        assert await end.tell(Release("call")) == []
        assert is_free(ports[0])


async def test_an_unknown_call_harms_nothing(tmp_path: Path) -> None:
    async with told() as end:
        assert await end.tell(
            Configure("none", SideFlow(), SideFlow()), Release("none"), Record("none", "r", str(tmp_path / "a"))
        ) == [RecordingStopped("none", "r", str(tmp_path / "a"), "no such call")]


async def test_stopping_completes_recordings_and_frees_ports(tmp_path: Path) -> None:
    ports = free_range(2)
    async with told() as end:
        await end.tell(Open(1, "call", HOST, {CALLER: ports[0]}), Record("call", "r", str(tmp_path / "spool")))
    with (tmp_path / "spool").open("rb") as file:
        read_header(file)
        assert [record.kind for record in read_records(file)] == [END]
    assert is_free(ports[0])


async def test_a_tone_that_was_held_up_catches_up_a_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process stood still for a second: fifty packets at once would only fill the phone's buffer."""
    ports = free_range(2)
    async with told() as end:
        with PhoneEnd() as phone:
            await end.tell(
                Open(1, "call", HOST, {CALLER: ports[0]}), Configure("call", flow(phone, source="music"), SideFlow())
            )
            await phone.hear(2)
            end.relay._tone_due -= 1.0
            before = len(phone.packets)
            await phone.hear(module.TONE_CATCH_UP + 1)
            burst = phone.packets[before:]
            assert [packet.sequence for packet in burst] == [burst[0].sequence + n for n in range(len(burst))]
            # What was left out is left out of the tone as well: the next second goes on in time.
            assert len(phone.packets) - before < 25
            await end.tell(Configure("call", flow(phone, source="none"), SideFlow()))
            assert end.relay._playing == {}
            await asyncio.sleep(0.05)
            assert end.relay._tone_timer is None


async def test_a_call_that_ends_while_it_hears_a_tone() -> None:
    ports = free_range(4)
    async with told() as end:
        with PhoneEnd() as phone, PhoneEnd() as other:
            for name, one, port in (("a", phone, ports[0]), ("b", other, ports[2])):
                await end.tell(
                    Open(1, name, HOST, {CALLER: port}), Configure(name, flow(one, source="ringback"), SideFlow())
                )
            await asyncio.gather(phone.hear(1), other.hear(1))
            await end.tell(Release("a"))
            await other.hear(5)
            tones = [RtpPacket.parse(data) for data in other.datagrams]
            assert len({packet.ssrc for packet in tones}) == 1


async def test_a_pbx_that_reads_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REPORTS", 1000)
    async with told() as end:
        async with asyncio.timeout(PATIENCE):
            while not end.relay.ended.done():
                for number in range(2000):
                    end.relay._report(RecordingStopped("call", str(number), "x" * 100, ""))
                await asyncio.sleep(0)
        # What it says afterwards goes nowhere, and harms nothing.
        end.relay._report(Pong(1))


@pytest.mark.parametrize("how", ["shutdown", "close"])
async def test_a_pbx_that_goes_ends_it(how: str) -> None:
    async with told() as end:
        if how == "close":
            end.ours.close()
        else:
            end.ours.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(PATIENCE):
            await end.relay.ended
        end.relay.end()  # again is nothing
        end.relay.connection_lost(None)


async def test_what_is_moved_is_counted() -> None:
    ports = free_range(4)
    async with told(0.2) as end:  # looks at its calls every twentieth of a second
        with PhoneEnd(ssrc=1) as caller, PhoneEnd(ssrc=2) as callee:
            caller.to, callee.to = ports[0], ports[2]
            await end.tell(
                Open(1, "call", HOST, {CALLER: ports[0], CALLEE: ports[2]}),
                Configure("call", flow(caller), flow(callee)),
            )
            for number in range(20):
                if number in (5, 6):  # lost on the way
                    caller.sequence += 1
                    continue
                if number == 4:
                    await asyncio.sleep(0.2)  # losses count from the first look on
                heard = asyncio.create_task(callee.hear(1))
                await asyncio.sleep(0)
                caller.send()
                await heard
            await end.tell(Configure("call", flow(caller), flow(callee, source="none")))
            caller.send()
            await end.tell()
            caller.rtp.sendto(b"no RTP at all", (HOST, ports[0]))
            await asyncio.sleep(0.05)
            (traffic,) = [one for one in await end.tell(Release("call"), Measure()) if isinstance(one, Traffic)]
    assert (traffic.received, traffic.sent) == (19, 18)
    assert (traffic.received_bytes, traffic.sent_bytes) == (19 * 172, 18 * 172)
    assert (traffic.lost, traffic.dropped) == (2, 1)


async def test_packets_pass_while_calls_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """One look at all of many calls would hold up the packets of each, so the loop gets its turn in between."""
    monkeypatch.setattr(module, "SWEPT_AT_ONCE", 2)
    turns: list[str] = []

    def look(call: RelayCall, _now: float, _timeout: float) -> None:
        turns.append(call.call_id)

    def others() -> None:
        turns.append("packets")
        loop.call_soon(others)

    monkeypatch.setattr(RelayCall, "sweep", look)  # who asks is not compiled, and so finds this one
    loop = asyncio.get_running_loop()
    ports = free_range(10)
    names = [f"call-{number}" for number in range(5)]
    async with told(timeout=0.4) as end:
        for number, name in enumerate(names):
            assert await end.tell(Open(number, name, HOST, {CALLER: ports[2 * number]})) == [Opened(number)]
        turns.clear()
        others()
        async with asyncio.timeout(PATIENCE):
            while turns.count(names[0]) < 2:  # noqa: ASYNC110  a whole look, from one at the last to the next
                await asyncio.sleep(0)
    whole = turns[turns.index(names[0]) + 1 :]
    looked_at = [turn for turn in whole if turn != "packets"]
    assert sorted(looked_at) == names
    places = [whole.index(name) for name in looked_at]
    assert [b - a == 1 for a, b in itertools.pairwise(places)] == [True, False, True, False]
