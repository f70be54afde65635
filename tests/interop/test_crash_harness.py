"""The short form of `make crash`: a few kills, and the books are right."""

from pathlib import Path

from kobza.store.place import STORE_FILE
from tests.crash.harness import Harness
from tests.crash.plan import draw
from tests.interop.conftest import NUMBERS, SinkThread
from tests.interop.server import Site
from tests.support.spectrum import needs_sox

SEED = 20
ROUNDS = 2


@needs_sox()
def test_killed_again_and_again_the_books_are_right(tmp_path: Path, new_site: Site, sink: SinkThread) -> None:
    site = new_site.copy(tmp_path / "kobza")
    with Harness(site, sink, site.folder / STORE_FILE) as harness:
        for number in range(1, ROUNDS + 1):
            outcome = harness.play(draw(SEED, number, NUMBERS, "sqlite"))
            assert outcome.wrong == [], str(outcome)
            assert outcome.heard
        assert harness.finish() == []
