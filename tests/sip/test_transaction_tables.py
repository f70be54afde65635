"""The tables as data: whole, without dead ends, and the same as what runs."""

import pytest

from kobza.sip import transaction
from kobza.sip.transaction_tables import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Action,
    Input,
    State,
    Table,
)

TABLES: dict[str, tuple[Table, transaction.Steps]] = {
    "INVITE client": (INVITE_CLIENT, transaction.INVITE_CLIENT_STEPS),
    "non-INVITE client": (NON_INVITE_CLIENT, transaction.NON_INVITE_CLIENT_STEPS),
    "INVITE server": (INVITE_SERVER, transaction.INVITE_SERVER_STEPS),
    "non-INVITE server": (NON_INVITE_SERVER, transaction.NON_INVITE_SERVER_STEPS),
}
ONLY_CLIENT = {Input.RECEIVE_1XX, Input.RECEIVE_2XX, Input.RECEIVE_300_699, Input.GIVE_UP}
ONLY_SERVER = {
    Input.RECEIVE_REQUEST,
    Input.RECEIVE_ACK,
    Input.RESPOND_1XX,
    Input.RESPOND_2XX,
    Input.RESPOND_300_699,
    Input.PATIENCE,
}
every_table = pytest.mark.parametrize("name", TABLES)


@every_table
def test_every_state_is_reached_and_can_end(name: str) -> None:
    table, _ = TABLES[name]
    reached, ending = {State.INITIAL}, {State.TERMINATED}
    for _ in State:
        reached |= {after for (state, _), (after, _) in table.items() if state in reached}
        ending |= {state for (state, _), (after, _) in table.items() if after in ending}
    assert reached == {state for state, _ in table} | {State.TERMINATED}
    assert ending == reached


@every_table
def test_nothing_leaves_the_end_and_nothing_returns_to_the_start(name: str) -> None:
    table, _ = TABLES[name]
    assert [state for state, _ in table if state is State.TERMINATED] == []
    assert [what for state, what in table if state is State.INITIAL] == [Input.START]
    assert State.INITIAL not in {after for after, _ in table.values()}
    assert [state for state, what in table if what is Input.START] == [State.INITIAL]


@every_table
def test_inputs_are_those_of_the_side(name: str) -> None:
    inputs = {what for _, what in TABLES[name][0]}
    assert inputs & (ONLY_SERVER if "client" in name else ONLY_CLIENT) == set()


@every_table
def test_every_timer_that_is_started_is_heard_in_some_state_and_the_other_way_round(name: str) -> None:
    table, _ = TABLES[name]
    started = {
        "PATIENCE" if action is Action.START_PATIENCE else "TIMER_" + action.name[-1]
        for _, actions in table.values()
        for action in actions
        if action.name.startswith("START_")
    }
    heard = {what.name for _, what in table if what is Input.PATIENCE or what.name.startswith("TIMER_")}
    assert started == heard


@every_table
def test_what_runs_is_the_table(name: str) -> None:
    table, steps = TABLES[name]
    for state in State:
        for what in Input:
            step = steps[state][what]
            if (state, what) not in table:
                assert step is None
            else:
                after, actions = table[state, what]
                assert step is not None
                assert (step[0], len(step[1])) == (after, len(actions))


def test_every_input_and_every_action_is_used() -> None:
    tables = [table for table, _ in TABLES.values()]
    assert {what for table in tables for _, what in table} == set(Input)
    assert {action for table in tables for _, actions in table.values() for action in actions} == set(Action)


def test_timers_are_those_of_the_rfcs_save_c() -> None:
    """A to K are of RFC 3261, table 4; L and M of RFC 6026. C is a proxy's (16.6), and we are none."""
    assert [what.name[-1] for what in Input if what.name.startswith("TIMER_")] == list("ABDEFGHIJKLM")
