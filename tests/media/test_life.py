"""Dead media, dead processes, ports."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from kobza.media import embedded
from kobza.media.embedded import EmbeddedPlane
from kobza.media.plane import MediaError, MediaPlaneLost, MediaTimedOut, RecordingClosed, Side
from kobza.media.port_stock import STOCK
from kobza.media.spool import header_of
from tests.media.phone_end import HOST, REPORT, PhoneEnd
from tests.media.planes import CALL, StartPlane, running_plane
from tests.support.ports import free_range
from tests.support.waiting import PATIENCE

SILENCE = 0.6


async def test_a_side_that_falls_silent_is_told_once(start_plane: StartPlane) -> None:
    async with start_plane(silence=SILENCE) as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            await running.connect(caller, callee)
            caller.talk()
            assert await running.event(MediaTimedOut) == MediaTimedOut(CALL, Side.CALLEE)
            caller.hush()
            await asyncio.sleep(3 * SILENCE)
            assert len(running.events) == 1


async def test_a_call_without_any_packet_is_left_alone(start_plane: StartPlane) -> None:
    async with start_plane(silence=SILENCE) as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            await running.connect(caller, callee)
            await asyncio.sleep(3 * SILENCE)
            assert running.events == []


async def test_reports_alone_are_life(start_plane: StartPlane) -> None:
    async with start_plane(silence=SILENCE) as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            await running.connect(caller, callee)
            for _ in range(12):
                caller.send()
                callee.rtcp.sendto(REPORT, (HOST, callee.to + 1))
                await asyncio.sleep(SILENCE / 4)
            assert running.events == []


@pytest.mark.parametrize("direction", ["sendonly", "inactive", "recvonly"])
async def test_a_side_on_hold_may_be_silent(direction: str, start_plane: StartPlane) -> None:
    async with start_plane(silence=SILENCE) as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            await running.connect(caller, callee)
            callee.talk()
            caller.send()
            await running.reoffer(Side.CALLER, caller.sdp(direction=direction))
            await asyncio.sleep(3 * SILENCE)
            assert running.events == []
            # After the resume it has to send again, from then on.
            await running.reoffer(Side.CALLER, caller.sdp())
            await running.settle()
            assert running.events == []
            assert await running.event(MediaTimedOut) == MediaTimedOut(CALL, Side.CALLER)


async def test_a_side_told_to_be_silent_may_be(start_plane: StartPlane) -> None:
    async with start_plane(silence=SILENCE) as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            await running.connect(caller, callee)
            callee.talk()
            caller.send()
            await running.direct(Side.CALLER, "sendonly")
            await running.reanswer(Side.CALLER, caller.sdp(direction="recvonly"))
            await asyncio.sleep(3 * SILENCE)
            assert running.events == []


async def test_after_a_kill_calls_are_lost_and_later_ones_work(tmp_path: Path) -> None:
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            await running.connect(caller, callee)
            running.record(tmp_path / "spool")
            caller.talk()
            await callee.hear(60)
            killed = running.plane.relay_pid
            assert killed is not None
            os.kill(killed, signal.SIGKILL)
            assert await running.event(MediaPlaneLost) == MediaPlaneLost((CALL,))
            # What is recorded can be finished; nobody else will say so.
            closed = await running.event(RecordingClosed)
            assert closed == RecordingClosed(CALL, "record-1", tmp_path / "spool")
            assert header_of(closed.spool).call_id == CALL
            running.plane.release(CALL)
            with pytest.raises(MediaError):
                await running.answer(Side.CALLEE, callee.sdp())
            async with asyncio.timeout(PATIENCE):
                while running.plane.relay_pid in (None, killed):  # noqa: ASYNC110  nothing tells of a restart
                    await asyncio.sleep(0.02)
            await running.connect(caller, callee, "later")
            await callee.hear(3)
            running.plane.release("later")
            await running.ports_are_back()


async def test_an_offer_under_way_fails_when_the_relay_dies() -> None:
    async with running_plane() as running:
        with PhoneEnd() as caller:
            assert running.plane.relay_pid is not None
            os.kill(running.plane.relay_pid, signal.SIGSTOP)
            offer = asyncio.create_task(running.offer(Side.CALLER, Side.CALLEE, caller.sdp()))
            await asyncio.sleep(0.05)
            os.kill(running.plane.relay_pid, signal.SIGKILL)
            with pytest.raises(MediaError, match="died"):
                await offer
            # While there is no relay, offers fail at once.
            with pytest.raises(MediaError, match="not ready"):
                await running.offer(Side.CALLER, Side.CALLEE, caller.sdp())


async def test_a_relay_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kobza.media.relay_link.PING_INTERVAL", 0.1)
    monkeypatch.setattr("kobza.media.relay_link.HANG_TIMEOUT", 0.4)
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            await running.connect(caller, callee)
            assert running.plane.relay_pid is not None
            os.kill(running.plane.relay_pid, signal.SIGSTOP)
            assert await running.event(MediaPlaneLost) == MediaPlaneLost((CALL,))


async def test_a_relay_that_cannot_be_started_again_is_tried_until_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "RESTART_DELAYS", (0.0, 0.02))
    async with running_plane() as running:
        killed = running.plane.relay_pid
        assert killed is not None
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr("kobza.media.relay_link.sys.executable", "/bin/false")
            os.kill(killed, signal.SIGKILL)
            assert await running.event(MediaPlaneLost) == MediaPlaneLost(())
            async with asyncio.timeout(PATIENCE):
                while running.plane._failures < 3:  # noqa: ASYNC110 - only the log tells
                    await asyncio.sleep(0.02)
        async with asyncio.timeout(PATIENCE):
            while running.plane.relay_pid is None:  # noqa: ASYNC110 - nothing tells of a restart
                await asyncio.sleep(0.02)
        with PhoneEnd() as caller, PhoneEnd() as callee:
            await running.connect(caller, callee)
            caller.send()
            await callee.hear(1)


async def test_a_plane_can_be_stopped_while_its_relay_is_being_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "RESTART_DELAYS", (60.0,))
    async with running_plane() as running:
        assert running.plane.relay_pid is not None
        os.kill(running.plane.relay_pid, signal.SIGKILL)
        await running.event(MediaPlaneLost)


async def test_a_relay_that_cannot_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kobza.media.relay_link.sys.executable", "/bin/false")
    plane = EmbeddedPlane(host=HOST, ports=range(30000, 30010), timeout=60.0)
    with pytest.raises(MediaError, match="did not start"):
        await plane.start()
    monkeypatch.setattr("kobza.media.relay_link.sys.executable", "/nonexistent/python")
    with pytest.raises(MediaError, match="did not start"):
        await plane.start()


PARENT = """
import asyncio, sys
from pathlib import Path
from kobza.media.embedded import EmbeddedPlane
from kobza.media.plane import Side
async def main():
    plane = EmbeddedPlane(host="127.0.0.1", ports=range(int(sys.argv[1]), int(sys.argv[1]) + 8), timeout=60.0)
    await plane.start()
    done = asyncio.get_running_loop().create_future()
    plane.offer("orphan", source=None, target=Side.CALLER, sdp=None, done=done.set_result)
    await done
    plane.record("orphan", record_id="r", spool=Path(sys.argv[2]))
    await asyncio.sleep(0)  # commands leave at the end of the loop's turn
    print(plane.relay_pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


MANY = """
import asyncio, resource, sys
from kobza.media.embedded import EmbeddedPlane
from kobza.media.plane import MediaError, Side
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
async def main():
    plane = EmbeddedPlane(host="127.0.0.1", ports=range(int(sys.argv[1]), int(sys.argv[1]) + 84), timeout=60.0)
    await plane.start()
    replies = []
    for number in range(40):
        plane.offer(str(number), source=None, target=Side.CALLER, sdp=None, done=replies.append)
    while len(replies) < 40:
        await asyncio.sleep(0.02)
    print(sum(isinstance(reply, bytes) for reply in replies), replies[-1])
    await plane.stop()
asyncio.run(main())
"""


async def test_a_low_limit_of_open_files_is_raised() -> None:
    """Debian gives a program 1024 files, of which a call takes four; it may take more by itself."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", MANY, str(free_range(84).start)), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await program.communicate()
    assert out.split()[0] == b"40", out


def is_running(pid: int) -> bool:
    """Tell whether a process runs; one that ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def files_of(pid: int | None) -> int:
    """Return how many files a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def test_the_relay_ends_with_its_parent_and_completes_the_spool(tmp_path: Path) -> None:
    rtp_ports = free_range(8)
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(rtp_ports.start), str(tmp_path / "spool")), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    relay = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(PATIENCE):
        while is_running(relay):  # noqa: ASYNC110  nothing tells of the end of a process that is not ours
            await asyncio.sleep(0.02)
    spool = (tmp_path / "spool").read_bytes()
    assert header_of(tmp_path / "spool").record_id == "r"
    assert spool[-8:-4] == b"\x02\x00\x00\x00"


async def test_a_thousand_calls_leave_no_port_and_no_file_open() -> None:
    """Opened and released in bunches: what was asked for, refused, or ended at once gives everything back."""
    async with running_plane(ports=free_range(80)) as running:
        running.plane._carried.ports._pool.quarantine = 0.0
        with PhoneEnd() as caller, PhoneEnd() as callee:
            await running.settle()
            before = files_of(running.plane.relay_pid)
            for bunch in range(100):
                calls = [f"{bunch}.{number}" for number in range(10)]
                offers = [
                    asyncio.create_task(running.offer(Side.CALLER, Side.CALLEE, caller.sdp(), call)) for call in calls
                ]
                if bunch % 2:
                    # These end while their ports are being opened.
                    await asyncio.sleep(0)
                else:
                    await asyncio.gather(*offers)
                    await running.answer(Side.CALLEE, callee.sdp(), calls[0])
                for call in calls:
                    running.plane.release(call)
                await asyncio.gather(*offers, return_exceptions=True)
                await running.ports_are_back()
            async with asyncio.timeout(PATIENCE):
                # The relay closes in its own time; ports for calls to come may be on their way.
                while abs(files_of(running.plane.relay_pid) - before) > 4 * STOCK:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await running.connect(caller, callee)


async def test_when_ports_run_out_calls_are_refused_and_the_others_go_on() -> None:
    async with running_plane(ports=free_range(10)) as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            await running.connect(caller, callee, "one")
            await running.offer(Side.CALLER, Side.CALLEE, caller.sdp(), "two")
            with pytest.raises(MediaError, match="no free ports"):
                await running.offer(Side.CALLER, Side.CALLEE, caller.sdp(), "three")
            running.plane.release("two")
            caller.send()
            await callee.hear(1)


async def test_a_port_that_someone_else_has_is_passed_over() -> None:
    taken = free_range(40)
    with ExitStack() as stack:
        for port in (taken.start, taken.start + 3):
            other = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            other.bind((HOST, port))
        async with running_plane(ports=taken) as running:
            with PhoneEnd() as caller, PhoneEnd() as callee:
                await running.connect(caller, callee)
                assert {caller.to, callee.to}.isdisjoint({taken.start, taken.start + 2})
                caller.send()
                await callee.hear(1)
                running.plane.release(CALL)
                await running.ports_are_back()


async def test_a_row_that_another_program_has_is_passed_over_by_one_call() -> None:
    taken = free_range(60)
    with ExitStack() as stack:
        for port in range(taken.start, taken.start + 48, 2):
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind((HOST, port))
        async with running_plane(ports=taken) as running:
            with PhoneEnd() as caller, PhoneEnd() as callee:
                await running.connect(caller, callee)
                assert min(caller.to, callee.to) >= taken.start + 48


async def test_when_no_port_can_be_bound_the_call_is_refused() -> None:
    taken = free_range(20)
    with ExitStack() as stack:
        for port in range(taken.start, taken.stop, 2):
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind((HOST, port))
        async with running_plane(ports=taken) as running:
            running.plane._carried.ports.attempts = 2
            with PhoneEnd() as caller, pytest.raises(MediaError, match="could be bound"):
                await running.offer(Side.CALLER, Side.CALLEE, caller.sdp())
            assert running.plane.ports_used == 0
