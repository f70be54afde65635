"""`python -m tests.soak`: see `tests.soak.run`."""

import argparse
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.soak.run import soak
from tests.support.impairment import Impairment
from tests.support.postgres import postgres_server


def main() -> int:
    """Soak as asked; return the exit status: 1 when something was wrong."""
    options = _options()
    print(f"{options.phones} phones for {options.minutes:g} min on {options.database}, seed {options.seed}", flush=True)
    with ExitStack() as stack:
        postgres = None
        if options.database == "postgresql":
            postgres = stack.enter_context(postgres_server())
            if postgres is None:
                sys.exit("PostgreSQL is not installed: make test-tools")
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kobza-soak-")))
        outcome = soak(
            folder / "office",
            postgres,
            seconds=60 * options.minutes,
            phones=options.phones,
            seed=options.seed,
            at_once=options.at_once,
            impairment=Impairment.of(options.impair) if options.impair else None,
            tell=lambda words: print(words, flush=True),
        )
    for words in outcome:
        print(f"    WRONG {words}")
    print(f"seed {options.seed}: {len(outcome)} wrong")
    return 1 if outcome else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--phones", type=int, default=50, help="phones, beside the one outside (50)")
    parser.add_argument("--at-once", type=int, default=6, help="stories at a time, of three phones each (6)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="what is drawn from")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite", help="where the store is")
    parser.add_argument("--impair", type=float, help="share of the SIP on UDP that is lost, repeated, reordered (none)")
    parser.add_argument("--folder", type=Path, help="where the office is made and left (a temporary one, removed)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
