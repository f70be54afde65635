"""What a listing of 10,000 numbers costs: `python -m bench.phonestatus`.

`kobza serve` with 10,000 numbers, a phone registered for every second one, is asked for all of them again and again.
Prints the CPU of the server for the first answer and for a later one, and for switching Do Not Disturb of one of them.
Beside it: writing the same rows with msgspec, the fastest JSON encoder there is for Python.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec

from bench.memory import http_of, serving
from bench.rows import Row, cpu_seconds
from kobza.call.directory import Package
from kobza.store import STORE_FILE, Store, enterprises, numbers
from kobza.store.enterprises import AddedEnterprise
from kobza.store.entries import Binding, BindingStored
from kobza.store.journal import JournalWriter

NUMBERS = 10_000
MARK_MS = 100.0
PATH = "/api/fmc/v1/phonestatus"
PACKAGES = (Package.CONVERGENT, Package.API_FMC)


class Result(NamedTuple):
    """Milliseconds of CPU an answer."""

    first: float
    again: float
    msgspec: float
    setting: float
    """Of a change of one number's setting."""
    size: int
    """Bytes of an answer."""


def prepare(data: Path, how_many: int) -> AddedEnterprise:
    """Make a store with so many numbers and half as many devices."""
    data.mkdir(exist_ok=True)
    place = data / STORE_FILE
    store = Store.create(place)
    made = [f"+38067{index:07d}" for index in range(how_many)]
    with store.write() as conn:
        enterprise = enterprises.add(conn, "Bench", "bench", "none", 0)
        for index, number in enumerate(made):
            numbers.add(conn, number, enterprise.enterprise_id, f"Phone {index}", packages=PACKAGES)
    now = time.time()
    writer = JournalWriter(store.place)
    writer.write([BindingStored(device(number, now)) for number in made[::2]])
    writer.close()
    store.close()
    return enterprise


def device(number: str, now: float) -> Binding:
    return Binding(
        number=number,
        contact=f"sip:{number}@192.0.2.1",
        sip_call_id=number,
        cseq=1,
        expires_at=now + 3600,
        registered_at=now,
        local_host="127.0.0.1",
        local_port=5060,
        remote_host="192.0.2.1",
        remote_port=5060,
    )


async def main(how_many: int = NUMBERS, times: int = 40) -> Result:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        data = Path(folder) / "data"
        enterprise = prepare(data, how_many)
        async with (
            serving(data, 100) as (process, _),
            httpx.AsyncClient(
                base_url=http_of(data),
                headers={"Authorization": f"Bearer {enterprise.fmc_token}"},
                params={"integrator_id": enterprise.integrator_id},
            ) as client,
        ):
            await client.get(PATH, params={"number": "0670000000"})  # the way there is paved
            first, answer = await cost(process.pid, client, 1)
            again, _ = await cost(process.pid, client, times)
            setting = await cost_of_settings(process.pid, client, times)
    rows = answer.json()
    assert len(rows["phones"]) == how_many, answer.text[:200]
    return Result(first, again, encoding(rows, times), setting, len(answer.content))


async def cost(pid: int, client: httpx.AsyncClient, times: int) -> tuple[float, httpx.Response]:
    """Ask so many times; return the milliseconds of CPU that an answer cost, and the last one."""
    before = cpu_seconds(pid)
    for _ in range(times):
        answer = await client.get(PATH)
        answer.raise_for_status()
    return 1000 * (cpu_seconds(pid) - before) / times, answer


async def cost_of_settings(pid: int, client: httpx.AsyncClient, times: int) -> float:
    """Switch Do Not Disturb of so many numbers, one after the other; return the milliseconds of CPU of one."""
    before = cpu_seconds(pid)
    for index in range(times):
        answer = await client.put("/api/fmc/v1/dnd", json={"number": f"067{index:07d}", "dnd": "on"})
        answer.raise_for_status()
    return 1000 * (cpu_seconds(pid) - before) / times


def encoding(rows: Any, times: int) -> float:
    """Return the milliseconds of CPU that writing the rows of an answer costs."""
    begun = time.process_time()
    for _ in range(times):
        msgspec.json.encode(rows)
    return 1000 * (time.process_time() - begun) / times


def measure(*, quick: bool = False) -> Sequence[Row]:
    result = asyncio.run(main(200, 3) if quick else main())
    return [
        Row(
            f"CPU of phonestatus for {NUMBERS:,} numbers, asked again",
            result.again,
            "ms",
            "msgspec writing the same rows",
            result.msgspec,
        ),
        Row("the same, asked for the first time", result.first, "ms", "the mark", MARK_MS),
        Row(f"CPU of switching DND of one of {NUMBERS:,} numbers", result.setting, "ms"),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--numbers", type=int, default=NUMBERS)
    print(asyncio.run(main(parser.parse_args().numbers)))
