"""Requests that are no INVITE: registrations, transfers, subscriptions, questions whether we live; answers to ours."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.event_packages import ALLOW_EVENTS
from kobza.pbx.info_digits import InfoDigits
from kobza.pbx.notifier import Notifier
from kobza.pbx.refers import Refers
from kobza.pbx.registrar import Registrar
from kobza.pbx.trunk_keeper import TrunkKeeper
from kobza.sip import ua as sip

log = logging.getLogger(__name__)

METHODS: Final = ("REGISTER", "REFER", "SUBSCRIBE")
"""What is answered here beside the methods that every user agent knows."""


class OutsideCalls:
    """Answers every request that is not of a dialog's own, and hands answers to ours on to the trunks' keeper.

    `pump` sends what is answered later than at once.
    """

    def __init__(
        self,
        ua: sip.UserAgent,
        registrar: Registrar,
        view: DirectoryView,
        keeper: TrunkKeeper,
        refers: Refers,
        notifier: Notifier,
        info: InfoDigits,
        *,
        now: Callable[[], float],
        pump: Callable[[], None],
    ) -> None:
        self._ua = ua
        self._registrar = registrar
        self._view = view
        self._keeper = keeper
        self._refers = refers
        self._notifier = notifier
        self._info = info
        self._now = now
        self._pump = pump

    @property
    def by_type(self) -> Mapping[type[Any], Callable[[Any], None]]:
        """Who takes which event."""
        return {
            sip.RequestReceived: self._request_received,
            sip.MalformedReceived: self._malformed_received,
            sip.ResponseReceived: self._response_received,
            sip.RequestFailed: self._request_failed,
        }

    def _response_received(self, event: sip.ResponseReceived) -> None:
        self._info.answered(event.request, event.response.status)
        self._keeper.answered(event.request, event.response)

    def _request_failed(self, event: sip.RequestFailed) -> None:
        self._info.answered(event.request, event.status)
        self._keeper.failed(event.request, event.status)

    def _request_received(self, event: sip.RequestReceived) -> None:
        incoming = event.incoming
        request = incoming.request
        now = self._now()
        if request.method == "REGISTER":

            def reply(status: int, headers: Sequence[tuple[str, str]]) -> None:
                self._ua.respond(incoming, status, headers=headers, now=self._now())
                self._pump()

            self._registrar.register(request, incoming.flow, self._view.snapshot, now, reply)
        elif request.method == "REFER":
            self._refers.take(incoming)
        elif request.method == "SUBSCRIBE":
            self._notifier.subscribe(incoming)
        elif request.method == "INFO":
            self._info.take(incoming)
        elif request.method == "OPTIONS":  # asked whether we live
            self._ua.respond(incoming, 200, headers=(("Accept", "application/sdp"), ALLOW_EVENTS), now=now)
        else:
            self._ua.respond(incoming, 405, now=now)

    def _malformed_received(self, event: sip.MalformedReceived) -> None:
        error = event.error
        log.warning("malformed message from %s:%s: %s: %s", *event.flow.remote, error.where, error.what)
