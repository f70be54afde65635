"""DTMF in INFO: taken from phones that send it so, and sent to those that take no events (RFC 4733)."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kobza.call.errors import KobzaError
from kobza.media.plane import MediaError
from kobza.pbx.live_call import Enter, LiveCall, branch_of
from kobza.pbx.reading import call_of
from kobza.sip import ua as sip
from kobza.sip.dtmf_info import ACCEPTED, RELAY, body_of, digit_of
from kobza.sip.errors import MalformedMessage
from kobza.sip.invite import InviteDialog

log = logging.getLogger(__name__)

GAP_SECONDS: Final = 0.2
"""From one digit to the next: as long as ours take as events, since the phone may sound them."""
MAX_WAITING: Final = 32
"""Digits of one phone that wait for those before them: nobody presses more in six seconds."""
PAUSE: Final = ","
PAUSE_SECONDS: Final = 0.5

NOT_TAKEN: Final = MediaError("not acceptable: the phone on the other side takes DTMF neither as events nor in INFO")

Done = Callable[[bytes | MediaError], None]


@dataclass(slots=True)
class _Sending:
    """Digits on their way to one phone, and who waits for the end of it."""

    dialog: InviteDialog
    left: str
    done: Done


class InfoDigits:
    """Takes and sends. `feed` gives a call an input, `pump` sends what is made later than at once."""

    def __init__(
        self, ua: sip.UserAgent, *, now: Callable[[], float], feed: Enter, pump: Callable[[], None], speed: float = 1.0
    ) -> None:
        self._ua = ua
        self._now = now
        self._feed = feed
        self._pump = pump
        self._speed = speed
        self._sent: dict[object, _Sending] = {}
        """By our request: at most one for each phone that is being sent digits; their number is bounded by the call."""
        self._passing: dict[InviteDialog, _Sending] = {}
        """What the phone on the other side presses now, by the dialog that it goes to."""

    def take(self, incoming: sip.IncomingRequest) -> None:
        """Answer an INFO; its digit goes to the other side of the call, as that side takes it."""
        now, request = self._now(), incoming.request
        try:
            digit = digit_of(request.content_type, request.body)
        except MalformedMessage as error:
            self._ua.respond(incoming, error.sip_status, f"Bad {error.where}", now=now)
            return
        if digit is None:
            status = (
                200 if not request.body or (request.content_type or "").lower().startswith("application/dtmf") else 415
            )
            self._ua.respond(incoming, status, headers=(("Accept", ACCEPTED),), now=now)
            return
        found = None if incoming.dialog is None else call_of(incoming.dialog)
        leg_id = None if found is None else found[0].call.leg_of(found[1])
        if found is None or leg_id is None:
            self._ua.respond(incoming, 480, now=now)
            return
        live = found[0]
        try:
            live.call.digits(leg_id, digit, now)
        except KobzaError as error:  # nobody is there to hear it, or too many are on their way
            log.info("a digit in INFO is refused: %s", error, extra=live.about)
            self._ua.respond(incoming, 480, now=now)
            return
        self._ua.respond(incoming, 200, now=now)
        self._feed(live, _nothing)

    def send(self, live: LiveCall, leg_id: str, digits: str, done: Done) -> None:
        """Send digits to a leg's phone, one INFO after the other; `done` gets b"", or a MediaError."""
        dialog = _dialog_of(live, leg_id)
        if dialog is None:
            done(NOT_TAKEN)
        else:
            self._next(_Sending(dialog, digits, done))

    def pass_on(self, live: LiveCall, leg_id: str, digit: str) -> None:
        """Send a leg's phone a digit that the other phone has sent as an event, after those before it."""
        dialog = _dialog_of(live, leg_id)
        if dialog is None:
            return
        passing = self._passing.get(dialog)
        if passing is not None:
            if len(passing.left) < MAX_WAITING:
                passing.left += digit
            return

        def done(reply: bytes | MediaError) -> None:
            del self._passing[dialog]
            if isinstance(reply, MediaError) and dialog.is_standing:
                log.warning("a key does not reach the other phone: it refuses INFO, which it allows", extra=live.about)

        self._passing[dialog] = sending = _Sending(dialog, digit, done)
        self._next(sending)

    def answered(self, request: object, status: int) -> None:
        """Go on, or give up, once a phone has answered a request, if it was one of these."""
        sending = self._sent.pop(request, None)
        if sending is None:
            return
        if status >= 300:
            sending.done(NOT_TAKEN)
            return
        self._later(sending, GAP_SECONDS)

    def _next(self, sending: _Sending) -> None:
        if not sending.left:
            sending.done(b"")
            return
        digit, sending.left = sending.left[0], sending.left[1:]
        if digit == PAUSE:
            self._later(sending, PAUSE_SECONDS)
            return
        headers = (("Content-Type", RELAY),)
        request = sending.dialog.send_request("INFO", headers=headers, body=body_of(digit), now=self._now())
        self._sent[request] = sending
        self._pump()

    def _later(self, sending: _Sending, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds / self._speed, self._next, sending)


def _dialog_of(live: LiveCall, leg_id: str) -> InviteDialog | None:
    """Return the dialog of a leg's phone that has answered."""
    for dialog in live.dialogs:
        if dialog.is_standing and live.call.leg_of(branch_of(dialog)) == leg_id:
            return dialog
    return None


def _nothing() -> None:
    """Give a call no input: only what it says already is to be done."""
