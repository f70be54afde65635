"""The sound of calls over bad networks: the short form of what `make impair` does for a minute."""

from pathlib import Path

from tests.media.spools import needs_mp3
from tests.soak.sound import bad_calls
from tests.support.impairment import Impairment

NETWORKS = (Impairment(), Impairment(loss=0.1, duplication=0.1), Impairment.of(0.2, delay=0.1))


@needs_mp3
async def test_what_a_bad_network_does_is_told_and_recorded_as_it_was(tmp_path: Path) -> None:
    calls = await bad_calls(tmp_path, seconds=4.0, seed=2026, networks=NETWORKS)
    assert [call.wrong for call in calls] == [[]] * len(NETWORKS)
    assert calls[0].told == 0
    assert all(call.told > 20 for call in calls[1:])  # of 400 packets
