"""What the HTTP layer needs of the conductor, as protocols: `kobza.pbx.commands.Commands` fulfils them."""

from collections.abc import Sequence
from typing import Literal, Protocol

from kobza.call.directory import Endpoint
from kobza.call.forwarding import Forwarding
from kobza.call.outside import Allowance
from kobza.store.audit import By

RecordingState = Literal["on", "paused", "stopped"]
ControlAction = Literal[
    "clear",
    "hold",
    "unhold",
    "mute",
    "unmute",
    "dtmf",
    "transfer",
    "record_start",
    "record_pause",
    "record_resume",
    "record_stop",
]
SuperviseMode = Literal["listen", "whisper", "join"]


class Originated(Protocol):
    """A call that was begun: its own id and that of the originator's leg."""

    @property
    def call_id(self) -> str: ...  # noqa: D102
    @property
    def call_control_id(self) -> str: ...  # noqa: D102


class Controlled(Protocol):
    """What a leg is after a command."""

    @property
    def state(self) -> str:
        """One of alerting, established, held, finished."""
        ...

    @property
    def muted(self) -> bool:
        """Whether its voice is kept from the other side."""
        ...

    @property
    def recording(self) -> tuple[str, RecordingState] | None:
        """Id and state of the recording of its enterprise; None: there is none."""
        ...


class Brought(Protocol):
    """Who was brought to a live call: the ids of the call that their phone is in, and of its leg."""

    @property
    def call_id(self) -> str: ...  # noqa: D102
    @property
    def call_control_id(self) -> str: ...  # noqa: D102


class PhoneStatus(Protocol):
    """Whether a number can be reached now."""

    @property
    def number(self) -> str:
        """E.164."""
        ...

    @property
    def status(self) -> str:
        """One of available, busy, unavailable."""
        ...

    @property
    def dnd(self) -> bool:
        """Whether Do Not Disturb is in force."""
        ...

    @property
    def devices(self) -> int:
        """How many devices are registered."""
        ...

    @property
    def since(self) -> float | None:
        """Seconds: since when the status is what it is; None when that is not known."""
        ...


class LiveCall(Protocol):
    """One leg of a call that is on now."""

    @property
    def call_id(self) -> str: ...  # noqa: D102
    @property
    def call_control_id(self) -> str: ...  # noqa: D102
    @property
    def number(self) -> str:
        """The owner's number, E.164."""
        ...

    @property
    def phone_number(self) -> str:
        """The other side's number."""
        ...

    @property
    def direction(self) -> str:
        """One of incoming, outgoing, local."""
        ...

    @property
    def state(self) -> str:
        """One of alerting, established, held."""
        ...

    @property
    def since(self) -> float:
        """Seconds: since when the state is what it is."""
        ...

    @property
    def recording(self) -> RecordingState | None:
        """The state of its enterprise's recording; None: there is none."""
        ...

    @property
    def not_heard(self) -> bool:
        """Whether nothing comes from its phone, although the other side is heard."""
        ...

    @property
    def hears_nothing(self) -> bool:
        """Whether nothing comes from the other side, although this one is heard."""
        ...


class SipAccount(Protocol):
    """What a phone needs beside the password to register."""

    @property
    def username(self) -> str:
        """Of the digest."""
        ...

    @property
    def realm(self) -> str:
        """Of the digest, for phones that want it named."""
        ...


class Commands(Protocol):
    """Commands to live calls and settings that act on the next one. The synchronous ones read memory only."""

    async def originate(
        self,
        enterprise_id: str,
        originator: str,
        destination: str,
        *,
        timeout: int = 60,  # noqa: ASYNC109 - how long phones ring, not how long we wait
        clip: str | None = None,
        client_state: str | None = None,
        key: str | None = None,
        fingerprint: str = "",
    ) -> Originated:
        """Ring the originator's phones, then call the destination. Raises KobzaError.

        It returns once the call is stored, together with what an idempotency key was used for.
        """
        ...

    async def control(
        self,
        enterprise_id: str,
        call_control_id: str,
        action: ControlAction,
        *,
        digits: str = "",
        destination: str = "",
    ) -> Controlled:
        """Act on a leg; return what it is afterwards. `digits` are those of dtmf, `destination` is that of transfer.

        Raises KobzaError: 400, 403, 404, 409, 502, 503, 504.
        """
        ...

    @property
    def can_mix(self) -> bool:
        """Whether voices can be mixed here; else `supervise` and `add` are refused."""
        ...

    async def supervise(
        self, enterprise_id: str, call_control_id: str, number: str, mode: SuperviseMode, *, by: By
    ) -> Brought:
        """Ring a supervisor's phones (E.164), and let it take part in a call on the side of a leg.

        One that takes part already does so in another way from now on. Raises KobzaError.
        """
        ...

    async def add(self, enterprise_id: str, call_control_id: str, destination: str) -> Brought:
        """Call one more number for the owner of a leg, so that all talk together. Raises KobzaError."""
        ...

    def state_of(self, call_control_id: str) -> Controlled:
        """Return what a leg is now."""
        ...

    def phone_status(self, enterprise_id: str, numbers: Sequence[str] | None) -> Sequence[PhoneStatus]:
        """Return the status of some or all numbers of an enterprise."""
        ...

    async def set_dnd(
        self, enterprise_id: str, number: str, on: bool, until_ms: int | None, *, by: By | None = None
    ) -> None:
        """Switch Do Not Disturb, until a moment in ms or until it is switched off; note in the audit who did it."""
        ...

    async def set_forwarding(
        self, enterprise_id: str, number: str, forwarding: Forwarding, *, by: By | None = None
    ) -> None:
        """Set where the calls of a number go; note in the audit who did it."""
        ...

    async def set_clip(
        self,
        enterprise_id: str,
        number: str,
        presentation_number: str | None,
        restricted: bool,
        until_ms: int | None,
        *,
        by: By | None = None,
    ) -> None:
        """Set what those see whom the number calls; note in the audit who did it."""
        ...

    async def sip_account(
        self, enterprise_id: str, number: str, password: str | None, *, by: By | None = None
    ) -> SipAccount:
        """Return the account of a number's phones, after giving it a password if there is one. Raises NotFoundError.

        Phones that are registered stay so until they have to register again.
        """
        ...

    def outside_allowance(self, enterprise_id: str, number: str = "") -> Allowance:
        """Return what a number may spend outside and has, or with "" all of the enterprise together."""
        ...

    async def settings_changed(self) -> None:
        """See at once what was written to the store beside these commands, such as a webhook."""
        ...

    def live_calls(self, enterprise_id: str) -> Sequence[LiveCall]:
        """Return the legs of the enterprise's numbers that are in a call now."""
        ...


class MessageSocket(Protocol):
    """An open WebSocket that carries whole messages."""

    async def receive(self) -> str | bytes | None:
        """Return the next message, None when the socket has ended."""
        ...

    async def send(self, message: str | bytes) -> None:
        """Send a message. Raises ConnectionError when the socket has ended."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Say why and close; nothing happens when it has ended."""
        ...


class BrowserPhones(Protocol):
    """Phones whose sockets the portal accepts: `kobza.pbx.browser_phones.BrowserPhones` fulfils it."""

    async def carry(
        self, socket: MessageSocket, *, number: str, local: tuple[str, int], remote: tuple[str, int], secure: bool
    ) -> None:
        """Be a number's phone (E.164) over a socket between two addresses until it ends; asks for no password."""
        ...


class WebhookOutcome(Protocol):
    """What came of one POST: `kobza.webhooks.outcome.Outcome` fulfils it."""

    @property
    def taken(self) -> bool:
        """Whether the answer was a 2xx."""
        ...

    @property
    def duration_ms(self) -> int: ...  # noqa: D102
    @property
    def url(self) -> str: ...  # noqa: D102
    @property
    def address(self) -> str | None: ...  # noqa: D102
    @property
    def status_code(self) -> int | None: ...  # noqa: D102
    @property
    def error(self) -> str | None: ...  # noqa: D102
    @property
    def response(self) -> str | None: ...  # noqa: D102


class WebhookPort(Protocol):
    """What the HTTP layer needs of the dispatcher."""

    def recheck(self, enterprise_id: str) -> None:
        """Look into the store for what is owed to an enterprise."""
        ...

    def refusal(self, url: str) -> str | None:
        """Say why nothing would ever be posted to a URL whose host is an address; None when it would, or for a name."""
        ...

    async def post(self, endpoint: Endpoint, event_id: str, body: bytes) -> WebhookOutcome:
        """Send a state once, now. Every failure is an outcome."""
        ...
