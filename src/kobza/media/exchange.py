"""What both media planes have in common: the exchange of descriptions with the phones of a call (`CallMedia`)."""

import logging
from abc import abstractmethod
from collections.abc import Callable
from typing import Generic

from kobza.media.negotiation import CallMedia, Carried, carry_out
from kobza.media.plane import DirectionName, Done, MediaError, MediaPlane, OfferForm, Side, SideSounds, ToneName
from kobza.sdp.audio import Direction

log = logging.getLogger(__name__)


class ExchangingPlane(MediaPlane, Generic[Carried]):
    """The methods of a media plane that are answered from what was said before; a plane adds how packets are moved."""

    _calls: dict[str, Carried]
    """By call id."""

    @abstractmethod
    def _changed(self, call: Carried, *, soon: bool = True) -> None:
        """Have packets moved as a call's descriptions want it now; `soon` False: it can wait for company."""

    def offer_in(self, form: OfferForm, call_id: str, *, target: Side, ipv6: bool = False) -> bytes:
        """See MediaPlane."""
        call = self._calls.get(call_id)
        if call is None:
            raise MediaError("no such call")
        return call.media.offer_in(form, target, ipv6=ipv6)

    def answer(self, call_id: str, *, source: Side, sdp: bytes, by_info: bool = False, done: Done) -> None:
        """See MediaPlane."""
        by_info = by_info and self.reads_digits
        self._do(call_id, done, lambda media: media.answer(source, sdp, by_info=by_info))

    def reoffer(self, call_id: str, *, source: Side, sdp: bytes, done: Done) -> None:
        """See MediaPlane."""
        self._do(call_id, done, lambda media: media.reoffer(source, sdp))

    def direct(self, call_id: str, *, target: Side, direction: DirectionName, done: Done) -> None:
        """See MediaPlane."""
        self._do(call_id, done, lambda media: media.direct(target, Direction(direction)))

    def align(self, call_id: str, *, target: Side, done: Done) -> None:
        """See MediaPlane."""
        self._do(call_id, done, lambda media: media.align(target))

    def reanswer(self, call_id: str, *, source: Side, sdp: bytes, done: Done) -> None:
        """See MediaPlane."""

        def said(reply: bytes | MediaError) -> None:
            if isinstance(reply, MediaError):
                about = {"call_id": call_id}
                log.warning("the answer of the %s is unusable: %s", source, reply.reason, extra=about)
            done(reply)

        self._do(call_id, said, lambda media: media.reanswer(source, sdp))

    def play(self, call_id: str, *, target: Side, what: ToneName) -> None:
        """See MediaPlane."""
        call = self._calls.get(call_id)
        if call is not None:
            call.media.side(target).plays = what
            self._changed(call)

    def dress(self, call_id: str, *, target: Side, sounds: SideSounds) -> None:
        """See MediaPlane."""
        call = self._calls.get(call_id)
        if call is not None:
            call.media.side(target).sounds = sounds

    def mute(self, call_id: str, *, source: Side, on: bool) -> None:
        """See MediaPlane."""
        call = self._calls.get(call_id)
        if call is not None:
            call.media.side(source).muted = on
            self._changed(call)

    def leave(self, call_id: str, *, side: Side) -> None:
        """See MediaPlane."""
        call = self._calls.get(call_id)
        if call is not None:
            call.media.leave(side)
            self._changed(call)

    def _do(self, call_id: str, done: Done, what: Callable[[CallMedia], bytes], *, soon: bool = True) -> None:
        """Do SDP work of a call, have moved differently what changed (`soon` as in `_changed`), give the result."""
        carry_out(self._calls.get(call_id), done, what, lambda call: self._changed(call, soon=soon))
