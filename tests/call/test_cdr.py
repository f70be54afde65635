"""Call records, folded from facts."""

import pytest
from msgspec.structs import replace

from kobza.call.cdr import Cdr, CdrFold, fold
from kobza.call.events import CallHeld, OriginatorRang, RecordingStarted
from kobza.call.routing import Party
from tests.call.ladder import COMPETITOR, OLENA, STRANGER, TARAS
from tests.call.test_states import ANSWERED, ENDED, RANG, T, started


def test_an_answered_local_call_is_one_record() -> None:
    assert fold([started(client_state="deal 7"), RANG, ANSWERED, CallHeld("call", T + 6, "a"), ENDED]) == [
        Cdr(
            call_id="call",
            enterprise_id="mriia",
            calling_number="+380671110001",
            called_number="+380671110002",
            answered_number="+380671110002",
            started_at=T,
            ringing_at=T + 0.2,
            answered_at=T + 5.0,
            ended_at=T + 18.7,
            direction="local",
            cause=16,
            sip_status=200,
            released_by="called",
            client_state="deal 7",
            convergent=True,
        )
    ]


@pytest.mark.parametrize("shown_as", ["anonymous", "+380800123456"])
def test_the_record_of_another_enterprise_has_the_caller_as_it_is_shown(shown_as: str) -> None:
    ours, theirs = fold([started(replace(OLENA, shown_as=shown_as), COMPETITOR), RANG, ENDED])
    assert (ours.calling_number, theirs.calling_number) == (OLENA.number, shown_as)
    (local,) = fold([started(replace(OLENA, shown_as=shown_as)), RANG, ENDED])
    assert local.calling_number == OLENA.number


def test_each_enterprise_has_a_record_of_its_own() -> None:
    ours, theirs = fold([started(callee=COMPETITOR, client_state="deal 7"), RANG, ANSWERED, ENDED])
    assert (ours.enterprise_id, ours.direction, ours.client_state) == ("mriia", "outgoing", "deal 7")
    assert (theirs.enterprise_id, theirs.direction, theirs.client_state) == ("sokil", "incoming", None)


@pytest.mark.parametrize(
    ("caller", "callee", "directions"),
    [(OLENA, STRANGER, ["outgoing"]), (STRANGER, COMPETITOR, ["incoming"]), (STRANGER, STRANGER, [])],
)
def test_outside_has_no_record(caller: Party, callee: Party, directions: list[str]) -> None:
    assert [record.direction for record in fold([started(caller, callee)])] == directions


def test_a_record_grows() -> None:
    records = CdrFold()
    assert not records.records
    assert records.feed(started())
    (record,) = records.records
    assert (record.ringing_at, record.answered_at, record.ended_at, record.cause) == (None, None, None, None)
    assert records.feed(RANG)
    assert records.records[0].ringing_at == T + 0.2
    assert records.feed(ANSWERED)
    assert not records.feed(CallHeld("call", T + 6, "a"))
    assert records.records[0].answered_number == "+380671110002"


def test_a_click2dial_call_rings_with_the_originators_phone_for_its_own_enterprise_only() -> None:
    ours, theirs = fold([started(callee=COMPETITOR, origin="api"), OriginatorRang("call", T + 0.1, "a"), RANG])
    assert (ours.ringing_at, theirs.ringing_at) == (T + 0.1, T + 0.2)


@pytest.mark.parametrize(
    ("caller", "callee", "convergent"),
    [
        (Party("1", "mriia"), Party("2", "mriia", convergent=True), [True]),
        (Party("1", "mriia"), Party("2", "sokil", convergent=True), [False, True]),
        (Party("1", "mriia"), Party("2", "mriia"), [False]),
    ],
)
def test_convergent(caller: Party, callee: Party, convergent: list[bool]) -> None:
    assert [record.convergent for record in fold([started(caller, callee)])] == convergent


@pytest.mark.parametrize(
    ("callee", "recorder", "record_ids"),
    [(TARAS, "mriia", ["rec"]), (COMPETITOR, "mriia", ["rec", None]), (COMPETITOR, "sokil", [None, "rec"])],
)
def test_whose_the_recording_is(callee: Party, recorder: str, record_ids: list[str | None]) -> None:
    records = fold([started(callee=callee), ANSWERED, RecordingStarted("call", T + 5, "rec", recorder)])
    assert [record.record_id for record in records] == record_ids
