"""What every input does in every phase, found out by trying; `python -m tests.call.state_table` prints the table."""

from collections.abc import Callable
from typing import Final

from kobza.call.errors import WrongStateError
from kobza.call.phases import Phase
from tests.call.ladder import ANSWER, Ladder, with_direction

INPUTS: Final[dict[str, Callable[[Ladder], object]]] = {
    "a device rings (180)": lambda ladder: ladder.progress("device"),
    "a device sends early media (183)": lambda ladder: ladder.progress("device", 183, b"early"),
    "a device is called forward (181)": lambda ladder: ladder.progress("device", 181),
    "a device answers": lambda ladder: ladder.answer("device"),
    "the last device is busy": lambda ladder: ladder.reject("device", 486),
    "the caller cancels": lambda ladder: ladder.cancel(),
    "the caller hangs up": lambda ladder: ladder.hang_up("caller"),
    "the called side hangs up": lambda ladder: ladder.hang_up("device"),
    "the caller's phone is gone": lambda ladder: ladder.lose("caller", 102),
    "the called side's phone is gone": lambda ladder: ladder.lose("device", 102),
    "a refresh of the caller's session is due": lambda ladder: ladder.refresh("caller"),
    "a refresh of the device's session is due": lambda ladder: ladder.refresh("device"),
    "the caller's ACK": lambda ladder: ladder.ack(),
    "an offer of the caller's phone": lambda ladder: ladder.offer("caller", with_direction("sendonly")),
    "an offer of the device": lambda ladder: ladder.offer("device", with_direction("sendonly")),
    "the caller's phone accepts an offer": lambda ladder: ladder.accept_offer("caller"),
    "the caller's phone refuses an offer": lambda ladder: ladder.refuse_offer("caller", 488),
    "media replies": lambda ladder: ladder.media_replies(),
    "media fails": lambda ladder: ladder.media_fails(),
    "media of the caller stops": lambda ladder: ladder.media_times_out("caller"),
    "media of the called side stops": lambda ladder: ladder.media_times_out("callee"),
    "timer `ring`": lambda ladder: ladder.timer("ring"),
    "timer `settle`": lambda ladder: ladder.timer("settle"),
    "timer `command`": lambda ladder: ladder.timer("command:leg-caller:1"),
    "another number picks the call up": lambda ladder: ladder.pick_up("callee", "taker"),
    "the caller goes on at another phone": lambda ladder: ladder.move("caller", "taker"),
    "API: clear": lambda ladder: ladder.clear("caller"),
    "API: hold": lambda ladder: ladder.hold("caller"),
    "API: unhold": lambda ladder: ladder.unhold("caller"),
    "API: mute": lambda ladder: ladder.mute("caller"),
    "API: dtmf": lambda ladder: ladder.digits("caller", "1"),
    "API: record_start": lambda ladder: ladder.record("caller", "record_start"),
    "API: transfer": lambda ladder: ladder.transfer("caller", "new"),
    "the server stops": lambda ladder: ladder.terminate(41),
}


def reached(phase: Phase) -> Ladder:
    """A call in a phase: click2dial for the first three, where "device" is the originator's, else from a phone.

    While transferring "device" is the destination's, in the place of the called side.
    """
    ladder = Ladder(media="manual")
    if phase in (Phase.ORIGINATOR_PREPARING, Phase.ORIGINATOR_RINGING, Phase.ORIGINATOR_CONNECTING):
        ladder.originate(["device"], ["desk"])
        if phase is not Phase.ORIGINATOR_PREPARING:
            ladder.media_replies()
        if phase is Phase.ORIGINATOR_CONNECTING:
            ladder.answer("device")
        ladder.branch_ids["caller"] = ladder.branch_ids.get("device", "none yet")
    else:
        ladder.invite("device")
        if phase is not Phase.PREPARING:
            ladder.media_replies()
        if phase not in (Phase.PREPARING, Phase.RINGING):
            ladder.answer("device", ANSWER)
        if phase in (Phase.TALKING, Phase.TRANSFERRING, Phase.ENDED):
            ladder.media_replies()
        if phase is Phase.TRANSFERRING:
            ladder.transfer("callee", "new", recall=())
            ladder.media_replies()
            ladder.branch_ids["device"] = ladder.branch_ids["new"]
        if phase is Phase.ENDED:
            ladder.hang_up("caller")
    ladder.branch_ids.setdefault("device", "none yet")
    ladder.asked.append("never asked")
    ladder.take()
    assert ladder.call.phase is phase
    return ladder


def effect(phase: Phase, play: Callable[[Ladder], object]) -> str:
    """What an input does: the phase that follows, or else the facts and the actions."""
    ladder = reached(phase)
    facts = len(ladder.facts)
    try:
        play(ladder)
    except WrongStateError:
        return "409"
    if ladder.call.phase is Phase.ENDED is not phase:
        return f"end {ladder.ended.cause}"
    if ladder.call.phase is not phase:
        return f"→ {ladder.call.phase}"
    did = [type(fact).__name__ for fact in ladder.facts[facts:]] + ladder.take()
    return ", ".join(did) or "·"


def table() -> list[str]:
    """The table in Markdown."""
    lines = ["| | " + " | ".join(Phase) + " |", "|" + " --- |" * (len(Phase) + 1)]
    for name, play in INPUTS.items():
        lines.append(f"| {name} | " + " | ".join(effect(phase, play) for phase in Phase) + " |")
    return lines


def diagram() -> list[str]:
    """The phases as a Mermaid diagram."""
    from kobza.call.phases import TRANSITIONS

    def name(phase: Phase) -> str:
        return phase.replace(" ", "_")

    lines = ["stateDiagram-v2", f"    [*] --> {name(Phase.ORIGINATOR_PREPARING)}: click2dial"]
    lines.append(f"    [*] --> {name(Phase.PREPARING)}: INVITE")
    for phase, following in TRANSITIONS.items():
        lines += [f"    {name(phase)} --> {name(after)}" for after in Phase if after in following]
    return lines


if __name__ == "__main__":
    print("\n".join(diagram()))  # noqa: T201
    print("\n".join(table()))  # noqa: T201
