"""The call states as the manual describes them: their schema, an example of each, and the webhook that gets them.

What is sent is written by `kobza.webhooks.payload`; a test holds the two together.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import BaseModel, Field

from kobza.api.documenting import Json, Moment
from kobza.api.quality import Quality
from kobza.call.numbers import national
from kobza.webhooks.schedule import STEPS
from kobza.webhooks.signing import signature_headers

WEBHOOK: Final = "callstate"
_ID: Final = "0192f3c4a5b67d8e9f0a1b2c3d4e5f"


class PausedSpan(BaseModel):
    """A time in which nothing was recorded, as somebody wanted: seconds since the start of the recording."""

    from_: Annotated[float, Field(alias="from", ge=0)]
    until: Annotated[float, Field(ge=0)]


class Announced(BaseModel):
    """A side on which the announcement was heard to its end, and when: seconds since the start of the recording."""

    side: Literal["caller", "called"]
    at: Annotated[float, Field(ge=0)]


class RecordRemarks(BaseModel):
    """What a listener should know of a recording; each field is absent where there is nothing to say."""

    paused: Annotated[list[PausedSpan] | None, Field(description="When nothing was recorded.")] = None
    undecoded: Annotated[
        dict[Literal["caller", "called"], list[str]] | None,
        Field(description="By side, codecs in which it spoke and which are not decoded: there it is silent."),
    ] = None
    announced: Annotated[list[Announced] | None, Field(description="Who was told of the recording.")] = None
    unannounced: Annotated[
        list[Literal["caller", "called"]] | None, Field(description="Sides that should have heard it and did not.")
    ] = None
    ends_early: Annotated[bool | None, Field(description="The server's disk was full.")] = None


class CallState(BaseModel):
    """One state of one owner: a number of yours that takes part in the call. A call between two of yours has two."""

    call_id: Annotated[str, Field(description="The whole call, the same as in the history.")]
    call_control_id: Annotated[str, Field(description="This owner's leg: what callcontrol acts on.")]
    state_type: Annotated[
        Literal["alerting", "established", "finished", "held", "resumed", "record_ready", "test"],
        Field(
            description="alerting: its phone rings, or the far end does; established: both talk; finished: exactly "
            "once. held, resumed and record_ready (the mp3 is there, for each owner that talked) come only with "
            "`extended`; test only from webhook/test."
        ),
    ]
    state_owner: Annotated[str, Field(description="Your number.", examples=["0671234567"])]
    phone_number: Annotated[str, Field(description="The other side.", examples=["0501112233"])]
    call_direction: Literal["incoming", "outgoing", "local"]
    event_id: Annotated[str, Field(description="The same in every attempt: by it you know a repeat.")]
    sequence: Annotated[int, Field(ge=1, description="1, 2, 3 … within a call_control_id.")]
    occurred_at: Moment
    client_state: Annotated[str | None, Field(description="What originate was given, for your own use.")]
    cause: Annotated[int | None, Field(description="With finished: Q.850.")] = None
    cause_text: Annotated[str | None, Field(description="With finished: the cause in words.")] = None
    call_duration: Annotated[int | None, Field(ge=0, description="With finished: talk seconds; 0: not answered.")] = (
        None
    )
    ringing: Annotated[int | None, Field(ge=0, description="With finished: seconds of alerting.")] = None
    released_by: Annotated[
        Literal["caller", "called", "api", "network"] | None, Field(description="With finished: who ended it.")
    ] = None
    record_id: Annotated[
        str | None, Field(description="With finished and record_ready: the recording, for callrecord.")
    ] = None
    record_duration: Annotated[int | None, Field(ge=0, description="With record_ready: seconds of the mp3.")] = None
    record_remarks: Annotated[
        RecordRemarks | None,
        Field(description="With record_ready: where it does not hold what was said; absent: it holds all."),
    ] = None
    quality: Annotated[
        Quality | None,
        Field(
            description="With finished of an answered call, only with `extended`: how the sides heard each other; "
            "absent when that is not known."
        ),
    ] = None


def example(state_type: str, sequence: int, at: str, **more: Any) -> Json:
    """Return the example of one state: an incoming call that is answered after 5 s and ends after 13.4 s."""
    return {
        "call_id": _ID + "5f",
        "call_control_id": _ID + "60",
        "state_type": state_type,
        "state_owner": national("+380671234567"),
        "phone_number": national("+380501112233"),
        "call_direction": "incoming",
        "event_id": f"{_ID}{6 + sequence}2",
        "sequence": sequence,
        "occurred_at": f"2026-03-01T19:39:{at}Z",
        "client_state": None,
        **more,
    }


EXAMPLES: Final[dict[str, Json]] = {
    "alerting": example("alerting", 1, "30.120"),
    "established": example("established", 2, "35.002"),
    "finished": example(
        "finished",
        3,
        "48.420",
        cause=16,
        cause_text="Normal call clearing",
        call_duration=14,
        ringing=5,
        released_by="caller",
        record_id=_ID + "61",
    ),
    "record_ready": example(
        "record_ready",
        4,
        "49.003",
        record_id=_ID + "61",
        record_duration=14,
        record_remarks={"paused": [{"from": 3.2, "until": 7.9}], "undecoded": {"called": ["G729"]}},
    ),
}


def _in_words(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


EXAMPLE_SECRET: Final = "whsec_a29iemEga29iemEga29iemEga29iemE="  # noqa: S105 - a secret of the manual
EXAMPLE_BODY: Final = msgspec.json.encode(EXAMPLES["alerting"])
EXAMPLE_HEADERS: Final = signature_headers(EXAMPLE_SECRET, EXAMPLES["alerting"]["event_id"], EXAMPLE_BODY, 1772393970)
DESCRIPTION: Final = f"""\
Kobza posts each state of each owner to the URL that you set with `PUT /v1/webhook`, with `/callstate` added to its
path. A state is stored before it is sent, and sent until your system answers 2xx: at once, then after
{", ".join(map(_in_words, STEPS))} (±10 %).

Within a `call_control_id` the states come in order, each after the one before was taken. A repeat has the same
`event_id`. A redirect is a failure. `Retry-After` is honoured up to twice the step. 410 switches the endpoint off
until `POST /v1/webhook/activate` switches it on or it is set again; so does a long time (3 days, unless configured
otherwise) in which no state is taken. An endpoint that does not answer at all is probed, at most a minute apart, until
it answers; then the rest follows, the oldest first.

With a secret each request is signed as the Standard Webhooks specification says: `webhook-signature` is `v1,` and the
base64 of HMAC-SHA256, by the base64-decoded secret behind `whsec_`, over `webhook-id`, `webhook-timestamp` and the
body, joined by full stops. Compare it in constant time, over the body as it came, and refuse old timestamps. In Python
`kobza.client.receiver` does all of it. To try yours: the headers shown here sign, by the secret
`{EXAMPLE_SECRET}`, the body

```
{EXAMPLE_BODY.decode()}
```
"""


def _header(name: str, description: str, schema: Json, value: str, *, required: bool = False) -> Json:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": schema,
        "example": value,
    }


def webhooks() -> Json:
    """Return the section `webhooks` of the document: what Kobza sends, and what the answers mean."""
    signed = "With a secret only: "
    return {
        WEBHOOK: {
            "post": {
                "tags": ["Call states"],
                "operationId": "callstate",
                "summary": "Receive a call state",
                "description": DESCRIPTION,
                "security": [{"remoteToken": []}],
                "parameters": [
                    _header(
                        "webhook-id",
                        signed + "the `event_id`, the same in every attempt.",
                        {"type": "string"},
                        EXAMPLE_HEADERS["webhook-id"],
                    ),
                    _header(
                        "webhook-timestamp",
                        signed + "the moment of this attempt, in seconds since 1970.",
                        {"type": "string", "pattern": "^[0-9]+$"},
                        EXAMPLE_HEADERS["webhook-timestamp"],
                    ),
                    _header(
                        "webhook-signature",
                        signed + "`v1,` and the base64 of the HMAC-SHA256.",
                        {"type": "string", "pattern": "^v1,[A-Za-z0-9+/]{43}=$"},
                        EXAMPLE_HEADERS["webhook-signature"],
                    ),
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {"$ref": "#/components/schemas/CallState"},
                            "examples": {name: {"value": value} for name, value in EXAMPLES.items()},
                        }
                    },
                },
                "responses": {
                    "2XX": {"description": "Taken. The body is ignored."},
                    "410": {
                        "description": "The endpoint is gone: it is switched off until it is switched on or set again."
                    },
                    "default": {"description": "Anything else, a redirect too, is a failure: it is sent again later."},
                },
            }
        }
    }
