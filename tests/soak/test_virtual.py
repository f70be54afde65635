"""Whole calls over bad networks, in virtual time: the short form of `make impair`."""

from pathlib import Path

from tests.soak.exchange import played
from tests.soak.matrix import BAD, differing
from tests.soak.stories import WITHOUT_SOUND
from tests.support.impairment import Impairment

STORIES = len(WITHOUT_SOUND)


def test_what_comes_of_calls_does_not_depend_on_the_network(tmp_path: Path) -> None:
    good, bad = (
        played(tmp_path / str(network.loss), network, seed=7, rounds=1, trios=STORIES)
        for network in (Impairment(), BAD)
    )
    assert {story.kind for story, _ in good} == set(WITHOUT_SOUND)
    assert [verdict.told for _, verdict in good] == ["done"] * STORIES
    assert all(verdict.records for _, verdict in good)
    assert sum(verdict.tried for _, verdict in bad) > sum(verdict.tried for _, verdict in good)
    assert not differing(good, bad).wrong


def test_nothing_is_left_of_calls_in_which_anything_happens(tmp_path: Path) -> None:
    bad = Impairment.of(0.1)
    wild = played(tmp_path, bad, seed=11, rounds=1, kinds=("wild",), trios=4)
    assert sum(len(verdict.records) for _, verdict in wild) > 20
    assert not [words for _, verdict in wild for words in verdict.wrong]
