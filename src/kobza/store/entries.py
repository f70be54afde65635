"""What the journal can write: an entry is a row, new or changed. Moments are seconds, as everywhere in the engine."""

from typing import Literal

from kobza.call.cdr import Cdr
from kobza.call.states import Direction, OwnerState
from kobza.values import Leaf

DeliveryOutcome = Literal["delivered", "retry", "failed"]
"""After an attempt: done; to be tried again; given up."""

DetailKind = Literal["quality", "sip_ladder", "diversions"]
"""How the sides heard each other; what was said over SIP; who sent it on before it came here."""

RecordingStatus = Literal["recording", "encoding", "ready", "failed", "erased"]


class CdrOpened(Leaf, frozen=True):
    """A call started: the record of one enterprise."""

    cdr: Cdr


class CdrUpdated(Leaf, frozen=True):
    """A call rang, was answered, or is recorded: its record, not yet ended."""

    cdr: Cdr


class CdrClosed(Leaf, frozen=True):
    """A call ended: its whole record."""

    cdr: Cdr

    def __post_init__(self) -> None:
        if self.cdr.ended_at is None:
            raise ValueError(f"the record of {self.cdr.call_id} is closed without an end")


class LegPromised(Leaf, frozen=True):
    """The API handed out the id of a leg (click2dial): its owner is owed `finished` even when nothing ever rang."""

    call_id: str
    call_control_id: str
    enterprise_id: str
    state_owner: str
    phone_number: str
    call_direction: Direction
    client_state: str | None
    at: float


class KeyUsed(Leaf, frozen=True):
    """A click2dial request with an `Idempotency-Key` began a call, in one commit with which it is stored."""

    enterprise_id: str
    key: str
    fingerprint: str
    """SHA-256 of the request, in hex."""
    call_id: str
    call_control_id: str
    expires_at: float
    """From then on the key counts for nothing."""


class StateStored(Leaf, frozen=True):
    """A call state of an owner, and, when it is owed to the enterprise's endpoint, a delivery due at once."""

    state: OwnerState
    owed_to_endpoint: bool
    payload: bytes
    """The JSON body as it is sent."""

    def __repr__(self) -> str:
        return f"StateStored({self.state!r}, owed_to_endpoint={self.owed_to_endpoint})"


class AttemptStored(Leaf, frozen=True):
    """One POST of a delivery and what follows from it. At most `RESPONSE_LIMIT` bytes of the answer belong here."""

    call_id: str
    call_control_id: str
    sequence: int
    """These three say which event was posted."""
    attempt: int
    """1, 2, 3 … within the delivery."""
    started_at: float
    duration_ms: int
    outcome: DeliveryOutcome
    retry_at: float | None = None
    """When to try again; only for the outcome `retry`."""
    url: str | None = None
    address: str | None = None
    """The peer's address, as far as the attempt came to one."""
    status_code: int | None = None
    error: str | None = None
    """In words, when there was no answer or not a good one."""
    response: str | None = None
    exchange: str | None = None
    """What else is known of it: the JSON of `kobza.webhooks.exchange.Exchange`."""

    def __post_init__(self) -> None:
        if (self.retry_at is None) is (self.outcome == "retry"):
            raise ValueError("an attempt has a moment to try again if and only if it is to be tried again")

    def __repr__(self) -> str:
        """Leave out what was said: it is long, and whose it is is no matter of a log."""
        of = (self.call_id, self.call_control_id, self.sequence)
        return f"AttemptStored({of}, attempt={self.attempt}, outcome={self.outcome!r}, error={self.error!r})"


class RecordingStored(Leaf, frozen=True):
    """The state of a recording: the first entry makes the row, later ones replace it. None keeps what is there."""

    record_id: str
    enterprise_id: str
    call_id: str
    status: RecordingStatus
    at: float
    path: str | None = None
    """Relative to the directory of recordings: of the spool, later of the mp3."""
    duration_ms: int | None = None
    size: int | None = None
    sha256: str | None = None
    remarks: str | None = None
    """JSON: `kobza.store.recordings.Remarks`."""
    home: str | None = None
    """`waiting` for one that is to be uploaded."""
    sealed: str | None = None
    """The data key of a file that is encrypted, encrypted."""


class DetailStored(Leaf, frozen=True):
    """More of a call that has a record, for the page of that call alone; the same again replaces it."""

    call_id: str
    kind: DetailKind
    text: str
    """JSON: of `kobza.store.quality`, `kobza.store.messages` or `kobza.store.diversions`."""


class Binding(Leaf, frozen=True, kw_only=True):
    """A contact binding of a number (RFC 3261 10.3): where a device of its is reached, over which flow, until when."""

    number: str
    """The AoR: E.164."""
    contact: str
    """The contact's URI as the device wrote it."""
    sip_call_id: str
    cseq: int
    expires_at: float
    registered_at: float
    path: tuple[str, ...] = ()
    """The values of Path (RFC 3327), topmost first."""
    transport: str = "UDP"
    local_host: str = ""
    local_port: int = 0
    remote_host: str = ""
    remote_port: int = 0
    connection: int = 0
    instance_id: str | None = None
    """`+sip.instance` and `reg-id` of a device that keeps flows (RFC 5626)."""
    reg_id: int | None = None
    user_agent: str | None = None


class BindingStored(Leaf, frozen=True):
    """A device registered or refreshed."""

    binding: Binding


class BindingRemoved(Leaf, frozen=True):
    """A binding ended: the device unregistered, or it expired."""

    number: str
    contact: str


Entry = (
    CdrOpened
    | CdrUpdated
    | CdrClosed
    | LegPromised
    | KeyUsed
    | StateStored
    | AttemptStored
    | RecordingStored
    | DetailStored
    | BindingStored
    | BindingRemoved
)

RESPONSE_LIMIT = 4096
"""Bytes of an endpoint's answer that the delivery log keeps."""
