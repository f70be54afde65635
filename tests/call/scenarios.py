"""The scenarios of docs/calls.md: one function for each row of its table, named by the row's first cell."""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from kobza.call.actions import InTurn
from kobza.call.reach import EVERYBODY_BUSY, LOOP, OCCUPIED
from kobza.call.routing import SEVERAL, Party, Refused
from kobza.call.step import Step
from tests.call.ladder import ANNA, COMPETITOR, GROUP, OLENA, PETRO, STRANGER, TARAS, Ladder, q850

SCENARIOS: Final[dict[str, Callable[[Ladder], None]]] = {}


def scenario(name: str) -> Callable[[Callable[[Ladder], None]], Callable[[Ladder], None]]:
    """Give a row of the table its scenario."""

    def note(play: Callable[[Ladder], None]) -> Callable[[Ladder], None]:
        assert name not in SCENARIOS, name
        SCENARIOS[name] = play
        return play

    return note


@scenario("answered, the caller hangs up")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.answer("desk", after=4)
    ladder.hang_up("caller", after=10)


@scenario("answered, the called side hangs up")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.answer("desk", after=4)
    ladder.hang_up("desk", after=10)


@scenario("hung up with a cause of its own")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.answer("desk", after=4)
    ladder.hang_up("desk", q850(31), after=10)


@scenario("the caller's phone is gone, nobody refreshes its session")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.answer("desk", after=4)
    ladder.lose("caller", 102, after=100)


@scenario("the phone that answered does not know the call any more")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.answer("desk", after=4)
    ladder.refresh("desk", after=90)
    ladder.refuse_offer("desk", 481)
    ladder.lose("desk", 41, after=0)


@scenario("answered without ringing")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.answer("desk", after=0.2)
    ladder.hang_up("caller", after=10)


@scenario("one of several devices answers")
def _(ladder: Ladder) -> None:
    ladder.invite("desk", "soft")
    ladder.progress("desk")
    ladder.progress("soft")
    ladder.answer("soft", after=4)
    ladder.reject("desk", 487)
    ladder.hang_up("soft", after=10)


@scenario("from outside")
def _(ladder: Ladder) -> None:
    ladder.invite("desk", caller=STRANGER, origin="trunk")
    ladder.progress("desk")
    ladder.answer("desk", after=4)
    ladder.hang_up("caller", after=10)


@scenario("to the outside, with early media")
def _(ladder: Ladder) -> None:
    ladder.invite("trunk", callee=STRANGER)
    ladder.progress("trunk", 183, b"early")
    ladder.answer("trunk", after=4)
    ladder.hang_up("trunk", after=10)


@scenario("to another enterprise")
def _(ladder: Ladder) -> None:
    ladder.invite("desk", callee=COMPETITOR)
    ladder.progress("desk")
    ladder.answer("desk", after=4)
    ladder.hang_up("caller", after=10)


@scenario("busy")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.reject("desk", 486)


@scenario("in a call, without call waiting")
def _(ladder: Ladder) -> None:
    ladder.invite(first=Step((), empty=OCCUPIED))


@scenario("in a call, without call waiting, forwarded when busy")
def _(ladder: Ladder) -> None:
    ladder.then("new")
    ladder.invite(first=Step((), empty=OCCUPIED), caller=STRANGER, origin="trunk")
    ladder.progress("new")
    ladder.answer("new", after=4)
    ladder.hang_up("caller", after=10)


@scenario("rejected while ringing")
def _(ladder: Ladder) -> None:
    ladder.invite("desk", "soft")
    ladder.progress("desk")
    ladder.progress("soft")
    ladder.reject("desk", 603, after=4)
    ladder.reject("soft", 487)


@scenario("busy here, no answer there")
def _(ladder: Ladder) -> None:
    ladder.invite("desk", "soft")
    ladder.reject("desk", 486)
    ladder.reject("soft", 480)


@scenario("unknown behind the trunk")
def _(ladder: Ladder) -> None:
    ladder.invite("trunk", callee=STRANGER)
    ladder.reject("trunk", 404)


@scenario("the trunk gives a cause")
def _(ladder: Ladder) -> None:
    ladder.invite("trunk", callee=STRANGER)
    ladder.reject("trunk", 500, q850(34))


@scenario("the trunk wants credentials")
def _(ladder: Ladder) -> None:
    ladder.invite("trunk", callee=STRANGER)
    ladder.reject("trunk", 407)


@scenario("the first trunk fails, the second one answers")
def _(ladder: Ladder) -> None:
    ladder.invite(InTurn(("trunk", "spare")), callee=STRANGER)
    ladder.reject("trunk", 503)
    ladder.progress("spare", 183, b"early")
    ladder.answer("spare", after=4)
    ladder.hang_up("spare", after=10)


@scenario("the first trunk is silent, the second one rings")
def _(ladder: Ladder) -> None:
    ladder.invite(InTurn(("trunk", "spare")), callee=STRANGER)
    ladder.silence("trunk", after=5)
    ladder.progress("spare")
    ladder.answer("spare", after=4)
    ladder.reject("trunk", 487, after=20)
    ladder.hang_up("caller", after=10)


@scenario("the first trunk says busy")
def _(ladder: Ladder) -> None:
    ladder.invite(InTurn(("trunk", "spare")), callee=STRANGER)
    ladder.reject("trunk", 500, q850(17))


@scenario("no trunk is left")
def _(ladder: Ladder) -> None:
    ladder.invite(InTurn(("trunk", "spare", "last")), callee=STRANGER)
    ladder.reject("trunk", 503, q850(34))
    ladder.silence("spare", after=5)
    ladder.reject("last", 500)
    ladder.reject("spare", 408)


@scenario("redirected")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.reject("desk", 302)


@scenario("no answer in time")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.timer("ring", after=60)
    ladder.reject("desk", 487)


@scenario("the device is gone")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.reject("desk", 408, after=32)


@scenario("no device registered")
def _(ladder: Ladder) -> None:
    ladder.invite()


@scenario("the caller gives up")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.cancel(after=5)
    ladder.reject("desk", 487)


@scenario("the caller gives up before it rings")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.cancel(after=5)
    ladder.reject("desk", 487)


@scenario("the caller does not acknowledge that it rings")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.lose("caller", 102, after=32)
    ladder.reject("desk", 487)


@scenario("the caller's codecs are unknown")
def _(ladder: Ladder) -> None:
    ladder.media = "manual"
    ladder.invite("desk")
    ladder.media_fails("not acceptable: no audio codec in common")


@scenario("no port left for media")
def _(ladder: Ladder) -> None:
    ladder.media = "manual"
    ladder.invite("desk")
    ladder.media_fails("no ports left")


@scenario("media stops")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.answer("desk", after=4)
    ladder.media_times_out("callee", after=60)


@scenario("the server stops")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.answer("desk", after=4)
    ladder.terminate(41, after=10)


@scenario("the API clears while ringing")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.clear("callee", after=5)
    ladder.reject("desk", 487)


@scenario("the caller's API gives up while it rings")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.clear("caller", after=5)
    ladder.reject("desk", 487)


@scenario("the API clears while talking")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.answer("desk", after=4)
    ladder.clear("caller", after=10)


@scenario("always forwarded to a colleague")
def _(ladder: Ladder) -> None:
    ladder.invite("new", hops=[PETRO])
    ladder.progress("new")
    ladder.answer("new", after=4)
    ladder.hang_up("caller", after=10)


@scenario("busy, forwarded to a colleague")
def _(ladder: Ladder) -> None:
    ladder.then("new")
    ladder.invite("desk")
    ladder.reject("desk", 486)
    ladder.progress("new")
    ladder.answer("new", after=4)
    ladder.hang_up("new", after=10)


@scenario("no answer, forwarded to the outside")
def _(ladder: Ladder) -> None:
    ladder.then("trunk", hops=[STRANGER])
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.timer("ring", after=20)
    ladder.reject("desk", 487)
    ladder.progress("trunk", 183, b"early")
    ladder.answer("trunk", after=4)
    ladder.hang_up("caller", after=10)


@scenario("from outside, no device registered, forwarded to the outside")
def _(ladder: Ladder) -> None:
    ladder.then("trunk", hops=[replace(STRANGER, number="+380445550001")])
    ladder.invite(caller=STRANGER, origin="trunk")
    ladder.progress("trunk")
    ladder.answer("trunk", after=4)
    ladder.hang_up("caller", after=10)


@scenario("no answer, forwarded to another enterprise, and on to the outside")
def _(ladder: Ladder) -> None:
    ladder.then("trunk", hops=[COMPETITOR, STRANGER])
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.timer("ring", after=20)
    ladder.reject("desk", 487)
    ladder.progress("trunk")
    ladder.answer("trunk", after=4)
    ladder.hang_up("caller", after=10)


@scenario("busy, forwarded, no answer there")
def _(ladder: Ladder) -> None:
    ladder.then("new", seconds=20)
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.reject("desk", 486, after=4)
    ladder.progress("new")
    ladder.timer("ring", after=20)
    ladder.reject("new", 487)


@scenario("busy, forwarded, nobody there")
def _(ladder: Ladder) -> None:
    ladder.then()
    ladder.invite("desk")
    ladder.reject("desk", 486)


@scenario("busy, forwarded in a circle")
def _(ladder: Ladder) -> None:
    ladder.steps.append(LOOP)
    ladder.invite("desk")
    ladder.reject("desk", 486)


@scenario("no answer, forwarded, the caller gives up")
def _(ladder: Ladder) -> None:
    ladder.then("new")
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.timer("ring", after=20)
    ladder.reject("desk", 487)
    ladder.progress("new")
    ladder.cancel(after=5)
    ladder.reject("new", 487)


@scenario("forwarded, rejected through the API there")
def _(ladder: Ladder) -> None:
    ladder.then("new")
    ladder.invite("desk")
    ladder.reject("desk", 486)
    ladder.progress("new")
    ladder.clear("callee", after=5)
    ladder.reject("new", 487)


@scenario("from outside, outside working hours, forwarded to a colleague")
def _(ladder: Ladder) -> None:
    ladder.invite("new", hops=[PETRO], caller=STRANGER, origin="trunk")
    ladder.progress("new")
    ladder.answer("new", after=4)
    ladder.hang_up("caller", after=10)


@scenario("from outside, a group outside working hours, forwarded to the outside")
def _(ladder: Ladder) -> None:
    guard = replace(STRANGER, number="+380445550001")
    ladder.invite("trunk", hops=[guard], caller=STRANGER, callee=GROUP, origin="trunk")
    ladder.progress("trunk")
    ladder.answer("trunk", after=4)
    ladder.hang_up("caller", after=10)


@scenario("a group rings all at once, one answers")
def _(ladder: Ladder) -> None:
    ladder.invite(
        callee=GROUP, first=ladder.ring_group((TARAS, "desk"), (PETRO, "new")), caller=STRANGER, origin="trunk"
    )
    ladder.progress("desk")
    ladder.progress("new", after=1)
    ladder.answer("new", after=3)
    ladder.reject("desk", 487)
    ladder.hang_up("caller", after=10)


@scenario("a group rings all at once, busy, rejected through the API, no answer")
def _(ladder: Ladder) -> None:
    ladder.invite(
        callee=GROUP, first=ladder.ring_group((TARAS, "desk"), (PETRO, "new"), (OLENA, "soft")), caller=STRANGER
    )
    ladder.progress("new")
    ladder.progress("soft", after=0)
    ladder.reject("desk", 486)
    ladder.clear(PETRO.number, after=4.9)
    ladder.reject("new", 487)
    ladder.timer("ring", after=15)
    ladder.reject("soft", 487)


@scenario("a group rings in turn, the second one answers")
def _(ladder: Ladder) -> None:
    ladder.steps.append(ladder.ring_group((PETRO, "new")))
    ladder.invite(callee=GROUP, first=ladder.ring_group((TARAS, "desk")))
    ladder.progress("desk")
    ladder.timer("ring", after=20)
    ladder.reject("desk", 487)
    ladder.progress("new")
    ladder.answer("new", after=4)
    ladder.hang_up("new", after=10)


@scenario("a group rings in turn, nobody answers, then the outside")
def _(ladder: Ladder) -> None:
    ladder.then("trunk", hops=[STRANGER])
    ladder.invite(callee=GROUP, first=ladder.ring_group((TARAS, "desk")))
    ladder.progress("desk")
    ladder.timer("ring", after=20)
    ladder.reject("desk", 487)
    ladder.progress("trunk")
    ladder.answer("trunk", after=4)
    ladder.hang_up("trunk", after=10)


@scenario("a group rings, the caller gives up")
def _(ladder: Ladder) -> None:
    ladder.invite(callee=GROUP, first=ladder.ring_group((TARAS, "desk"), (PETRO, "new")))
    ladder.progress("desk")
    ladder.cancel(after=5)
    ladder.reject("desk", 487)
    ladder.reject("new", 487)


@scenario("all of a group are busy")
def _(ladder: Ladder) -> None:
    ladder.invite(callee=GROUP, first=Step((), empty=EVERYBODY_BUSY))


@scenario("picked up by a colleague")
def _(ladder: Ladder) -> None:
    ladder.invite("desk", "soft", caller=STRANGER, origin="trunk")
    ladder.progress("desk")
    ladder.pick_up("callee", "petro", after=4)
    ladder.reject("desk", 487)
    ladder.reject("soft", 487)
    ladder.hang_up("petro", after=10)


@scenario("to another enterprise, picked up there")
def _(ladder: Ladder) -> None:
    ladder.invite("desk", callee=COMPETITOR)
    ladder.progress("desk")
    ladder.pick_up("callee", "other", replace(COMPETITOR, number="+380672220003"), after=4)
    ladder.reject("desk", 487)
    ladder.hang_up("caller", after=10)


@scenario("a group rings, one who is no member picks it up")
def _(ladder: Ladder) -> None:
    ladder.invite(callee=GROUP, first=ladder.ring_group((TARAS, "desk"), (PETRO, "new")))
    ladder.progress("desk")
    ladder.progress("new")
    ladder.pick_up("callee", "mobile", ANNA, after=4)
    ladder.reject("desk", 487)
    ladder.reject("new", 487)
    ladder.hang_up("caller", after=10)


@scenario("transferred to a colleague, picked up by another one")
def _(ladder: Ladder) -> None:
    ladder.talk()
    ladder.transfer("callee", "new", after=10)
    ladder.progress("new")
    ladder.pick_up("callee", "mobile", ANNA, after=4)
    ladder.reject("new", 487)
    ladder.hang_up("caller", after=10)


@scenario("the called one goes on at another phone")
def _(ladder: Ladder) -> None:
    ladder.talk()
    ladder.move("callee", "mobile", after=5)
    ladder.hang_up("mobile", after=5)


@scenario("held and resumed by a phone")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.answer("desk", after=4)
    ladder.offer("desk", b"m=audio 4 RTP/AVP 8\r\na=sendonly\r\n", after=2)
    ladder.offer("desk", b"m=audio 4 RTP/AVP 8\r\na=sendrecv\r\n", after=2)
    ladder.hang_up("caller", after=6)


@scenario("held and resumed through the API")
def _(ladder: Ladder) -> None:
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.answer("desk", after=4)
    ladder.hold("caller", after=2)
    ladder.accept_offer("caller", b"m=audio 4 RTP/AVP 8\r\na=inactive\r\n", after=0)
    ladder.accept_offer("desk", b"m=audio 4 RTP/AVP 8\r\na=recvonly\r\n", after=0)
    ladder.unhold("caller", after=2)
    ladder.accept_offer("caller", after=0)
    ladder.accept_offer("desk", after=0)
    ladder.hang_up("caller", after=6)


@scenario("transferred to a colleague")
def _(ladder: Ladder) -> None:
    ladder.talk()
    ladder.transfer("callee", "new", after=10)
    ladder.progress("new")
    ladder.answer("new", after=4)
    ladder.hang_up("new", after=10)


@scenario("the caller transfers, from outside to outside")
def _(ladder: Ladder) -> None:
    ladder.talk(callee=STRANGER)
    ladder.transfer("caller", "trunk", to=replace(STRANGER, number="+380445550001"), after=10)
    ladder.progress("trunk", 183, b"early")
    ladder.answer("trunk", after=4)
    ladder.hang_up("desk", after=10)


@scenario("transferred to another enterprise")
def _(ladder: Ladder) -> None:
    ladder.talk()
    ladder.transfer("callee", "new", to=COMPETITOR, after=10)
    ladder.progress("new")
    ladder.answer("new", after=4)
    ladder.hang_up("caller", after=10)


@scenario("transferred, busy there, taken back")
def _(ladder: Ladder) -> None:
    ladder.talk()
    ladder.transfer("callee", "new", after=10)
    ladder.reject("new", 486)
    ladder.progress("again")
    ladder.answer("again", after=4)
    ladder.hang_up("caller", after=10)


@scenario("transferred, nobody answers anywhere")
def _(ladder: Ladder) -> None:
    ladder.talk()
    ladder.transfer("callee", "new", after=10)
    ladder.progress("new")
    ladder.timer("ring", after=60)
    ladder.progress("again")
    ladder.reject("again", 603, after=5)
    ladder.reject("new", 487)


@scenario("transferred, busy there, nobody to take it back")
def _(ladder: Ladder) -> None:
    ladder.talk(caller=STRANGER, origin="trunk")
    ladder.transfer("callee", "new", recall=(), after=10)
    ladder.reject("new", 486)


@scenario("transferred, the other side gives up")
def _(ladder: Ladder) -> None:
    ladder.talk()
    ladder.transfer("callee", "new", after=10)
    ladder.progress("new")
    ladder.hang_up("caller", after=5)
    ladder.reject("new", 487)


@scenario("transferred, rejected through the API, taken back")
def _(ladder: Ladder) -> None:
    ladder.talk()
    ladder.transfer("callee", "new", after=10)
    ladder.progress("new")
    ladder.clear("callee", after=5)
    ladder.reject("new", 487)
    ladder.answer("again", after=4)
    ladder.hang_up("caller", after=10)


@scenario("click2dial, answered")
def _(ladder: Ladder) -> None:
    ladder.originate(["mine"], ["desk"])
    ladder.progress("mine")
    ladder.answer("mine", after=3)
    ladder.progress("desk", after=1)
    ladder.answer("desk", after=4)
    ladder.hang_up("mine", after=10)


@scenario("click2dial, the originator's phone is gone while it rings there")
def _(ladder: Ladder) -> None:
    ladder.originate(["soft"], ["desk"])
    ladder.progress("soft")
    ladder.answer("soft", after=4)
    ladder.progress("desk")
    ladder.lose("soft", 102, after=4)
    ladder.reject("desk", 487)


@scenario("click2dial to the outside")
def _(ladder: Ladder) -> None:
    ladder.originate(["mine"], ["trunk"], callee=STRANGER)
    ladder.progress("mine")
    ladder.answer("mine", after=3)
    ladder.progress("trunk", after=1)
    ladder.answer("trunk", after=4)
    ladder.hang_up("trunk", after=10)


@scenario("click2dial, the originator is busy")
def _(ladder: Ladder) -> None:
    ladder.originate(["mine"], ["desk"])
    ladder.reject("mine", 486)


@scenario("click2dial, the originator does not answer")
def _(ladder: Ladder) -> None:
    ladder.originate(["mine"], ["desk"])
    ladder.progress("mine")
    ladder.timer("ring", after=60)
    ladder.reject("mine", 487)


@scenario("click2dial, the originator is not registered")
def _(ladder: Ladder) -> None:
    ladder.originate([], ["desk"])


@scenario("click2dial, the originator hangs up while it rings there")
def _(ladder: Ladder) -> None:
    ladder.originate(["mine"], ["desk"])
    ladder.progress("mine")
    ladder.answer("mine", after=3)
    ladder.progress("desk", after=1)
    ladder.hang_up("mine", after=4)
    ladder.reject("desk", 487)


@scenario("click2dial, the destination is busy")
def _(ladder: Ladder) -> None:
    ladder.originate(["mine"], ["desk"])
    ladder.progress("mine")
    ladder.answer("mine", after=3)
    ladder.reject("desk", 486)


@scenario("click2dial, the destination is busy, forwarded")
def _(ladder: Ladder) -> None:
    ladder.then("new")
    ladder.originate(["mine"], ["desk"])
    ladder.progress("mine")
    ladder.answer("mine", after=3)
    ladder.reject("desk", 486, after=1)
    ladder.progress("new")
    ladder.answer("new", after=4)
    ladder.hang_up("mine", after=10)


@scenario("click2dial, the destination is not to be disturbed")
def _(ladder: Ladder) -> None:
    ladder.originate(["mine"], Refused(480, 21, "not to be disturbed"))
    ladder.progress("mine")
    ladder.answer("mine", after=3)


@scenario("click2dial, the destination is outside working hours")
def _(ladder: Ladder) -> None:
    ladder.originate(["mine"], Refused(480, 20, "outside the working hours"))
    ladder.progress("mine")
    ladder.answer("mine", after=3)


@scenario("click2dial, the originator's phone is asked for another codec")
def _(ladder: Ladder) -> None:
    ladder.originate(["mine"], ["desk"])
    ladder.progress("mine")
    ladder.answer("mine", after=3)
    ladder.progress("desk", after=1)
    ladder.codecs_differ = True
    ladder.answer("desk", after=4)
    ladder.accept_offer("mine")
    ladder.hang_up("mine", after=10)


@scenario("click2dial, no codec in common")
def _(ladder: Ladder) -> None:
    ladder.originate(["mine"], ["desk"])
    ladder.progress("mine")
    ladder.answer("mine", after=3)
    ladder.progress("desk", after=1)
    ladder.codecs_differ = True
    ladder.answer("desk", after=4)
    ladder.refuse_offer("mine", 488)
    ladder.refuse_offer("desk", 488)


@scenario("click2dial, the destination does not answer")
def _(ladder: Ladder) -> None:
    ladder.originate(["mine"], ["desk"])
    ladder.progress("mine")
    ladder.answer("mine", after=3)
    ladder.progress("desk", after=1)
    ladder.timer("ring", after=60)
    ladder.reject("desk", 487)


@scenario("click2dial, the destination is not registered")
def _(ladder: Ladder) -> None:
    ladder.originate(["mine"], [])
    ladder.progress("mine")
    ladder.answer("mine", after=3)


@scenario("click2dial, cleared while the originator's phone rings")
def _(ladder: Ladder) -> None:
    ladder.originate(["mine"], ["desk"])
    ladder.progress("mine")
    ladder.clear("caller", after=3)
    ladder.reject("mine", 487)


@scenario("click2dial, cleared while the destination rings")
def _(ladder: Ladder) -> None:
    ladder.originate(["mine"], ["desk"], caller=OLENA)
    ladder.progress("mine")
    ladder.answer("mine", after=3)
    ladder.progress("desk", after=1)
    ladder.clear("caller", after=3)
    ladder.reject("desk", 487)


@scenario("the caller leaves a conference, the called one is the last")
def _(ladder: Ladder) -> None:
    ladder.talk()
    ladder.confer()
    ladder.hang_up("caller", after=10)
    ladder.answer("seat", after=0)
    ladder.hang_up("desk", after=10)


@scenario("the called one is taken out of a conference, then nobody else is left")
def _(ladder: Ladder) -> None:
    ladder.talk()
    ladder.confer()
    ladder.clear("callee", after=10)
    ladder.answer("seat", after=0)
    ladder.terminate(16, after=10)


@scenario("a conference of two again is an ordinary call")
def _(ladder: Ladder) -> None:
    ladder.talk()
    ladder.confer()
    ladder.confer(on=False)
    ladder.hang_up("caller", after=10)


@scenario("a number is added to a call, and leaves")
def _(ladder: Ladder) -> None:
    ladder.originate(["seat"], ["desk"])
    ladder.answer("seat", after=0)
    ladder.progress("desk")
    ladder.answer("desk", after=4)
    ladder.hang_up("desk", after=10)


@scenario("a number that is added is busy")
def _(ladder: Ladder) -> None:
    ladder.originate(["seat"], ["desk"])
    ladder.answer("seat", after=0)
    ladder.reject("desk", 486)


@scenario("a supervisor's own call")
def _(ladder: Ladder) -> None:
    ladder.originate(["desk"], ["seat"], callee=Party(SEVERAL))
    ladder.progress("desk")
    ladder.answer("desk", after=4)
    ladder.answer("seat", after=0)
    ladder.hang_up("desk", after=10)


@scenario("the call that a supervisor hears ends")
def _(ladder: Ladder) -> None:
    ladder.originate(["desk"], ["seat"], callee=Party(SEVERAL))
    ladder.progress("desk")
    ladder.answer("desk", after=4)
    ladder.answer("seat", after=0)
    ladder.terminate(16, after=10)
