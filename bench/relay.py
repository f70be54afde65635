"""What a relayed packet costs: `python -m bench.relay`.

Prints CPU in microseconds a packet, packets lost, and the delay added (99 of 100 packets are faster). Drives calls of
G.711 both ways through the relay's process, not recorded and recorded, and through a bare forwarder (the least that
Python with uvloop can do) in the same run, in turns. CPU is that of the relaying process alone.
"""

import argparse
import asyncio
import json
import shutil
import socket
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.browser_line import names_in, offer
from bench.rows import Row, cpu_ms, memory_kib
from bench.rtp_load import HEADER, PAYLOAD
from kobza.media.embedded import EmbeddedPlane
from kobza.media.plane import MediaError, Side

HERE = Path(__file__).parent
FIRST_PORT = 24000
FIRST_PHONE = 34000


@dataclass
class Result:
    cpu_us: float
    """Microseconds of CPU a packet."""
    core_percent: float
    lost: int
    delay_p99_ms: float


async def start_load(seconds: float, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.rtp_load", str(seconds), "0", *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=HERE.parent,
    )


async def drive(load: asyncio.subprocess.Process, pid: int, lines: list[str], seconds: float) -> Result:
    """Send through lines of phone and relay port, two for a call; measure process `pid` meanwhile."""
    before = cpu_ms(pid)
    out, _ = await load.communicate("".join(f"{line}\n" for line in lines).encode())
    spent = (cpu_ms(pid) - before) / 1e3
    counts = json.loads(out.splitlines()[-1])
    return Result(
        cpu_us=spent / max(1, counts["sent"]) * 1e6,
        core_percent=100 * spent / seconds,
        lost=counts["sent"] - counts["received"],
        delay_p99_ms=counts["delay_p99_ms"],
    )


async def bare(calls: int, seconds: float) -> Result:
    forwarder = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HERE / "bare_forwarder.py"), str(calls), str(FIRST_PORT), str(FIRST_PHONE)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert forwarder.stdout is not None
        await forwarder.stdout.readline()
        lines = [f"{FIRST_PHONE + index} {FIRST_PORT + index}" for index in range(2 * calls)]
        return await drive(await start_load(seconds), forwarder.pid, lines, seconds)
    finally:
        forwarder.kill()
        await forwarder.wait()


def description(port: int) -> bytes:
    lines = ("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", f"m=audio {port} RTP/AVP 8")
    return "".join(f"{line}\r\n" for line in lines).encode()


def port_in(answer: bytes | MediaError) -> int:
    if isinstance(answer, MediaError):
        raise answer
    return int(answer.split(b"m=audio ")[1].split()[0])


async def set_up(plane: EmbeddedPlane, name: str, caller: bytes, callee: bytes) -> tuple[bytes, int]:
    """Make a call; return the answer for the caller and the relay's port for the callee."""
    loop = asyncio.get_running_loop()
    offered: asyncio.Future[bytes | MediaError] = loop.create_future()
    plane.offer(name, source=Side.CALLER, target=Side.CALLEE, sdp=caller, done=offered.set_result)
    for_callee = port_in(await offered)
    answered: asyncio.Future[bytes | MediaError] = loop.create_future()
    plane.answer(name, source=Side.CALLEE, sdp=callee, done=answered.set_result)
    answer = await answered
    if isinstance(answer, MediaError):
        raise answer
    return answer, for_callee


async def relayed(calls: int, seconds: float, spools: Path | None, *, browsers: bool = False) -> Result:
    """Measure calls between phones, or (`browsers`) from browsers to phones: half of the packets are SRTP each way.

    What the handshakes take is measured too.
    """
    ports = range(FIRST_PORT, FIRST_PORT + 8 * calls)
    plane = EmbeddedPlane(
        host="127.0.0.1",
        ports=ports,
        timeout=600.0,
        on_event=lambda _: None,
        browser_hosts=("127.0.0.1",) if browsers else (),
    )
    await plane.start()
    assert plane.relay_pid is not None
    load = await start_load(seconds, *(("browsers",) if browsers else ()))
    assert load.stdout is not None
    fingerprint = (await load.stdout.readline()).decode().strip() if browsers else ""
    lines: list[str] = []
    for call in range(calls):
        caller, callee = FIRST_PHONE + 2 * call, FIRST_PHONE + 2 * call + 1
        name = f"call-{call}"
        said = offer(caller, fingerprint) if browsers else description(caller)
        answer, for_callee = await set_up(plane, name, said, description(callee))
        names = " ".join(names_in(answer)) if browsers else ""
        lines += [f"{caller} {port_in(answer)} {names}", f"{callee} {for_callee}"]
        if spools is not None:
            plane.record(name, record_id=name, spool=spools / name)
    try:
        return await drive(load, plane.relay_pid, lines, seconds)
    finally:
        await plane.stop()


def middle(results: list[Result]) -> Result:
    return Result(
        statistics.median(result.cpu_us for result in results),
        statistics.median(result.core_percent for result in results),
        sum(result.lost for result in results),
        statistics.median(result.delay_p99_ms for result in results),
    )


async def memory_of_a_call(calls: int) -> float:
    """Return by how many KiB the relay grows for each call when so many come to as many that are there.

    So the memory that it kept free from its start does not make the first ones look as if they took none.
    """
    ports = range(FIRST_PORT, FIRST_PORT + 8 * calls)
    plane = EmbeddedPlane(host="127.0.0.1", ports=ports, timeout=600.0, on_event=lambda _: None)
    await plane.start()
    assert plane.relay_pid is not None
    before = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        said = description(phone.getsockname()[1])
        for call in range(2 * calls):
            if call == calls:
                before = memory_kib(plane.relay_pid)
            name = f"call-{call}"
            answer, for_callee = await set_up(plane, name, said, said)
            for ssrc, port in enumerate((port_in(answer), for_callee)):
                for sequence in range(4):
                    packet = HEADER.pack(0x80, 8, sequence, 160 * sequence, ssrc) + PAYLOAD
                    phone.sendto(packet, ("127.0.0.1", port))
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.5)
        grown = memory_kib(plane.relay_pid) - before
    await plane.stop()
    return grown / calls


BARE, RELAY, RECORDING, BROWSERS = "bare forwarder", "relay", "relay, recording", "relay, from browsers"


async def main(calls: int, seconds: float, rounds: int, *, browsers: bool = False) -> dict[str, Result]:
    results: dict[str, list[Result]] = {BARE: [], RELAY: [], RECORDING: []}
    if browsers:
        results[BROWSERS] = []
    spools = Path(tempfile.mkdtemp(prefix="kobza-bench-"))
    try:
        for number in range(rounds):
            results[BARE].append(await bare(calls, seconds))
            results[RELAY].append(await relayed(calls, seconds, None))
            results[RECORDING].append(await relayed(calls, seconds, spools / str(number)))
            if browsers:
                results[BROWSERS].append(await relayed(calls, seconds, None, browsers=True))
    finally:
        shutil.rmtree(spools)
    return {name: middle(some) for name, some in results.items()}


def measure(*, quick: bool = False) -> Sequence[Row]:
    results = asyncio.run(main(5, 0.3, 1) if quick else main(100, 10.0, 3))
    memory = asyncio.run(memory_of_a_call(5 if quick else 1000))
    bare, least = "a bare forwarder in Python with uvloop", results[BARE]
    lost = sum(result.lost for name, result in results.items() if name != BARE)
    return [
        Row("relaying an RTP packet", results[RELAY].cpu_us, "µs of CPU", bare, least.cpu_us),
        Row("relaying and recording an RTP packet", results[RECORDING].cpu_us, "µs of CPU", bare, least.cpu_us),
        Row("delay of a relayed packet, 99 of 100", results[RELAY].delay_p99_ms, "ms", bare, least.delay_p99_ms),
        Row("packets lost in both", float(lost), "packets"),
        Row("memory of the relay a call with both phones talking", memory, "KiB"),
    ]


def table(results: dict[str, Result], calls: int) -> Table:
    shown = Table(title=f"{calls} calls of G.711, 20 ms, both ways ({100 * calls} packets/s)")
    for heading in ("", "us/packet", "% of a core", "% a call", "lost", "p99 ms", "to bare"):
        shown.add_column(heading, justify="left" if not heading else "right")
    least = results[BARE].cpu_us
    for name, result in results.items():
        shown.add_row(
            name,
            f"{result.cpu_us:.2f}",
            f"{result.core_percent:.1f}",
            f"{result.core_percent / calls:.3f}",
            str(result.lost),
            f"{result.delay_p99_ms:.2f}",
            f"{result.cpu_us / least:.2f}",
        )
    return shown


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="the median of them is shown")
    parser.add_argument("--browsers", action="store_true", help="measure calls from browsers to phones as well")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    measured = asyncio.run(main(arguments.calls, arguments.seconds, arguments.rounds, browsers=arguments.browsers))
    if arguments.json:
        print(json.dumps({name: vars(result) for name, result in measured.items()}))
    else:
        Console().print(table(measured, arguments.calls))
