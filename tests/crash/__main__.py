"""`python -m tests.crash`: see the package."""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.crash.harness import Harness
from tests.crash.plan import BLOWS, draw
from tests.interop.conftest import NUMBERS, RECORDED, SinkThread
from tests.interop.server import Site
from tests.support.postgres import PostgresServer, postgres_server


def main() -> int:
    """Run rounds until enough processes were killed; return the exit status: 1 when a book was wrong."""
    options = _options()
    began, kills, wrong, count = time.monotonic(), 0, 0, 0
    with ExitStack() as stack:
        harness = stack.enter_context(office(options.database, options.folder))
        print(f"office in {harness.site.folder}, seed {options.seed}, {options.database}", flush=True)
        number = options.first
        while kills < options.kills:
            outcome = harness.play(draw(options.seed, number, NUMBERS, options.database))
            kills += outcome.round.kills
            count += 1
            print(f"{kills:5d} kills  {outcome}", flush=True)
            for words in outcome.wrong:
                print(f"    WRONG {words}", flush=True)
            wrong += len(outcome.wrong)
            number += 1
            if outcome.wrong and options.stop:
                input("The office is as the round left it. Enter ends it. ")
                break
        for words in harness.finish():
            print(f"    WRONG {words}")
            wrong += 1
    minutes = (time.monotonic() - began) / 60
    print(
        f"seed {options.seed} on {options.database}: {kills} kills in {count} rounds, {minutes:.1f} min, {wrong} wrong"
    )
    if wrong:
        print(f"again: make crash ARGS='--database {options.database} --seed {options.seed} --first N --kills 1'")
    return 1 if wrong else 0


@contextmanager
def office(database: str, folder: Path | None) -> Iterator[Harness]:
    """Make an office on a database and run it. Without a folder it is in a temporary one, and gone afterwards."""
    made = folder is None
    folder = Path(tempfile.mkdtemp(prefix="kobza-crash-")) if folder is None else folder
    sink = SinkThread()
    with ExitStack() as stack:
        if made:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        sink.start()
        stack.callback(sink.stop)
        postgres: PostgresServer | None = None
        if database == "postgresql":
            postgres = stack.enter_context(postgres_server())
            if postgres is None:
                sys.exit("PostgreSQL is not installed: make test-tools")
        site = Site(folder / "office", postgres)
        site.create(NUMBERS, webhook=sink.url, recorded=RECORDED)
        yield stack.enter_context(Harness(site, sink, site.place, postgres))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="processes to kill (1000)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="what the rounds are drawn from")
    parser.add_argument("--first", type=int, default=1, help="the first round: N plays seed-N again (1)")
    parser.add_argument("--database", choices=sorted(BLOWS), default="sqlite", help="where the store is (sqlite)")
    parser.add_argument("--folder", type=Path, help="where the office is made and left (a temporary one, removed)")
    parser.add_argument("--stop", action="store_true", help="stop at the first round whose books are wrong, and wait")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
