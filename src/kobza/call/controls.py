"""What an owner does to an established call without its phone: mute, DTMF, recording on demand."""

from functools import partial
from typing import Final, Literal

from kobza.call.actions import MediaDigits, MediaMute, MediaPauseRecord, MediaStopRecord
from kobza.call.core import CallCore
from kobza.call.errors import MediaFailedError, WrongStateError
from kobza.call.leg import Leg, LegState
from kobza.call.phases import Phase

RecordCommand = Literal["record_start", "record_pause", "record_resume", "record_stop"]

MAX_DIGITS_WAITING: Final = 64
"""Digits that may be on their way to a side, commas included: 13 to 32 seconds of them."""


class Controls:
    """Carries out the commands that the media plane alone can fulfil."""

    __slots__ = ("_core",)

    def __init__(self, core: CallCore) -> None:
        self._core = core

    def mute(self, leg: Leg, *, on: bool) -> None:
        """Let the other side hear silence instead of a leg's voice, or its voice again. Raises WrongStateError."""
        _need_established(leg)
        if leg.muted is on:
            raise WrongStateError("The leg is muted already." if on else "The leg is not muted.")
        leg.muted = on
        self._core.outbox.actions.append(MediaMute(leg.side, on))

    def digits(self, leg: Leg, digits: str) -> str:
        """Send digits to the other side, after those on their way; return the token. Raises WrongStateError."""
        core = self._core
        _need_established(leg)
        if core.phase is not Phase.TALKING:
            raise WrongStateError("There is nobody to hear them: the call is being transferred.")
        if leg.digits_waiting + len(digits) > MAX_DIGITS_WAITING:
            raise WrongStateError(f"{leg.digits_waiting} digits of this leg are still being sent.")
        leg.digits_waiting += len(digits)
        token = core.begin_command(leg)
        request_id = core.outbox.ask(
            partial(self._sent, leg, token, len(digits)), partial(self._not_sent, leg, token, len(digits))
        )
        core.outbox.actions.append(MediaDigits(request_id, core.other(leg).side, digits))
        return token

    def _sent(self, leg: Leg, token: str, count: int, _reply: bytes, _now: float) -> None:
        leg.digits_waiting -= count
        self._core.command_done(token, leg.state)

    def _not_sent(self, leg: Leg, token: str, count: int, reason: str, _now: float) -> None:
        leg.digits_waiting -= count
        blame, _, what = reason.partition("not acceptable: ")
        if what and not blame:
            self._core.command_failed(token, WrongStateError(f"{what[0].upper()}{what[1:]}."))
        else:
            self._core.command_failed(token, MediaFailedError(f"The media plane failed: {reason}"))

    def record(self, leg: Leg, what: RecordCommand, now: float) -> None:
        """Begin, pause, go on with or end the recording for a leg's enterprise. Raises WrongStateError."""
        core = self._core
        _need_established(leg)
        enterprise_id = leg.party.enterprise_id
        if enterprise_id is None:
            raise WrongStateError("The leg is nobody's who could have the call recorded.")
        recording = core.recordings.get(enterprise_id)
        if recording is None:
            if what != "record_start":
                raise WrongStateError("The call is not being recorded.")
            core.record(enterprise_id, now)
            return
        if recording.state == "stopped":
            raise WrongStateError("The call has one recording, and it was stopped; record_pause would have kept it.")
        actions = core.outbox.actions
        if what == "record_start":
            raise WrongStateError(f"The call is being recorded already; the recording is {recording.state}.")
        if what == "record_stop":
            recording.state = "stopped"
            actions.append(MediaStopRecord(recording.record_id))
        elif (what == "record_pause") is (recording.state == "paused"):
            raise WrongStateError(
                "The recording is paused already." if what == "record_pause" else "The recording is not paused."
            )
        else:
            recording.state = "paused" if what == "record_pause" else "on"
            actions.append(MediaPauseRecord(recording.record_id, what == "record_pause"))


def _need_established(leg: Leg) -> None:
    if leg.state not in (LegState.ESTABLISHED, LegState.HELD):
        raise WrongStateError("The call is not established.")
