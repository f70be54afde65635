"""What the parts of a user agent share: the transaction layer, the live dialogs, events, standard header lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kobza.sip.dialog import RawLine, raw_lines
from kobza.sip.flow import Flow
from kobza.sip.layer import BRANCH_COOKIE, TransactionLayer
from kobza.sip.message import SipRequest
from kobza.sip.reliable import OPTION_TAG as RELIABLE
from kobza.sip.session_expires import DEFAULT_MIN_SE, OPTION_TAG, SessionExpires, SessionPolicy
from kobza.sip.timers import TimerQueue, Timers
from kobza.sip.transaction import ClientTransaction, ClientUser

if TYPE_CHECKING:
    from kobza.sip.invite import InviteDialog
    from kobza.sip.subscription import Subscription
    from kobza.sip.ua_events import UaEvent

DIALOG_METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE", "INFO")
"""Methods that every user agent here understands; more of them by `methods` of `UserAgent`."""
OFFER_TYPE = "application/sdp"
"""What is negotiated with in INVITE and UPDATE, alone or as a part of a multipart body."""
MAX_DIALOGS = 20_000
"""Live dialogs before new calls are refused with 503. A call of the PBX has two; one that stands holds about 1.3 kB."""
MAX_SUBSCRIPTIONS = 20_000
"""Subscriptions before new ones are refused with 503: 500 phones with 40 lamps each. One holds about 4 kB."""


class UaCore:
    """Shared state of one user agent."""

    __slots__ = (
        "accept_line",
        "agent_line",
        "allow",
        "allow_line",
        "cancel_headers",
        "dialogs",
        "events",
        "late_supported_lines",
        "layer",
        "lost_lines",
        "new_token",
        "queue",
        "reliable",
        "server_line",
        "session",
        "session_lines",
        "subscriptions",
        "supported",
        "supported_lines",
    )

    def __init__(
        self,
        new_token: Callable[[], str],
        product: str,
        timers: Timers,
        methods: Sequence[str],
        supported: Sequence[str],
        cancel_headers: Sequence[tuple[str, str]],
        lost_headers: Sequence[tuple[str, str]] = (),
        session: SessionPolicy | None = None,
        *,
        reliable: bool = False,
    ) -> None:
        self.new_token = new_token
        self.queue = TimerQueue()
        self.layer = TransactionLayer(timers, self.queue)
        self.dialogs: dict[str, InviteDialog] = {}
        """Live dialogs, early ones too, by our tag: no two have the same."""
        self.subscriptions: dict[str, Subscription] = {}
        """Those that we tell of something, by our tag."""
        self.events: list[UaEvent] = []
        """To be taken after each input; one input adds a handful."""
        if reliable:
            methods = ("PRACK", *methods)
        self.allow = (*DIALOG_METHODS, *(method for method in methods if method not in DIALOG_METHODS))
        self.reliable = reliable
        """Whether reliable provisional responses are known."""
        self.late_supported_lines = _supported_line(supported)
        """For an INVITE of ours without an offer: it would come in a reliable response, and nobody answers it there."""
        if reliable:
            supported = (*supported, RELIABLE)
        self.session = session
        """What is wanted of session timers; None: nothing is known of them."""
        self.session_lines: tuple[RawLine, ...] = ()
        """For the first INVITE of a dialog."""
        if session is not None:
            supported = (*supported, OPTION_TAG)
            self.session_lines = (("session-expires", f"Session-Expires: {SessionExpires(session.interval)}"),)
            if session.min_se != DEFAULT_MIN_SE:
                self.session_lines += (("min-se", f"Min-SE: {session.min_se}"),)
        self.supported = frozenset(option.lower() for option in supported)
        self.cancel_headers = tuple(cancel_headers)
        self.lost_lines = raw_lines(lost_headers)
        self.allow_line: RawLine = ("allow", f"Allow: {', '.join(self.allow)}")
        self.accept_line: RawLine = ("accept", f"Accept: {OFFER_TYPE}, multipart/mixed")
        self.supported_lines = _supported_line(supported)
        self.agent_line: RawLine = ("user-agent", f"User-Agent: {product}")
        self.server_line: RawLine = ("server", f"Server: {product}")

    @property
    def timers(self) -> Timers:
        """Base values of the timers."""
        return self.layer.timers

    def new_branch(self) -> str:
        """Make a branch for Via."""
        return BRANCH_COOKIE + self.new_token()

    def send(self, request: SipRequest, branch: str, flow: Flow, user: ClientUser, now: float) -> ClientTransaction:
        """Send a request in a transaction."""
        return self.layer.start_client(request, branch, flow, user, now)

    def dialog_of(self, request: SipRequest) -> InviteDialog | None:
        """Find the dialog that a request with a To tag belongs to."""
        dialog = self.dialogs.get(request.to.tag or "")
        if dialog is None or not dialog.has_peer(request):
            return None
        return dialog

    def subscription_of(self, request: SipRequest) -> Subscription | None:
        """Find the subscription that a request with a To tag belongs to."""
        subscription = self.subscriptions.get(request.to.tag or "")
        return subscription if subscription is not None and subscription.has_peer(request) else None

    def random_below(self, bound: int) -> int:
        """Make a number from 0 to `bound` - 1 from a token: spread enough to keep two peers from colliding again."""
        number = 0
        for character in self.new_token():
            number = (number * 131 + ord(character)) & 0xFFFF_FFFF
        return number % bound


def _supported_line(options: Sequence[str]) -> tuple[RawLine, ...]:
    return (("supported", f"Supported: {', '.join(options)}"),) if options else ()
