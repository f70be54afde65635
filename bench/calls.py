"""What a bridged call costs: `python -m bench.calls`.

sipp calls sipp through `kobza serve` at a steady rate: INVITE with digest, 180, 200, ACK, a second of talk without
audio, BYE. Every call is stored with its records and call states, and each state is posted to a webhook sink. Prints
the CPU of the server and its media process for each call. The mark beside it is 2 ms, set for a first release; Asterisk
22 spends 3.5 to 4.2 ms on the same call without storing anything.
"""

import argparse
import asyncio
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.memory import HOST, PASSWORD, child_of, prepare, serving
from bench.rows import Row, Unavailable, cpu_seconds
from kobza.store import STORE_FILE, Store, endpoints, enterprises
from tests.support.ports import free_ports
from tests.support.sink import WebhookSink

SCENARIOS = Path(__file__).parent / "sipp"
RATE = 50
PAIRS = 100
MARK_MS = 2.0
STATES_OF_A_CALL = 6
"""Three for each of the two owners."""


class Result(NamedTuple):
    """Milliseconds of CPU a call."""

    server: float
    media: float
    calls: int
    states: int
    """Call states that the sink got."""


async def main(calls: int) -> Result:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        data = Path(folder) / "data"
        names = prepare(data, 2 * PAIRS)
        callers, called = names[0::2], names[1::2]
        phones = write_list(data / "phones.csv", ((name, auth(name)) for name in called))
        pairs = write_list(
            data / "pairs.csv", ((one, auth(one), other) for one, other in zip(callers, called, strict=True))
        )
        async with WebhookSink() as sink:
            set_webhook(data, sink.url)
            # Four ports for a call; a call's ports rest for 5 s after its second of talk.
            async with serving(data, 4 * RATE * 8) as (process, address):
                server = f"{address[0]}:{address[1]}"
                uas_port, uac_port, reg_port = free_ports(3)
                contact = ("-key", "cport", str(uas_port))
                await sipp("register", server, reg_port, phones, *contact, "-m", str(PAIRS), "-r", "50")
                uas = await start_sipp("uas", server, uas_port)
                try:
                    media = child_of(process.pid)
                    before = cpu_seconds(process.pid), cpu_seconds(media)
                    await sipp("uac", server, uac_port, pairs, "-m", str(calls), "-r", str(RATE), "-d", "1000")
                    await sink.wait_for(STATES_OF_A_CALL * calls, within=30.0)
                    after = cpu_seconds(process.pid), cpu_seconds(media)
                finally:
                    uas.terminate()
                    await uas.wait()
                states = len(sink.states)
    server_ms, media_ms = (1000 * (late - early) / calls for early, late in zip(before, after, strict=True))
    return Result(server_ms, media_ms, calls, states)


def auth(name: str) -> str:
    return f"[authentication username={name} password={PASSWORD}]"


def write_list(path: Path, rows: Iterable[Sequence[str]]) -> Path:
    path.write_text("SEQUENTIAL\n" + "".join(";".join(row) + ";\n" for row in rows))
    return path


def set_webhook(data: Path, url: str) -> None:
    store = Store.open(data / STORE_FILE)
    with store.write() as conn:
        endpoints.set(conn, enterprises.list_all(conn)[0].enterprise_id, url, "token")
    store.close()


async def start_sipp(
    scenario: str, server: str, port: int, listed: Path | None = None, *options: str
) -> asyncio.subprocess.Process:
    command = ["sipp", server, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", HOST, "-p", str(port), "-nostdin"]
    command += ["-nd"] if scenario == "uas" else []
    command += ["-inf", str(listed)] if listed is not None else []
    return await asyncio.create_subprocess_exec(
        *command, *options, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )


async def sipp(scenario: str, server: str, port: int, listed: Path, *options: str) -> None:
    """Run a scenario to its end; raises SystemExit when a call of it failed."""
    process = await start_sipp(scenario, server, port, listed, *options)
    _, errors = await process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"sipp {scenario} ended with {process.returncode}: {errors.decode()[-500:]}")


def measure(*, quick: bool = False) -> Sequence[Row]:
    if shutil.which("sipp") is None:
        raise Unavailable("sipp is missing")
    result = asyncio.run(main(50 if quick else 1500))
    return [
        Row(
            f"CPU a bridged call at {RATE} calls/s, records and {STATES_OF_A_CALL} posted states included",
            result.server + result.media,
            "ms",
            "the mark",
            MARK_MS,
        ),
        Row("of that, the media process", result.media, "ms"),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1500)
    print(asyncio.run(main(parser.parse_args().calls)))
