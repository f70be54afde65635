"""Reads scenarios and faults: what the fields are, what they may hold, and what contradicts itself."""

import re
from collections.abc import Callable, Collection, Iterator
from typing import Final

from kobza.sandbox.faults import Fault, Kind
from kobza.sandbox.fields import Fields, InvalidScenario, fields_of
from kobza.sandbox.scenario import Digits, Hold, Scenario, Start, Then, Transfer, Who

MAX_RING: Final = 300
MAX_TALK: Final = 4 * 3600
MAX_HOLDS: Final = 20
MAX_DIGITS: Final = 32
MAX_PRESSES: Final = 20
_DIGITS: Final = re.compile(rf"[0-9*#A-D]{{1,{MAX_DIGITS}}}")
MAX_DEVICES: Final = 4
STATES: Final = ("alerting", "established", "finished")
FIELDS: Final = (
    "scenario",
    "title",
    "caller",
    "called",
    "start",
    "ring_for",
    "then",
    "status",
    "cause",
    "talk_for",
    "hang_up",
    "hold",
    "dtmf",
    "transfer",
    "media_stops_after",
    "dnd",
    "registered",
    "devices",
    "faults",
    "expect",
)
FAULT_FIELDS: Final = ("fault", "next", "seconds", "status", "delivered", "state")
MAX_SCENARIO_FAULTS: Final = 20
MAX_NEXT: Final = 1000
MAX_DELAY: Final = 24 * 3600


def read_scenario(
    body: bytes, *, own: Collection[str], ready: Callable[[str], Fields | None], names: Collection[str]
) -> tuple[str | None, Scenario]:
    """Read a scenario, or the name of a ready-made one with fields to change; return that name and the scenario.

    Raises InvalidScenario.

    `own` are the numbers of the enterprise, E.164; `ready` gives the fields of a ready-made scenario, of which `names`
    are all.
    """
    fields = fields_of(body)
    name = None
    if fields.has("scenario"):
        name = fields.text("scenario")
        below = ready(name)
        if below is None:
            fields.wrong("scenario", f"there is none of that name; the ready-made ones are {', '.join(names)}")
            raise InvalidScenario(
                fields.problems
            )  # what else is missing would be noise: it is in the one that is meant
        fields = fields.over(below)
    return name, scenario_of(fields, own)


def scenario_of(fields: Fields, own: Collection[str]) -> Scenario:
    """Check fields and return the scenario. Raises InvalidScenario with everything that is wrong."""
    fields.known(FIELDS)
    scenario = Scenario(
        title=fields.text("title"),
        caller=fields.number("caller"),
        called=fields.number("called"),
        start=fields.choice("start", Start, Start.DIAL),
        ring_for=fields.seconds("ring_for", 2, MAX_RING),
        then=fields.choice("then", Then, Then.ANSWER),
        status=fields.whole("status", 300, 699),
        cause=fields.whole("cause", 1, 127),
        talk_for=fields.seconds("talk_for", 5, MAX_TALK, 1),
        hang_up=fields.choice("hang_up", Who, Who.CALLER),
        hold=tuple(_holds(fields)),
        dtmf=tuple(_digits(fields)),
        transfer=_transfer(fields),
        media_stops_after=fields.seconds("media_stops_after", 0, MAX_TALK) if fields.has("media_stops_after") else None,
        dnd=fields.switch("dnd", False),
        registered=fields.switch("registered", True),
        devices=fields.whole("devices", 1, MAX_DEVICES) or 1,
        faults=tuple(_fault(one) for one in fields.mappings("faults", MAX_SCENARIO_FAULTS)),
        expect=_expect(fields),
    )
    if not fields.problems:
        _check_together(scenario, fields, own)
    if fields.problems:
        raise InvalidScenario(fields.problems)
    return scenario


def read_fault(body: bytes) -> Fault:
    """Read one fault. Raises InvalidScenario."""
    fields = fields_of(body)
    fault = _fault(fields)
    if fields.problems:
        raise InvalidScenario(fields.problems)
    return fault


def _fault(fields: Fields) -> Fault:
    fields.known(FAULT_FIELDS)
    if not fields.has("fault"):
        fields.wrong("fault", f"is missing: {', '.join(Kind)}")
    kind = fields.choice("fault", Kind, Kind.ERROR)
    for name, kinds in (
        ("seconds", (Kind.DELAY,)),
        ("status", (Kind.ERROR,)),
        ("delivered", (Kind.ERROR, Kind.TIMEOUT, Kind.DISCONNECT)),
    ):
        if fields.has(name) and kind not in kinds:
            fields.wrong(name, f"goes with fault: {' or '.join(kinds)}")
    state = fields.text("state") or None
    if state is not None and state not in STATES:
        fields.wrong("state", f"expected {', '.join(STATES)}")
    return Fault(
        kind,
        next=fields.whole("next", 1, MAX_NEXT) or 1,
        seconds=fields.seconds("seconds", 10, MAX_DELAY),
        status=fields.whole("status", 300, 599) or 500,
        delivered=fields.switch("delivered", False),
        state=state,
    )


def _holds(fields: Fields) -> Iterator[Hold]:
    for one in fields.mappings("hold", MAX_HOLDS):
        one.known(("by", "after", "for"))
        by = one.choice("by", Who, Who.CALLED)
        yield Hold(by, one.seconds("after", 1, MAX_TALK), one.seconds("for", 1, MAX_TALK))


def _digits(fields: Fields) -> Iterator[Digits]:
    for one in fields.mappings("dtmf", MAX_PRESSES):
        one.known(("by", "after", "digits"))
        digits = one.text("digits", longest=MAX_DIGITS)
        if _DIGITS.fullmatch(digits) is None:
            one.wrong("digits", f"expected 1 to {MAX_DIGITS} of 0 to 9, *, #, A to D")
        yield Digits(one.choice("by", Who, Who.CALLER), one.seconds("after", 1, MAX_TALK), digits)


def _transfer(fields: Fields) -> Transfer | None:
    inner = fields.mapping("transfer")
    if inner is None:
        return None
    inner.known(("by", "after", "to", "ring_for"))
    by, after = inner.choice("by", Who, Who.CALLED), inner.seconds("after", 1, MAX_TALK)
    return Transfer(by, after, inner.number("to"), inner.seconds("ring_for", 2, MAX_RING))


def _expect(fields: Fields) -> dict[str, int | str | tuple[str, ...]]:
    inner = fields.mapping("expect")
    if inner is None:
        return {}
    inner.known(("cause", "sip_status", "released_by", "call_duration", "ringing", "states"))
    found: dict[str, int | str | tuple[str, ...] | None] = {
        "cause": inner.whole("cause", 1, 127),
        "sip_status": inner.whole("sip_status", 100, 699),
        "released_by": inner.text("released_by") or None,
        "call_duration": inner.whole("call_duration", 0, MAX_TALK),
        "ringing": inner.whole("ringing", 0, MAX_TALK),
        "states": inner.words("states", STATES),
    }
    if found["released_by"] not in (None, "caller", "called", "api", "network"):
        inner.wrong("released_by", "expected caller, called, api, network")
    return {name: value for name, value in found.items() if value is not None}


def _check_together(scenario: Scenario, fields: Fields, own: Collection[str]) -> None:
    """Note what contradicts itself."""
    inside_called = scenario.called in own
    if scenario.caller == scenario.called:
        fields.wrong("called", "is the caller")
    if scenario.caller not in own and not inside_called:
        fields.wrong("caller", "one of both must be a number of the enterprise")
    if scenario.start is not Start.DIAL and scenario.caller not in own:
        fields.wrong("start", f"{scenario.start} needs a caller of the enterprise: its phone rings first")
    for name, given in (
        ("dnd", scenario.dnd),
        ("registered", not scenario.registered),
        ("devices", scenario.devices > 1),
    ):
        if given and not inside_called:
            fields.wrong(name, "is for a called number of the enterprise")
    if scenario.devices > 1 and scenario.rejection is not None:
        fields.wrong("devices", "goes not with a rejection: the other phones would ring on")
    if scenario.then not in (Then.BUSY, Then.REJECT):
        for name in ("status", "cause"):
            if fields.has(name):
                fields.wrong(name, "goes with then: reject or busy")
    if scenario.then is not Then.ANSWER:
        for name in ("talk_for", "hang_up", "hold", "dtmf", "transfer", "media_stops_after"):
            if fields.has(name):
                fields.wrong(name, "goes with then: answer")
    if scenario.then is Then.CLEAR and not inside_called:
        fields.wrong("then", "clear rejects at the called number, which must then be the enterprise's")
    if scenario.then is Then.NO_ANSWER and fields.has("ring_for"):
        fields.wrong("ring_for", "goes not with then: no_answer, which rings until the server gives up")
    if scenario.then in (Then.CANCEL, Then.CLEAR) and scenario.ring_for < 1:
        fields.wrong("ring_for", f"expected at least 1 with then: {scenario.then}")
    end = 0.0
    for hold in scenario.hold:
        if hold.after < end:
            fields.wrong("hold", "each hold begins after the one before has ended")
        end = hold.after + hold.seconds
    if end > scenario.talk_for:
        fields.wrong("hold", f"ends {end:g} s after the answer, later than talk_for")
    _check_commands(scenario, fields, own)


def _check_commands(scenario: Scenario, fields: Fields, own: Collection[str]) -> None:
    """Note what the API could not do."""
    sides = {Who.CALLER: scenario.caller, Who.CALLED: scenario.called}
    for digits in scenario.dtmf:
        if sides.get(digits.by) not in own:
            fields.wrong("dtmf", "by is caller or called, and must be the enterprise's: the API presses its keys")
        if digits.after >= scenario.talk_for:
            fields.wrong("dtmf", "comes later than talk_for")
    transfer = scenario.transfer
    if transfer is None:
        return
    if sides.get(transfer.by) not in own:
        fields.wrong("transfer", "by is caller or called, and must be the enterprise's: the API acts on its leg")
    if transfer.to in scenario.numbers:
        fields.wrong("transfer", "to takes part in the call already")
    if transfer.after + transfer.ring_for >= scenario.talk_for:
        fields.wrong("transfer", "is answered later than talk_for")
    if any(hold.after + hold.seconds > transfer.after for hold in scenario.hold):
        fields.wrong("transfer", "comes after all holds have ended")
    if scenario.media_stops_after is not None:
        fields.wrong("transfer", "goes not with media_stops_after")
