"""One call of a softphone: what its owner sees and does, from the first ring to the end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from msgspec.structs import replace

from kobza.phone.agreement import Agreement
from kobza.phone.events import Detail, What
from kobza.phone.voice import Voice
from kobza.sdp.audio import Direction
from kobza.sdp.errors import MalformedSdp, NotAcceptable
from kobza.sip.dtmf_info import RELAY, body_of
from kobza.sip.errors import MalformedMessage
from kobza.sip.invite import InviteDialog
from kobza.sip.message import SipMessage, SipResponse
from kobza.sip.refer import Replaces, refer_to
from kobza.sip.responses import reason_phrase
from kobza.sip.uri import SipUri

DECLINE = 603
BUSY_HERE = 486
NOT_ACCEPTABLE_HERE = 488
TONE_LOOK = 0.5
"""Seconds between two looks for a new tone in a call."""
SAME_TONE = 3
"""Hz by which two looks at one tone may differ."""
MAX_DIGITS = 1000
"""Digits heard that are kept; older ones are forgotten."""


class CallState(StrEnum):
    """How far a call is. Hold is no state of its own: both sides may hold, see `held_by_me`, `held_by_peer`."""

    DIALLING = "dialling"
    RINGING = "ringing"
    ESTABLISHED = "established"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended. `by` is me, peer or network; `status` is SIP, `cause` Q.850 when the other side gave them."""

    by: str
    status: int | None = None
    cause: int | None = None
    text: str = ""

    def __str__(self) -> str:
        words = [self.text or f"hung up by {self.by}"]
        if self.cause is not None:
            words.append(f"(Q.850 cause {self.cause})")
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Answering:
    """What a phone does with an incoming call: `after` so many seconds of ringing (None: never) it picks up.

    With `reject`, a SIP status, it refuses instead, with a Q.850 `cause` in a Reason header when one is given; after 0
    seconds it has not rung at all.
    """

    after: float | None
    reject: int | None = None
    cause: int | None = None


class CallFailed(Exception):
    """What was waited for will not happen: the call has ended, or the peer refused."""


class PhoneCall:
    """A call. Made by `SoftPhone`; waiting is by `ringing`, `established`, `ended`, all with a limit in seconds."""

    def __init__(
        self,
        number: int,
        *,
        peer: str,
        outgoing: bool,
        voice: Voice,
        agreement: Agreement,
        duration: float | None = None,
        emit: Callable[["PhoneCall", What, dict[str, Detail]], None],
        act: Callable[[], None],
        now: Callable[[], float],
        speed: float = 1.0,
    ) -> None:
        """`duration`, in seconds of `now`, is how long it may stand; of those `speed` pass in one of the wall."""
        self.number = number
        self.peer = peer
        self.dialled: str | None = None
        """Whom the peer of an incoming call wanted; for an outside line that takes any number."""
        self.outgoing = outgoing
        self.voice = voice
        self.state = CallState.DIALLING
        self.held_by_me = False
        self.held_by_peer = False
        self.answered_at: float | None = None
        self.ending: Ending | None = None
        self.dialog: InviteDialog | None = None
        self.digits = ""
        self.timers: list[asyncio.TimerHandle] = []
        """Cancelled when the call ends."""
        self._agreement = agreement
        self._duration = None if duration is None else duration / speed
        self._tone: int | None = None
        self._look: asyncio.TimerHandle | None = None
        self._emit = emit
        self._act = act
        self._now = now
        self._owes_answer = False
        self._reoffer: asyncio.Future[int] | None = None
        self._transfer: asyncio.Future[int] | None = None
        self._changed = asyncio.Event()
        voice.on_digit = self.hear_digit

    # what its owner does

    def answer(self) -> None:
        """Pick up. Raises `CallFailed` when this is no ringing incoming call."""
        dialog = self._need(CallState.RINGING)
        request = dialog.request
        if self.outgoing or request is None:
            raise CallFailed("only an incoming call can be answered")
        if request.session:
            try:
                body = self._agreement.answer(request.session)
            except (MalformedSdp, NotAcceptable):
                self.reject(NOT_ACCEPTABLE_HERE)
                return
            self._apply()
        else:
            body = self._agreement.offer()  # a late offer: the ACK brings the answer
            self._owes_answer = True
        self.state = CallState.ESTABLISHED
        dialog.accept(body, now=self._now())
        self._act()

    def reject(self, status: int, cause: int | None = None) -> None:
        """Refuse a ringing incoming call with a SIP status of 300 to 699, and a Q.850 cause if one is to be told."""
        dialog = self._need(CallState.RINGING)
        headers = () if cause is None else (("Reason", f"Q.850;cause={cause}"),)
        dialog.reject(status, headers=headers, now=self._now())
        self.end(Ending("me", status, cause, f"rejected with {status} {reason_phrase(status)}"))
        self._act()

    def hang_up(self) -> None:
        """End the call in the way its state asks for: CANCEL, 603 or BYE. Nothing when it has ended."""
        if self.state is CallState.ENDED or self.dialog is None:
            return
        if self.state is CallState.ESTABLISHED:
            self.dialog.bye(now=self._now())
            self.end(Ending("me"))
        elif self.outgoing:
            self.dialog.cancel(now=self._now())  # the 487 that follows ends it
        else:
            self.reject(DECLINE)
        self._act()

    async def hold(self, within: float = 10.0) -> None:
        """Put the peer on hold (re-INVITE, sendonly, silence). Raises `CallFailed` when it does not agree."""
        await self._offer(Direction.SENDONLY, within)

    async def resume(self, within: float = 10.0) -> None:
        """Take the peer back (re-INVITE, sendrecv). Raises `CallFailed` when it does not agree."""
        await self._offer(Direction.SENDRECV, within)

    def press_in_info(self, digit: str) -> None:
        """Tell the peer of a digit by INFO, beside the media, as some phones do."""
        dialog = self._need(CallState.ESTABLISHED)
        dialog.send_request("INFO", headers=(("Content-Type", RELAY),), body=body_of(digit), now=self._now())
        self._act()

    async def transfer(self, number: str, *, joining: "PhoneCall | None" = None, within: float = 10.0) -> None:
        """Have the peer talk to `number` instead, or to whom a second call of this phone is with (`joining`).

        Returns when the server has taken it over (REFER, RFC 3515; Replaces, RFC 3891); then it ends the call. Raises
        `CallFailed` when it refuses.
        """
        dialog = self._need(CallState.ESTABLISHED)
        if self._transfer is not None:
            raise CallFailed("a transfer is under way")
        replaces = None
        if joining is not None and joining.dialog is not None:
            other = joining.dialog
            tag = other.remote_tag or other.ringing_tag or ""
            replaces = Replaces(other.sip_call_id, to_tag=tag, from_tag=other.local_tag)
        to = replace(SipUri.parse(dialog.remote_target), user=number)
        self._transfer = asyncio.get_running_loop().create_future()
        try:
            dialog.send_request("REFER", headers=(("Refer-To", refer_to(to, replaces)),), now=self._now()).tag = self
            self._act()
            async with asyncio.timeout(within):
                status = await self._transfer
        finally:
            self._transfer = None
        if status >= 300:
            raise CallFailed(f"transfer: {status} {reason_phrase(status)}")

    async def ringing(self, within: float = 10.0) -> None:
        """Wait until it rings (or was answered at once). Raises `CallFailed` or `TimeoutError`."""
        await self._wait(lambda: self.state in (CallState.RINGING, CallState.ESTABLISHED), within)

    async def established(self, within: float = 10.0) -> None:
        """Wait until both can talk. Raises `CallFailed` or `TimeoutError`."""
        await self._wait(lambda: self.answered_at is not None, within)

    async def held(self, within: float = 10.0) -> None:
        """Wait until the peer holds this phone. Raises `CallFailed` or `TimeoutError`."""
        await self._wait(lambda: self.held_by_peer, within)

    async def resumed(self, within: float = 10.0) -> None:
        """Wait until the peer does not hold this phone. Raises `CallFailed` or `TimeoutError`."""
        await self._wait(lambda: not self.held_by_peer, within)

    async def ended(self, within: float = 10.0) -> Ending:
        """Wait for the end. Raises `TimeoutError`."""
        await self._wait(lambda: self.ending is not None, within)
        assert self.ending is not None  # noqa: S101 - what was waited for
        return self.ending

    @property
    def direction(self) -> str | None:
        """What was agreed last, as this phone sees it: sendrecv, sendonly, recvonly, inactive; None: nothing yet."""
        return None if self._agreement.agreed is None else self._agreement.agreed.direction.value

    def heard_tone(self) -> int | None:
        """Return the tone in Hz of the last half second, None for silence and for what is no tone."""
        return self.voice.ear.tone()

    # what the dialog reports, through the phone

    def progressed(self, status: int, response: SipResponse) -> None:
        """101 to 199 for an outgoing call; with a body it is early media."""
        if response.session:
            self._take_answer(response.session)
        if status in (180, 183) and self.state is CallState.DIALLING:
            self.state = CallState.RINGING
            self._emit(self, What.RANG, {"peer": self.peer, "status": status})
        self._pulse()

    def answered(self, response: SipResponse) -> None:
        """The 2xx to an outgoing call."""
        if response.session and not self._take_answer(response.session):
            self.state = CallState.ESTABLISHED
            self.hang_up()
            return
        self._establish()

    def arrived(self) -> None:
        """An incoming call rings."""
        self.state = CallState.RINGING
        self._pulse()

    def confirmed(self, body: bytes) -> None:
        """The ACK to our 2xx, or to our answer of a re-INVITE; after a late offer its body is the answer."""
        if self._owes_answer:
            self._owes_answer = False
            if not body or not self._take_answer(body):
                self.hang_up()
                return
        if self.answered_at is None:
            self._establish()

    def offered(self, body: bytes) -> None:
        """A re-INVITE or UPDATE of the peer: agree to as much as our own hold allows."""
        dialog = self._need(CallState.ESTABLISHED)
        most = Direction.SENDONLY if self.held_by_me else Direction.SENDRECV
        if not body:
            self._owes_answer = True
            dialog.answer_offer(self._agreement.offer(most), now=self._now())
            return
        try:
            answer = self._agreement.answer(body, most)
        except (MalformedSdp, NotAcceptable):
            dialog.reject_offer(NOT_ACCEPTABLE_HERE, now=self._now())
            return
        dialog.answer_offer(answer, now=self._now())
        self._apply()

    def refresh(self) -> None:
        """The session timer wants a re-INVITE that changes nothing; a hold or resume under way does as well."""
        if self._reoffer is None and self.dialog is not None:
            most = Direction.SENDONLY if self.held_by_me else Direction.SENDRECV
            self.dialog.reinvite(self._agreement.offer(most), now=self._now())

    def offer_settled(self, status: int, body: bytes) -> None:
        """The final response to our re-INVITE."""
        if status < 300 and not self._take_answer(body):
            status = NOT_ACCEPTABLE_HERE
        if self._reoffer is not None and not self._reoffer.done():
            self._reoffer.set_result(status)

    def transfer_settled(self, status: int) -> None:
        """The final response to our REFER."""
        if self._transfer is not None and not self._transfer.done():
            self._transfer.set_result(status)

    def end(self, ending: Ending) -> None:
        """Settle that the call is over; a second time does nothing."""
        if self.ending is not None:
            return
        self.ending = ending
        self.state = CallState.ENDED
        for timer in (*self.timers, self._look):
            if timer is not None:
                timer.cancel()
        self.voice.close()
        for waiting in (self._reoffer, self._transfer):
            if waiting is not None and not waiting.done():
                waiting.set_exception(CallFailed(str(ending)))
        talk = None if self.answered_at is None else round(self._now() - self.answered_at, 3)
        details: dict[str, Detail] = {
            "by": ending.by,
            "status": ending.status,
            "cause": ending.cause,
            "reason": str(ending),
            "talk_seconds": talk,
        }
        self._emit(self, What.ENDED, details)
        self._pulse()

    # inside

    def _establish(self) -> None:
        self.state = CallState.ESTABLISHED
        self.answered_at = self._now()
        agreed = self._agreement.agreed
        codec = agreed.codec if agreed is not None else None
        self._emit(self, What.ESTABLISHED, {"peer": self.peer, "codec": codec, "outgoing": self.outgoing})
        loop = asyncio.get_running_loop()
        if self._duration is not None:
            self.timers.append(loop.call_later(self._duration, self.hang_up))
        self._look = loop.call_later(TONE_LOOK, self._look_for_tone)
        self._pulse()

    def _look_for_tone(self) -> None:
        """Tell of a tone once, when it begins."""
        tone = self.heard_tone()
        if tone is not None and (self._tone is None or abs(tone - self._tone) > SAME_TONE):
            self._emit(self, What.TONE_HEARD, {"hz": tone})
        self._tone = tone
        self._look = asyncio.get_running_loop().call_later(TONE_LOOK, self._look_for_tone)

    def hear_digit(self, digit: str) -> None:
        """Take a digit that the peer has pressed."""
        self.digits = (self.digits + digit)[-MAX_DIGITS:]
        self._emit(self, What.DIGIT_HEARD, {"digit": digit})

    async def _offer(self, direction: Direction, within: float) -> None:
        dialog = self._need(CallState.ESTABLISHED)
        if self._reoffer is not None:
            raise CallFailed("a hold or resume is under way")
        self._reoffer = asyncio.get_running_loop().create_future()
        hold = direction is Direction.SENDONLY
        try:
            dialog.reinvite(self._agreement.offer(direction), now=self._now())
            self._act()
            async with asyncio.timeout(within):
                status = await self._reoffer
        finally:
            self._reoffer = None
        if status >= 300:
            self._emit(self, What.HOLD_FAILED, {"status": status})
            raise CallFailed(f"{'hold' if hold else 'resume'}: {status} {reason_phrase(status)}")
        self.held_by_me = hold
        self._apply()
        self._emit(self, What.HELD if hold else What.RESUMED, {"by": "me", "peer": self.peer})
        self._pulse()

    def _take_answer(self, body: bytes) -> bool:
        try:
            self._agreement.answered(body)
        except (MalformedSdp, NotAcceptable):
            return False
        self._apply()
        return True

    def _apply(self) -> None:
        """Let the voice do what was agreed, and notice when the peer wants nothing of us any more, or again."""
        agreed = self._agreement.agreed
        if agreed is None:
            return
        self.voice.connect(agreed.remote, agreed.law, agreed.payload_type, agreed.event_type)
        self.voice.sends = agreed.direction.sends
        self.voice.muted = self.held_by_me
        held = self.answered_at is not None and not agreed.direction.sends
        if held != self.held_by_peer:
            self.held_by_peer = held
            self._emit(self, What.HELD if held else What.RESUMED, {"by": "peer", "peer": self.peer})
            self._pulse()

    def _need(self, state: CallState) -> InviteDialog:
        if self.state is not state or self.dialog is None:
            raise CallFailed(f"the call is {self.state.value}" + (f": {self.ending}" if self.ending else ""))
        return self.dialog

    def _pulse(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait(self, reached: Callable[[], bool], within: float) -> None:
        async with asyncio.timeout(within):
            while not reached():
                if self.ending is not None:
                    raise CallFailed(str(self.ending))
                await self._changed.wait()


def ending_from(message: SipMessage | None, *, by: str, status: int | None, text: str) -> Ending:
    """Return the end that a request or response tells of, with the Q.850 cause of its Reason header (RFC 3326)."""
    cause = None
    if message is not None:
        try:
            causes = [reason.cause for reason in message.reasons if reason.protocol.upper() == "Q.850" and reason.cause]
        except MalformedMessage:
            causes = []
        cause = causes[0] if causes else None
    return Ending(by, status, cause, text)
