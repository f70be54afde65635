"""A lane that is behind: what goes ahead of the backlog, and what must not."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import cast

import pytest

from kobza.call.directory import Endpoint
from kobza.webhooks import lane as lane_module
from kobza.webhooks import whole_legs
from kobza.webhooks.backlog import Page
from kobza.webhooks.lane import Lane, Mode
from kobza.webhooks.outcome import Outcome
from kobza.webhooks.queue import Delivery
from kobza.webhooks.whole_legs import WholeLegs

ENDPOINT = Endpoint("e", "https://crm.example/hooks", "token", None, active=True)
ROOM = 100


def delivery(leg: str, sequence: int, due_at: float = 0.0) -> Delivery:
    return Delivery(f"{leg}{sequence}", "e", f"call of {leg}", leg, sequence, b"{}", due_at=due_at)


def page(*deliveries: Delivery, complete: bool = False, endpoint: Endpoint | None = ENDPOINT) -> Page:
    return Page(endpoint, None, complete, list(deliveries))


def behind(*deliveries: Delivery) -> Lane:
    """Return a lane that has these from the store, and owes more."""
    lane = Lane("e")
    lane.start_scan()
    lane.finish_scan(page(*deliveries))
    assert lane.mode is Mode.BEHIND
    assert not lane.poked
    return lane


def going(lane: Lane) -> list[str]:
    """Start what may go; return it."""
    return [item.event_id for item in taken(lane)]


def taken(lane: Lane) -> Iterator[Delivery]:
    while (item := lane.queue.take(9, 100)) is not None:
        yield item


def fail(lane: Lane, item: Delivery) -> None:
    """What the dispatcher does after a failure, when the lane is behind."""
    lane.settle(item, evicted=True)
    lane.queue.done(item)


def succeed(lane: Lane, item: Delivery) -> None:
    lane.settle(item, evicted=False)
    lane.queue.done(item)
    lane.settled(item)


def test_a_leg_that_begins_goes_ahead_of_the_backlog_with_all_its_states() -> None:
    lane = behind(delivery("old", 1, due_at=5))
    for sequence in (1, 2):
        lane.offer(delivery("new", sequence), ROOM)
    assert not lane.poked  # the store has nothing to add
    first, old = taken(lane)
    assert [first.event_id, old.event_id] == ["new1", "old1"]
    succeed(lane, first)
    assert not lane.poked
    (second,) = taken(lane)
    succeed(lane, second)
    lane.offer(delivery("new", 3), ROOM)
    assert going(lane) == ["new3"]
    assert not lane.whole.has_questions


def test_of_a_leg_that_went_on_before_the_store_is_asked() -> None:
    lane = behind(delivery("old", 1, due_at=5))
    for sequence in (2, 3):
        lane.offer(delivery("on", sequence), ROOM)
    assert lane.held == 3
    (question,) = lane.whole.questions()
    assert question.event_id == "on2"
    assert going(lane) == ["old1"]
    lane.answer(question, 2, ROOM)
    assert going(lane) == ["on2"]
    assert lane.whole.asked == 0
    lane.offer(delivery("on", 4), ROOM)
    assert not lane.whole.has_questions
    assert not lane.poked


@pytest.mark.parametrize("head", [1, 3, None])
def test_a_leg_of_which_something_is_in_the_backlog_waits_for_it(head: int | None) -> None:
    """Also when the delivery is not pending any more: somebody else has seen to it."""
    lane = behind(delivery("old", 1, due_at=5))
    lane.offer(delivery("on", 2), ROOM)
    (question,) = lane.whole.questions()
    lane.answer(question, head, ROOM)
    assert going(lane) == ["old1"]
    assert lane.poked
    assert (lane.held, lane.whole.asked) == (1, 0)


def test_a_leg_whose_backlog_is_under_way_waits_for_the_store() -> None:
    lane = behind(delivery("old", 1, due_at=5))
    assert going(lane) == ["old1"]
    lane.offer(delivery("old", 2), ROOM)
    assert not lane.whole.has_questions
    assert lane.poked
    assert going(lane) == []


def test_what_fails_takes_its_leg_to_the_store() -> None:
    lane = behind()
    for sequence in (1, 2):
        lane.offer(delivery("new", sequence), ROOM)
    (first,) = taken(lane)
    fail(lane, first)
    assert lane.held == 0
    lane.settled(first)
    assert lane.poked
    lane.offer(delivery("new", 3), ROOM)
    assert [question.event_id for question in lane.whole.questions()] == ["new3"]
    assert going(lane) == []


def test_without_room_a_leg_is_left_to_the_store_and_may_come_back() -> None:
    lane = behind()
    lane.offer(delivery("new", 1), ROOM)
    lane.offer(delivery("new", 2), 0)
    assert lane.poked
    lane.offer(delivery("new", 3), ROOM)
    (first,) = taken(lane)
    assert first.event_id == "new1"
    succeed(lane, first)
    assert going(lane) == []  # 2 is in the store alone
    lane.offer(delivery("new", 4), ROOM)
    (question,) = lane.whole.questions()
    lane.answer(question, 2, ROOM)
    assert going(lane) == []
    lane.offer(delivery("new", 5), ROOM)
    (question,) = lane.whole.questions()
    lane.answer(question, 5, 0)
    assert going(lane) == []
    lane.offer(delivery("new", 6), ROOM)
    (question,) = lane.whole.questions()
    lane.answer(question, 6, ROOM)
    assert going(lane) == ["new6"]


def test_nothing_goes_ahead_before_the_first_look_nor_while_the_receiver_is_dead() -> None:
    lane = Lane("e")
    lane.offer(delivery("early", 1), ROOM)
    assert (lane.held, lane.poked) == (0, True)
    lane = behind()
    lane.offer(delivery("new", 1), ROOM)
    dead = Outcome(0.0, 1, "https://crm.example/hooks/callstate", error="no answer")
    while lane.health.note(dead, 1.0, 0.0) != "dead":
        pass
    lane.die()
    lane.offer(delivery("later", 1), ROOM)
    assert (lane.held, lane.poked) == (0, True)
    lane.health.note(Outcome(0.0, 1, dead.url, status_code=200), 2.0, 0.0)
    lane.offer(delivery("back", 1), ROOM)
    assert going(lane) == ["back1"]


def test_of_what_is_in_memory_whole_new_states_go_first_until_the_receiver_dies() -> None:
    lane = Lane("e")
    lane.start_scan()
    lane.finish_scan(page(delivery("old", 1, due_at=5), complete=True))
    assert lane.mode is Mode.LIVE
    lane.offer(delivery("new", 1), ROOM)
    lane.die()
    lane.offer(delivery("newer", 1), ROOM)
    assert going(lane) == ["newer1", "new1", "old1"]


@pytest.mark.parametrize("how", ["fall_behind", "read_anew", "switch_off", "complete"])
def test_an_answer_that_comes_too_late_is_for_nobody(how: str) -> None:
    """The store was looked into meanwhile: what was asked about may have been delivered since."""
    lane = behind()
    lane.offer(delivery("on", 2), ROOM)
    (question,) = lane.whole.questions()
    if how == "complete":
        lane.start_scan()
        lane.finish_scan(page(delivery("on", 2), complete=True))
        (again,) = taken(lane)
        succeed(lane, again)
    else:
        getattr(lane, how)()
    lane.answer(question, 2, ROOM)
    assert going(lane) == []
    assert lane.held == 0


@pytest.mark.parametrize("how", ["fall_behind", "read_anew", "switch_off", "recheck", "begin_anew"])
@pytest.mark.parametrize("complete", [True, False])
def test_a_page_that_is_overtaken_is_left(how: str, complete: bool) -> None:
    """An erasure, a replay or a change of the endpoint came while the store was read: it is read again."""
    lane = behind()
    changed = replace(ENDPOINT, url="https://crm.example/new")
    lane.start_scan()
    if how == "begin_anew":
        lane.begin_anew(changed)
    else:
        getattr(lane, how)()
    mode = lane.mode
    lane.finish_scan(page(delivery("erased", 1), complete=complete))
    assert going(lane) == []
    assert (lane.mode, lane.poked) == (mode, True)
    assert lane.endpoint == (changed if how == "begin_anew" else ENDPOINT)
    lane.start_scan()
    lane.finish_scan(page(delivery("left", 1), complete=complete))
    assert going(lane) == ["left1"]
    assert not lane.poked


def test_a_page_leaves_out_what_is_asked_about() -> None:
    lane = behind()
    lane.offer(delivery("on", 2), ROOM)
    (question,) = lane.whole.questions()
    lane.start_scan()
    lane.finish_scan(page(delivery("on", 2), delivery("old", 1)))
    assert going(lane) == ["old1"]
    lane.answer(question, 2, ROOM)
    assert going(lane) == ["on2"]


def test_a_look_into_the_store_that_was_faster_is_enough() -> None:
    lane = behind(delivery("new", 1))
    lane.offer(delivery("new", 1), ROOM)
    assert lane.held == 1
    (first,) = taken(lane)
    lane.settle(first, evicted=False)
    lane.queue.done(first)
    lane.offer(delivery("new", 1), ROOM)
    assert going(lane) == []


def test_what_failed_during_a_look_keeps_the_lane_behind() -> None:
    """The page was read before the state was stored: nobody but the store has it."""
    lane = behind()
    lane.start_scan()
    lane.offer(delivery("new", 1), ROOM)
    (first,) = taken(lane)
    fail(lane, first)
    lane.finish_scan(page(complete=True))
    assert (lane.mode, lane.poked) == (Mode.BEHIND, True)


def test_more_than_may_come_during_a_look_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "MEANWHILE", 1)
    lane = behind()
    lane.start_scan()
    lane.offer(delivery("one", 2), 0)
    lane.offer(delivery("two", 2), 0)
    lane.finish_scan(page(complete=True))
    assert (lane.mode, lane.poked) == (Mode.BEHIND, True)


def test_of_an_endpoint_that_is_off_the_store_is_looked_into_before_anything_goes() -> None:
    lane = behind()
    lane.switch_off()
    lane.recheck()
    assert (lane.mode, lane.poked) == (Mode.OFF, True)
    lane.offer(delivery("new", 1), ROOM)
    assert lane.held == 0


def test_legs_in_mind_and_questions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_legs, "REMEMBERED", 2)
    monkeypatch.setattr(whole_legs, "MOST_ASKED", 2)
    legs = WholeLegs()
    for leg in ("a", "b", "a", "c"):
        legs.add(leg)
    assert [leg in legs for leg in "abc"] == [False, True, True]
    assert [legs.ask(delivery("d", sequence)) for sequence in (2, 3, 4)] == [True, True, False]
    assert (legs.asked, legs.is_asked("d")) == (0, False)


@pytest.mark.parametrize("seed", range(30))
def test_each_state_arrives_in_the_order_of_its_leg_whatever_happens(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store in miniature: commits, looks and answers take their time, attempts fail, memory is short."""
    monkeypatch.setattr(whole_legs, "REMEMBERED", 5)
    monkeypatch.setattr(lane_module, "MEANWHILE", 6)
    chance = random.Random(seed)
    pending: dict[str, Delivery] = {}
    """What the store shows: by event id, in the order of the events."""
    lane = Lane("e")
    arrived: defaultdict[str, list[int]] = defaultdict(list)
    under_way: list[Delivery] = []
    unsaved: list[tuple[Delivery, bool]] = []
    looking, read = False, cast(Page | None, None)
    questions: list[tuple[Delivery, int | None]] = []
    coming = [iter([delivery(f"leg{number}", sequence) for sequence in (1, 2, 3, 4)]) for number in range(40)]

    def copies(found: Iterable[Delivery]) -> list[Delivery]:
        return [delivery(item.call_control_id, item.sequence) for item in found]

    def heads() -> list[Delivery]:
        firsts: dict[str, Delivery] = {}
        for item in pending.values():
            firsts.setdefault(item.call_control_id, item)
        return list(firsts.values())

    for step in range(20_000):
        what = chance.randrange(9)
        if what == 0 and coming and step > 200:
            call = chance.choice(coming[:5])
            if (new := next(call, None)) is None:
                coming.remove(call)
            else:
                pending[new.event_id] = new
                lane.offer(new, chance.choice([0, 3, 8]))
        elif what == 1 and not looking and lane.poked and lane.queue.backlog < 3:
            lane.start_scan()
            looking = True
        elif what == 1 and looking and read is None:
            complete = len(pending) <= 8
            read = page(*copies(pending.values() if complete else heads()[:4]), complete=complete)
        elif what == 2 and read is not None:
            lane.finish_scan(read)
            read, looking = None, False
        elif what == 3:
            for question in lane.whole.questions():
                found = [one.sequence for one in heads() if one.call_control_id == question.call_control_id]
                questions.append((question, found[0] if found else None))
        elif what == 4 and questions:
            lane.answer(*questions.pop(chance.randrange(len(questions))), chance.choice([0, 4]))
        elif what == 5 and (sent := lane.queue.take(step, 4)) is not None:
            under_way.append(sent)
        elif what == 6 and under_way:
            item = under_way.pop(chance.randrange(len(under_way)))
            failed = chance.random() < 0.2
            if not failed:
                arrived[item.call_control_id].append(item.sequence)
            elif item.forgotten and lane.mode is Mode.LIVE:
                lane.fall_behind()
            kept = failed and lane.mode is Mode.LIVE
            lane.settle(item, evicted=failed and not kept)
            unsaved.append((item, failed))
            if kept:
                lane.queue.retry(item, step + 50)
            else:
                lane.queue.done(item)
        elif what == 7 and unsaved:
            item, failed = unsaved.pop(0)
            if not failed:
                pending.pop(item.event_id, None)
            lane.settled(item)
        elif what == 8 and chance.random() < 0.02:
            chance.choice([lane.fall_behind, lane.read_anew, lane.die, lane.recheck])()
        lane.poked |= lane.mode is Mode.BEHIND and step % 100 == 0  # the upkeep of each second
    assert not pending
    assert (lane.held, len(arrived)) == (0, 40)
    for leg, sequences in arrived.items():
        assert sequences == [1, 2, 3, 4], leg
