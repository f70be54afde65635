"""The end of a call waits a moment for how it was heard, and never longer; and what became of one-way audio."""

import asyncio
from collections.abc import Sequence

import pytest

from kobza.call.events import CallAnswered, CallEnded, CallFact, CallRinging
from kobza.call.heard import HeardCall, HeardSide
from kobza.call.phases import Phase
from kobza.call.routing import Party
from kobza.media.plane import CallHeard, Side, SideHeard, SideNotHeard
from kobza.pbx import one_way, partings
from kobza.pbx.heard import Hearings
from kobza.pbx.journal import Journal
from kobza.pbx.live_call import LiveCall
from kobza.pbx.one_way import OneWayCalls
from kobza.pbx.partings import Partings
from kobza.store import Store, quality
from tests.pbx.office import BOHDAN, NOW, settled
from tests.pbx.test_books import Office
from tests.pbx.test_live_call import ANNA_PARTY, BOHDAN_PARTY, live_call
from tests.support.waiting import until

ENDED = CallEnded("call", NOW + 9, 16, 200, "caller")
HEARD = HeardCall(HeardSide(500, 1, 2, mos=4.1, codec="pcma"), HeardSide(480, 0, 0, mos=4.3))


class Kept:
    """What was written."""

    def __init__(self) -> None:
        self.facts: list[Sequence[CallFact]] = []
        self.partings = Partings(lambda _, facts: self.facts.append(facts))
        self.live = live_call(ANNA_PARTY, BOHDAN_PARTY)


async def test_the_end_is_written_with_what_is_known() -> None:
    kept = Kept()
    kept.partings.wait(kept.live, [ENDED])
    assert "call" in kept.partings
    kept.partings.heard("another", HEARD)
    assert kept.facts == []
    kept.partings.heard("call", HEARD)
    ((written,),) = kept.facts
    assert isinstance(written, CallEnded)
    assert (written.heard, written.at) == (HEARD, ENDED.at)
    assert "call" not in kept.partings
    kept.partings.heard("call", HEARD)
    assert len(kept.facts) == 1


async def test_a_media_process_that_says_nothing_delays_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partings, "PATIENCE", 0.001)
    kept = Kept()
    kept.partings.wait(kept.live, [ENDED])
    await until(lambda: bool(kept.facts))
    kept.partings.wait(kept.live, [ENDED])
    kept.partings.flush()  # nor does a stop wait
    assert kept.facts == [[ENDED], [ENDED]]
    await asyncio.sleep(0.01)
    assert len(kept.facts) == 2


@pytest.mark.parametrize("extended", [False, True])
async def test_finished_says_it_to_who_asked_for_more(office: Office, extended: bool) -> None:
    await office.listen(office.ours, extended=extended)
    books = office.keeper.open()
    callee = Party(BOHDAN, office.ours, owner=True)
    books.write([office.started(callee=callee), CallRinging("call-1", NOW + 1, "leg-2")])
    assert not books.tells_quality  # it rings: whoever hangs up now is not asked how it was
    books.write([CallAnswered("call-1", NOW + 2, BOHDAN, "leg-2")])
    assert books.tells_quality is extended
    books.write([CallEnded("call-1", NOW + 12, 16, 200, "caller", HEARD)])
    await settled(office.journal)
    bodies = [entry.payload for entry in office.owed if entry.state.state_type == "finished"]
    assert len(bodies) == 2
    assert all((b'"quality":{"not_heard":null,"caller":{"codec":"pcma",' in body) is extended for body in bodies)


@pytest.fixture
async def office(store: Store, journal: Journal) -> Office:
    return Office(store, journal)


def side(sent: int, mos: float | None = 4.2) -> SideHeard:
    """`mos` is of what it heard."""
    return SideHeard(sent, 1, 3, 0.0021, None, mos, 0.0014, 4.3 if sent else None, "pcmu")


async def test_what_is_told_is_counted_and_stored(office: Office) -> None:
    books = office.keeper.open()
    books.write([office.started()])
    hearings = Hearings(office.keeper)
    few = CallHeard("call-1", {Side.CALLER: side(20), Side.CALLEE: side(29)})
    assert hearings.take(few, {}) is None
    event = CallHeard("call-1", {Side.CALLER: side(0), Side.CALLEE: side(500, None)})
    heard = hearings.take(event, {Side.CALLER: 12.34})
    assert heard is not None
    assert (heard.caller.silent_s, heard.called.silent_s) == (12.3, 0.0)
    assert (heard.not_heard(answered=True), heard.not_heard(answered=False)) == ("caller", "caller")
    assert (hearings.ways["received"].mos.count, hearings.ways["sent"].mos.count) == (1, 1)
    assert hearings.ways["received"].loss.total == pytest.approx(1 / 500)
    await settled(office.journal)
    with office.store.read() as conn:
        assert quality.find(conn, office.ours, "call-1") == heard


def test_who_was_not_heard() -> None:
    heard, mute = HeardSide(100, 0, 0), HeardSide(0, 0, 0)
    assert HeardCall(heard, heard).not_heard(answered=True) is None
    assert HeardCall(heard, mute).not_heard(answered=True) == "called"
    assert HeardCall(heard, mute).not_heard(answered=False) is None  # early media goes one way
    assert HeardCall(mute, heard).not_heard(answered=True) == "caller"
    fell_silent = HeardSide(100, 0, 0, silent_s=4.5)
    both = HeardCall(fell_silent, fell_silent)
    assert (both.not_heard(answered=True), both.silent_for) == ("both", 5)


class _Clock:
    def __init__(self) -> None:
        self.at = NOW + 100

    def now(self) -> float:
        return self.at


def talking(phase: Phase = Phase.TALKING) -> LiveCall:
    """Return a live call whose machine says that it is in a phase."""
    live = live_call(ANNA_PARTY, BOHDAN_PARTY)
    live.call._core.phase = phase
    return live


def test_one_way_audio_lasts_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock()
    calls = OneWayCalls(clock.now)
    live = talking(Phase.RINGING)
    told = SideNotHeard("call", Side.CALLEE, 10.0)
    calls.told(live, told)  # nobody has answered: nobody is missed
    assert live.not_heard == {}
    live = talking()
    calls.told(live, told)
    clock.at += 10
    calls.told(live, SideNotHeard("call", Side.CALLEE, 20.0))
    assert live._silence_at("leg-1") == (False, True)
    assert live._silence_at("leg-2") == (True, False)
    assert calls.noticed == {Side.CALLEE: 1}
    clock.at += 2
    calls.told(live, SideNotHeard("call", Side.CALLEE, 0.0))
    assert live._silence_at("leg-1") == (False, False)
    calls.told(live, SideNotHeard("call", Side.CALLEE, 10.0))
    clock.at += 5
    calls.ended(live)
    assert calls.take("call") == {Side.CALLEE: 22.0 + 15.0}
    assert calls.take("call") == {}
    # Calls that nobody asks for are forgotten some time.
    monkeypatch.setattr(one_way, "MOST", 0)
    live.silences = {Side.CALLER: 1.0}
    calls.ended(live)
    assert calls.take("call") == {}
