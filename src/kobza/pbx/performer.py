"""Carries out what a call wants done: on its dialogs, on the media plane, on its timers."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

from kobza.call import actions as act
from kobza.call.causes import ANSWERED_ELSEWHERE_REASON, BEARER_NOT_IMPLEMENTED, NO_CIRCUIT, reason_header
from kobza.call.phases import Phase
from kobza.media.plane import MediaError, MediaPlane, NoEvents, OfferForm
from kobza.net.endpoint import SipEndpoint
from kobza.pbx.dialling import DeviceTarget, OneTarget, SeatTarget, TakenTarget, TrunkTarget, invitation
from kobza.pbx.info_digits import InfoDigits
from kobza.pbx.live_call import Enter, LiveCall, without
from kobza.pbx.outside_guard import STATUS, OutsideGuard
from kobza.pbx.recordings import Recordings
from kobza.pbx.running_calls import RunningCalls
from kobza.pbx.seats import SIDES, Seats
from kobza.pbx.sound_library import SoundLibrary
from kobza.pbx.trunk_keeper import TrunkKeeper
from kobza.sip.headers import Reason
from kobza.sip.invite import InviteDialog
from kobza.sip.location import NextHop
from kobza.sip.ua import UserAgent

log = logging.getLogger(__name__)


NO_LINE: Final = (Reason("Q.850", NO_CIRCUIT, ""),)
"""Why a trunk that carries as many calls as it may takes no other one."""

NO_SRTP: Final = (Reason("Q.850", BEARER_NOT_IMPLEMENTED, ""),)
"""Why a device does not ring where the media plane cannot speak with it."""


class Performer:
    """One method for each kind of action."""

    def __init__(
        self,
        *,
        ua: UserAgent,
        endpoint: SipEndpoint,
        plane: MediaPlane,
        recordings: Recordings,
        keeper: TrunkKeeper,
        now: Callable[[], float],
        feed: Enter,
        calls: RunningCalls,
        guard: OutsideGuard,
        sounds: SoundLibrary,
        info: InfoDigits,
        speed: float = 1.0,
        srtp_offer: bool = False,
    ) -> None:
        """`sounds` has what is played in whose calls, `info` sends digits to phones that take no events.

        `srtp_offer`: phones whose signalling goes over TLS are offered SRTP.
        """
        self._srtp_offer = srtp_offer
        self._ua = ua
        self._endpoint = endpoint
        self._plane = plane
        self._recordings = recordings
        self._keeper = keeper
        self._lines = keeper.lines
        self._guard = guard
        self._sounds = sounds
        self._info = info
        self._now = now
        self._feed = feed
        self._speed = speed
        self._seats = Seats(plane, feed, now)
        self._add_dialog = calls.add_dialog
        self._by_type: dict[type[Any], Callable[[LiveCall, Any], None]] = {
            act.Dial: self._dial,
            act.Progress: self._progress,
            act.Answer: self._answer,
            act.Reject: self._reject,
            act.Cancel: self._cancel,
            act.Bye: self._bye,
            act.SendOffer: self._send_offer,
            act.AnswerOffer: self._answer_offer,
            act.RejectOffer: self._reject_offer,
            act.MediaOffer: self._media_offer,
            act.MediaAnswer: self._media_answer,
            act.MediaReoffer: self._media_reoffer,
            act.MediaDirect: self._media_direct,
            act.MediaAlign: self._media_align,
            act.MediaNarrow: self._media_narrow,
            act.MediaReanswer: self._media_reanswer,
            act.MediaPlay: self._media_play,
            act.MediaMute: self._media_mute,
            act.MediaDigits: self._media_digits,
            act.MediaLeave: self._media_leave,
            act.MediaRecord: self._media_record,
            act.MediaTell: self._media_tell,
            act.MediaPauseRecord: self._media_pause_record,
            act.MediaStopRecord: self._media_stop_record,
            act.MediaRelease: self._media_release,
            act.ReplaceLeg: calls.replace_leg,
            act.AddLeg: calls.add_leg,
            act.DropLeg: calls.drop_leg,
            act.StartTimer: self._start_timer,
            act.StopTimer: self._stop_timer,
            act.CommandDone: self._command_done,
            act.CommandFailed: self._command_failed,
        }

    def perform(self, live: LiveCall, action: act.Action) -> None:
        """Carry out one action."""
        self._by_type[type(action)](live, action)

    # dialogs

    def _dial(self, live: LiveCall, action: act.Dial) -> None:
        now = self._now()
        if isinstance(action.target, SeatTarget):
            self._seats.dial(live, action)
            return
        if isinstance(action.target, TakenTarget):
            self._take_over(live, action, action.target.dialog, now)
            return
        target = cast("OneTarget", action.target)
        if action.replaces and (failed := live.books.meter.failed_over(action.replaces)) is not None:
            flow = self._dialog(live, action.replaces).flow
            same = isinstance(target, TrunkTarget) and target.trunk.name == failed
            self._keeper.suspect(failed, NextHop(flow.transport, flow.remote), out_of_service=same)
        if isinstance(target, TrunkTarget) and not self._lines.has_room(target.trunk):
            live.call.branch_rejected(action.branch_id, 503, NO_LINE, now)
            return
        own_number = live.asserted_by(action.side)
        payer = target.payer or own_number if isinstance(target, TrunkTarget) else ""
        enterprise_id = live.caller.enterprise_id or live.callee.enterprise_id
        if isinstance(target, TrunkTarget) and not action.replaces:
            refusal = self._guard.refusal(target.dial, payer, enterprise_id, now)
            if refusal is not None:
                live.call.branch_rejected(action.branch_id, STATUS, refusal.reasons, now)
                return
        sdp = action.sdp
        form, ipv6 = self._form(target), ":" in target.host
        if form != "plain" or ipv6:
            try:
                sdp = self._plane.offer_in(form, live.call_id, target=SIDES[action.side], ipv6=ipv6)
            except MediaError:  # the plane said why when it started
                live.call.branch_rejected(action.branch_id, 488, NO_SRTP, now)
                return
        shown = live.shown_to(action.side)
        if shown is None:
            raise RuntimeError(f"the {action.side} is dialled, and nobody has said what it may learn")
        try:
            invite = invitation(
                target,
                shown,
                own_number,
                self._endpoint.flow_to,
                live.diverted,
            )
        except ValueError:  # no socket for that transport
            live.call.branch_rejected(action.branch_id, 503, (), now)
            return
        dialog = self._ua.invite(
            invite.uri,
            from_=invite.from_,
            to=invite.to,
            flow=invite.flow,
            body=sdp,
            route_set=invite.route_set,
            headers=invite.headers,
            contact_user=invite.contact_user,
            max_forwards=live.max_forwards,
            credentials=invite.credentials,
            response_within=target.trunk.answer_within if action.has_next and isinstance(target, TrunkTarget) else None,
            now=now,
        )
        if isinstance(target, TrunkTarget):
            live.books.meter.goes_by(target.trunk.name, action.branch_id)
            self._lines.take(target.trunk, dialog)
            self._guard.took(target.dial, payer, enterprise_id, dialog, now, again=bool(action.replaces))
        trunk = target.trunk.name if isinstance(target, TrunkTarget) else None
        self._add_dialog(live, action.branch_id, dialog, trunk)

    def _take_over(self, live: LiveCall, action: act.Dial, dialog: InviteDialog, now: float) -> None:
        """Offer our media to a phone that another call talked to. Its answer is taken as that to an INVITE."""
        live.taken = None
        if not dialog.is_standing:  # its phone has hung up meanwhile
            live.call.branch_rejected(action.branch_id, 480, (), now)
            return
        self._add_dialog(live, action.branch_id, dialog)
        live.taking += (action.branch_id,)
        sdp = action.sdp
        if ":" in dialog.flow.remote[0]:
            sdp = self._plane.offer_in("plain", live.call_id, target=SIDES[action.side], ipv6=True)
        dialog.reinvite(sdp, now=now)

    def _form(self, target: OneTarget) -> OfferForm:
        """Return the form of an offer that a target takes."""
        if not isinstance(target, DeviceTarget):
            return "plain"
        if target.is_browser:
            return "browser"
        return "srtp" if self._srtp_offer and target.is_private else "plain"

    def _progress(self, live: LiveCall, action: act.Progress) -> None:
        self._dialog(live, action.branch_id).provisional(action.status, body=action.sdp, now=self._now())

    def _answer(self, live: LiveCall, action: act.Answer) -> None:
        self._dialog(live, action.branch_id).accept(action.sdp, now=self._now())

    def _reject(self, live: LiveCall, action: act.Reject) -> None:
        self._dialog(live, action.branch_id).reject(action.status, headers=reason_of(action.cause), now=self._now())

    def _cancel(self, live: LiveCall, action: act.Cancel) -> None:
        reason = (("Reason", ANSWERED_ELSEWHERE_REASON),) if action.answered_elsewhere else reason_of(action.cause)
        now = self._now()
        if action.branch_id in live.seats:  # it has answered, or never will
            return
        self._dialog(live, action.branch_id).cancel(headers=reason, now=now)
        if action.branch_id in live.taking:  # a call that was answered before: that was a BYE, which has no outcome
            live.end_taking(action.branch_id)
            live.call.branch_rejected(action.branch_id, 487, (), now)

    def _bye(self, live: LiveCall, action: act.Bye) -> None:
        if action.branch_id in live.seats:
            live.seats = without(live.seats, action.branch_id)
        else:
            self._dialog(live, action.branch_id).bye(headers=reason_of(action.cause), now=self._now())

    def _send_offer(self, live: LiveCall, action: act.SendOffer) -> None:
        if action.branch_id in live.seats:
            self._seats.offer(live, action)
        else:
            self._dialog(live, action.branch_id).reinvite(action.sdp, now=self._now())

    def _answer_offer(self, live: LiveCall, action: act.AnswerOffer) -> None:
        self._dialog(live, action.branch_id).answer_offer(action.sdp, now=self._now())

    def _reject_offer(self, live: LiveCall, action: act.RejectOffer) -> None:
        self._dialog(live, action.branch_id).reject_offer(action.status, now=self._now())

    @staticmethod
    def _dialog(live: LiveCall, branch_id: str) -> InviteDialog:
        dialog = live.dialog(branch_id)
        if dialog is None:
            raise RuntimeError(f"the branch {branch_id} has no dialog")
        return dialog

    # media

    def _media_offer(self, live: LiveCall, action: act.MediaOffer) -> None:
        source = None if action.source is None else SIDES[action.source]
        done = self._replied(live, action.request_id)
        by_info = self._by_info(live, action.branch_id)
        self._plane.offer(
            live.call_id, source=source, target=SIDES[action.target], sdp=action.sdp, by_info=by_info, done=done
        )

    def _media_answer(self, live: LiveCall, action: act.MediaAnswer) -> None:
        done = self._replied(live, action.request_id)
        by_info = self._by_info(live, action.branch_id)
        self._plane.answer(live.call_id, source=SIDES[action.source], sdp=action.sdp, by_info=by_info, done=done)

    @staticmethod
    def _by_info(live: LiveCall, branch_id: str) -> bool:
        """Return whether the phone of a branch takes digits in INFO. A seat in a mix has none."""
        dialog = live.dialog(branch_id)
        return dialog is not None and dialog.takes_info

    def _media_reoffer(self, live: LiveCall, action: act.MediaReoffer) -> None:
        self._sounds.dress(live, self._plane)
        done = self._replied(live, action.request_id)
        self._plane.reoffer(live.call_id, source=SIDES[action.source], sdp=action.sdp, done=done)

    def _media_direct(self, live: LiveCall, action: act.MediaDirect) -> None:
        self._sounds.dress(live, self._plane)
        done = self._replied(live, action.request_id)
        self._plane.direct(live.call_id, target=SIDES[action.target], direction=action.direction, done=done)

    def _media_align(self, live: LiveCall, action: act.MediaAlign) -> None:
        done = self._replied(live, action.request_id)
        self._plane.align(live.call_id, target=SIDES[action.target], done=done)

    def _media_narrow(self, live: LiveCall, action: act.MediaNarrow) -> None:
        done = self._replied(live, action.request_id)
        self._plane.narrow(live.call_id, target=SIDES[action.target], done=done)

    def _media_reanswer(self, live: LiveCall, action: act.MediaReanswer) -> None:
        done = self._replied(live, action.request_id)
        self._plane.reanswer(live.call_id, source=SIDES[action.source], sdp=action.sdp, done=done)

    def _media_play(self, live: LiveCall, action: act.MediaPlay) -> None:
        self._sounds.dress(live, self._plane)
        self._plane.play(live.call_id, target=SIDES[action.target], what=action.what)

    def _media_record(self, live: LiveCall, action: act.MediaRecord) -> None:
        spool = self._recordings.began(action.record_id, live.call_id, [action.enterprise_id])
        if spool is not None:
            owner = action.enterprise_id
            notice = self._sounds.notice(live, owner)
            self._plane.record(live.call_id, record_id=action.record_id, spool=spool, owner=owner, notice=notice)

    def _media_tell(self, live: LiveCall, action: act.MediaTell) -> None:
        notice, side = self._sounds.notice(live, action.enterprise_id), SIDES[action.side]
        if notice is not None and side in notice.sides:
            self._plane.announce(live.call_id, record_id=action.record_id, target=side, sound=notice.sound)

    def _media_pause_record(self, live: LiveCall, action: act.MediaPauseRecord) -> None:
        self._plane.pause_recording(live.call_id, record_id=action.record_id, on=action.on)

    def _media_stop_record(self, live: LiveCall, action: act.MediaStopRecord) -> None:
        self._plane.stop_recording(live.call_id, record_id=action.record_id)

    def _media_mute(self, live: LiveCall, action: act.MediaMute) -> None:
        self._plane.mute(live.call_id, source=SIDES[action.source], on=action.on)

    def _media_digits(self, live: LiveCall, action: act.MediaDigits) -> None:
        replied = self._replied(live, action.request_id)

        def done(reply: bytes | MediaError) -> None:
            if isinstance(reply, NoEvents):
                leg_id = live.caller_leg_id if action.target == "caller" else live.callee_leg_id
                self._info.send(live, leg_id, action.digits, replied)
            else:
                replied(reply)

        self._plane.digits(live.call_id, target=SIDES[action.target], digits=action.digits, done=done)

    def _media_leave(self, live: LiveCall, action: act.MediaLeave) -> None:
        self._plane.leave(live.call_id, side=SIDES[action.side])

    def _media_release(self, live: LiveCall, _action: act.MediaRelease) -> None:
        self._plane.release(live.call_id, asked=live.asks_quality)

    def _replied(self, live: LiveCall, request_id: str) -> Callable[[bytes | MediaError], None]:
        def done(reply: bytes | MediaError) -> None:
            if isinstance(reply, MediaError):
                reason = reply.reason
                # What a call that is over was waiting for comes back as failed, too: nobody misses it.
                if not reply.is_of_the_phone and live.call.phase is not Phase.ENDED:
                    log.warning("the media plane failed a call: %s", reason, extra=live.about)
                self._feed(live, lambda: live.call.media_failed(request_id, reason, self._now()))
            else:
                sdp = reply
                self._feed(live, lambda: live.call.media_replied(request_id, sdp, self._now()))

        return done

    # timers

    def _start_timer(self, live: LiveCall, action: act.StartTimer) -> None:
        self._forget_timer(live, action.name)
        self._wait(live, action.name, action.delay, self._now() + action.delay)

    def _wait(self, live: LiveCall, name: str, delay: float, due: float) -> None:
        due_call = partial(self._timer_due, live, name, due)
        live.wait(name, asyncio.get_running_loop().call_later(delay / self._speed, due_call))

    def _stop_timer(self, live: LiveCall, action: act.StopTimer) -> None:
        self._forget_timer(live, action.name)

    def _timer_due(self, live: LiveCall, name: str, due: float) -> None:
        live.take_timer(name)
        if self._speed != 1 and (left := due - self._now()) > 0:  # a sandbox's clock has stood meanwhile
            self._wait(live, name, left, due)
            return
        self._feed(live, lambda: live.call.timer_fired(name, self._now()))

    @staticmethod
    def _forget_timer(live: LiveCall, name: str) -> None:
        timer = live.take_timer(name)
        if timer is not None:
            timer.cancel()

    # commands

    @staticmethod
    def _command_done(live: LiveCall, action: act.CommandDone) -> None:
        waiting = live.take_command(action.token)
        if waiting is not None and not waiting.done():
            waiting.set_result(action.state)

    @staticmethod
    def _command_failed(live: LiveCall, action: act.CommandFailed) -> None:
        waiting = live.take_command(action.token)
        if waiting is not None and not waiting.done():
            waiting.set_exception(action.error)


def reason_of(cause: int) -> tuple[tuple[str, str], ...]:
    """Return the Reason header of a cause."""
    return (("Reason", reason_header(cause)),)
