"""What the API tells, as frozen values. Those that only Kobza tells (the contract's [ours]) may be None.

Times are aware: RFC 3339 ones are in UTC, wall times are in Europe/Kyiv. Subtract and compare two of Kyiv by
`timestamp()`: Python ignores the change of the clock between two times of one zone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kobza.client.fields import Fields
from kobza.client.quality import CallQuality, read_quality


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryCall:
    """A finished call of the history."""

    call_id: str
    calling_number: str
    called_number: str
    started_at: datetime
    ended_at: datetime
    call_duration: int
    """Talk time in whole seconds, rounded up; 0: not answered."""
    ringing: int | None
    """Seconds of alerting until the answer or the end."""
    direction: str
    """incoming, outgoing or local."""
    cause: int | None
    """Q.850."""
    record_id: str | None
    """For `download_recording`."""
    cause_text: str | None = None
    sip_status: int | None = None
    released_by: str | None = None
    """caller, called, api or network."""
    answered_number: str | None = None
    answered_at: datetime | None = None
    client_state: str | None = None
    quality: CallQuality | None = None
    """How the sides heard each other, when it was asked for and is known."""

    @property
    def answered(self) -> bool:
        """Whether both talked."""
        return self.call_duration > 0


def read_history_call(fields: Fields) -> HistoryCall:
    """Read a row of callhistory."""
    return HistoryCall(
        call_id=fields.text("call_id"),
        calling_number=fields.text("calling_number"),
        called_number=fields.text("called_number"),
        started_at=fields.moment("started_at") if fields.has("started_at") else fields.wall("start_datetime"),
        ended_at=fields.moment("ended_at") if fields.has("ended_at") else fields.wall("end_datetime"),
        call_duration=fields.whole("call_duration"),
        ringing=fields.whole_or_none("ringing"),
        direction=fields.text("direction"),
        cause=fields.whole_or_none("cause"),
        record_id=fields.text_or_none("record_id"),
        cause_text=fields.text_or_none("cause_text"),
        sip_status=fields.whole_or_none("sip_status"),
        released_by=fields.text_or_none("released_by"),
        answered_number=fields.text_or_none("answered_number"),
        answered_at=fields.moment_or_none("answered_at"),
        client_state=fields.text_or_none("client_state"),
        quality=read_quality(fields),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsRow:
    """A finished call of the basic call information. Fields that were not asked for are None."""

    started_at: datetime
    """The answer; of a call that was not answered the attempt."""
    ended_at: datetime
    calling_number: str
    called_number: str
    duration: int
    """Talk time in whole seconds; 0: not answered."""
    calling_name: str | None = None
    called_name: str | None = None
    calling_department: str | None = None
    called_department: str | None = None
    calling_ownership: bool | None = None
    """Whether it is a number of the enterprise."""
    called_ownership: bool | None = None
    direction: str | None = None
    """incoming or outgoing."""
    calling_mos: float | None = None
    """The opinion score of what the calling side heard; None also: not known."""
    called_mos: float | None = None
    calling_lost: float | None = None
    """Percent of the other voice that did not reach the calling side; None also: not known."""
    called_lost: float | None = None
    not_heard: str | None = None
    """One-way audio: caller, called or both."""


def read_statistics_row(fields: Fields) -> StatisticsRow:
    """Read a row of callstat.json."""
    return StatisticsRow(
        started_at=fields.wall("start_timestamp"),
        ended_at=fields.wall("end_timestamp"),
        calling_number=fields.text("calling_number"),
        called_number=fields.text("called_number"),
        duration=fields.whole("duration"),
        calling_name=fields.text_or_none("calling_name"),
        called_name=fields.text_or_none("called_name"),
        calling_department=fields.text_or_none("calling_department"),
        called_department=fields.text_or_none("called_department"),
        calling_ownership=fields.flag_or_none("calling_ownership"),
        called_ownership=fields.flag_or_none("called_ownership"),
        direction=fields.text_or_none("direction"),
        calling_mos=fields.number_or_none("calling_mos"),
        called_mos=fields.number_or_none("called_mos"),
        calling_lost=fields.number_or_none("calling_lost"),
        called_lost=fields.number_or_none("called_lost"),
        not_heard=fields.text_or_none("not_heard"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallState:
    """One state of one owner of a call, as the webhook brings it and the events have it."""

    call_id: str
    """The whole call, the same as in the history."""
    call_control_id: str
    """This owner's leg: what `call(…)` acts on."""
    state_type: str
    """alerting, established, finished; extended: held, resumed, record_ready; test: a try of the webhook."""
    state_owner: str
    phone_number: str
    """The other side."""
    call_direction: str
    """incoming, outgoing or local."""
    event_id: str | None = None
    """The same in every delivery of this state."""
    sequence: int | None = None
    """1, 2, 3 … within the leg."""
    occurred_at: datetime | None = None
    client_state: str | None = None
    cause: int | None = None
    cause_text: str | None = None
    call_duration: int | None = None
    ringing: int | None = None
    released_by: str | None = None
    record_id: str | None = None
    record_duration: int | None = None
    """With record_ready: seconds of the mp3."""
    record_remarks: Mapping[str, Any] | None = field(default=None, hash=False)
    """With record_ready: where the recording does not hold what was said, as the manual has it; None: it holds all."""
    quality: CallQuality | None = None
    """With finished, for an extended endpoint: how the sides heard each other, as far as it is known."""
    more: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Fields that this version of the client does not know."""


_STATE_FIELDS = frozenset(CallState.__dataclass_fields__) - {"more"}


def read_call_state(values: Any, what: str = "the call state") -> CallState:
    """Read a decoded call state. Raises AnswerNotUnderstood."""
    fields = Fields(values, what)
    return CallState(
        call_id=fields.text("call_id"),
        call_control_id=fields.text("call_control_id"),
        state_type=fields.text("state_type"),
        state_owner=fields.text("state_owner"),
        phone_number=fields.text("phone_number"),
        call_direction=fields.text("call_direction"),
        event_id=fields.text_or_none("event_id"),
        sequence=fields.whole_or_none("sequence"),
        occurred_at=fields.moment_or_none("occurred_at"),
        client_state=fields.text_or_none("client_state"),
        cause=fields.whole_or_none("cause"),
        cause_text=fields.text_or_none("cause_text"),
        call_duration=fields.whole_or_none("call_duration"),
        ringing=fields.whole_or_none("ringing"),
        released_by=fields.text_or_none("released_by"),
        record_id=fields.text_or_none("record_id"),
        record_duration=fields.whole_or_none("record_duration"),
        record_remarks=fields.object_or_none("record_remarks"),
        quality=read_quality(fields),
        more={name: value for name, value in values.items() if name not in _STATE_FIELDS},
    )


@dataclass(frozen=True, slots=True)
class Event:
    """A call state of the journal."""

    state: CallState
    cursor: str | None
    """Give it as `after` to go on from here; a few states may come again, which `event_id` tells. None only before
    the first page of a server that numbers pages, not states."""


@dataclass(frozen=True, slots=True)
class Originated:
    """A call that was begun."""

    call_control_id: str
    """The originator's leg."""
    call_id: str | None


@dataclass(frozen=True, slots=True)
class Controlled:
    """What became of a command."""

    call_control_id: str
    action: str
    state: str | None
    """The leg's state now: alerting, established, held or finished. None, as all that follows, when a server says
    nothing of it."""
    muted: bool | None = None
    recording: str | None = None
    """Of your recording of this call: on, paused or stopped."""
    record_id: str | None = None
    guest_control_id: str | None = None
    """After `supervise` and `add`: the leg by which that takes part."""


@dataclass(frozen=True, slots=True)
class Clip:
    """What those see whom a number calls."""

    number: str
    presentation_number: str | None
    """None: the number itself."""
    restricted: bool
    until: datetime | None


def read_clip(fields: Fields) -> Clip:
    """Read the answer of clip."""
    return Clip(
        fields.text("number"),
        fields.text_or_none("presentation_number"),
        fields.flag("restricted"),
        fields.moment_or_none("until"),
    )


@dataclass(frozen=True, slots=True)
class Dnd:
    """Do Not Disturb of a number."""

    number: str
    on: bool
    until: datetime | None


def read_dnd(fields: Fields) -> Dnd:
    """Read the answer of dnd."""
    return Dnd(fields.text("number"), fields.flag("dnd"), fields.moment_or_none("until"))


@dataclass(frozen=True, slots=True)
class Phone:
    """Whether a number can be reached."""

    number: str
    status: str
    """available, busy or unavailable."""
    dnd: bool
    devices: int | None
    since: datetime | None


def read_phone(fields: Fields) -> Phone:
    """Read one of the phones of phonestatus."""
    return Phone(
        fields.text("number"),
        fields.text("status"),
        fields.flag("dnd"),
        fields.whole_or_none("devices"),
        fields.moment_or_none("since"),
    )


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where call states are posted. Its token and secret are never told."""

    url: str
    signed: bool
    extended: bool
    active: bool
    """False after the endpoint answered 410 or took nothing for too long."""
    inactive_reason: str | None
    changed_at: datetime | None
    failing_since: datetime | None = None
    """The first failure since the last state that was taken."""


def read_webhook(fields: Fields) -> Webhook:
    """Read the answer of webhook."""
    return Webhook(
        fields.text("url"),
        fields.flag("signed"),
        fields.flag("extended"),
        fields.flag("active"),
        fields.text_or_none("inactive_reason"),
        fields.moment_or_none("changed_at"),
        fields.moment_or_none("failing_since"),
    )


@dataclass(frozen=True, slots=True)
class WebhookTest:
    """What the endpoint answered to a try."""

    delivered: bool
    status_code: int | None
    duration_ms: int
    url: str
    address: str | None
    error: str | None
    response: str | None


def read_webhook_test(fields: Fields) -> WebhookTest:
    """Read the answer of webhook/test."""
    return WebhookTest(
        fields.flag("delivered"),
        fields.whole_or_none("status_code"),
        fields.whole("duration_ms"),
        fields.text("url"),
        fields.text_or_none("address"),
        fields.text_or_none("error"),
        fields.text_or_none("response"),
    )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST of a delivery."""

    attempt: int
    started_at: datetime
    duration_ms: int
    url: str | None
    address: str | None
    status_code: int | None
    error: str | None
    response: str | None
    http_version: str | None = None
    connect_ms: int | None = None
    """To connect, TLS included; None: a connection was kept, or none came about."""
    first_byte_ms: int | None = None
    """Until the answer began."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A call state that is owed to the webhook or was brought."""

    id: str
    status: str
    """pending, delivered or failed."""
    due_at: datetime | None
    """While pending: when it is tried next."""
    state: CallState
    attempts: tuple[Attempt, ...]
    curl: str | None = None
    """A command that sends it as the last attempt did; the token is that of $REMOTE_TOKEN."""


def read_delivery(fields: Fields) -> Delivery:
    """Read one of the deliveries."""
    return Delivery(
        fields.text("id"),
        fields.text("status"),
        fields.moment_or_none("due_at"),
        read_call_state(fields.raw("event"), "the event of a delivery"),
        fields.each("attempts", _read_attempt),
        fields.text_or_none("curl"),
    )


def _read_attempt(fields: Fields) -> Attempt:
    return Attempt(
        fields.whole("attempt"),
        fields.moment("started_at"),
        fields.whole("duration_ms"),
        fields.text_or_none("url"),
        fields.text_or_none("address"),
        fields.whole_or_none("status_code"),
        fields.text_or_none("error"),
        fields.text_or_none("response"),
        fields.text_or_none("http_version"),
        fields.whole_or_none("connect_ms"),
        fields.whole_or_none("first_byte_ms"),
    )


@dataclass(frozen=True, slots=True)
class Download:
    """A recording on disk."""

    path: str
    size: int
    """Bytes."""
    sha256: str
    verified: bool
    """Whether the server named the same SHA-256 (in its ETag); one that names none cannot be checked against."""
