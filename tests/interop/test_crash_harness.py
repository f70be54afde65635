"""The short form of `make crash`: a round with a locked store and several kills, and the books are right."""

from pathlib import Path

import pytest

from kobza.store.place import STORE_FILE
from tests.crash.harness import Harness
from tests.crash.plan import draw
from tests.interop.conftest import NUMBERS, SinkThread
from tests.interop.server import Site
from tests.support.spectrum import needs_sox

SEED, NUMBER = 5, 2
"""Of the round: the store is locked, the server and the media process are killed, and the servers started next too."""


@pytest.mark.database("sqlite")
@needs_sox()
def test_killed_again_and_again_the_books_are_right(tmp_path: Path, new_site: Site, sink: SinkThread) -> None:
    planned = draw(SEED, NUMBER, NUMBERS, "sqlite")
    assert planned.kills >= 3
    site = new_site.copy(tmp_path / "kobza")
    with Harness(site, sink, site.folder / STORE_FILE) as harness:
        outcome = harness.play(planned)
        assert outcome.wrong == [], str(outcome)
        assert outcome.heard
        assert outcome.states
        assert harness.finish() == []
