"""A call with everything that its page shows: legs with states, deliveries, and a recording that can be played."""

import io

import numpy
import soundfile

from kobza.call.states import StateType
from kobza.store.entries import RecordingStored
from kobza.store.recordings import Remarks
from kobza.webhooks.exchange import Exchange, encode
from tests.api.test_fmc import store_state
from tests.api.world import ALICE, OUTSIDE, World
from tests.store.builders import attempt

CALL = "call1"
RATE = 8000
SECONDS = 40


def sound(seconds: int = SECONDS) -> bytes:
    """Return an mp3: on the left a tone in its first half, on the right one half as loud in its second."""
    moments = numpy.arange(seconds * RATE) / RATE
    tone = numpy.sin(2 * numpy.pi * 440 * moments) * 0.64
    first = moments < seconds / 2
    file = io.BytesIO()
    sides = numpy.column_stack([tone * first, tone / 2 * ~first])
    soundfile.write(file, sides, RATE, format="MP3", subtype="MPEG_LAYER_III")
    return file.getvalue()


def add_recorded_call(world: World) -> None:
    """Store a call of 40 s talk: rang 5 s, 10 s on hold, its first state delivered at the second attempt."""
    start = world.at - 3600
    moments = {"started_at": start, "ringing_at": start + 2, "answered_at": start + 7, "ended_at": start + 47}
    world.add_call(call_id=CALL, record_id="r1", client_state="order 7", **moments)
    told = [
        (StateType.ALERTING, 2),
        (StateType.ESTABLISHED, 7),
        (StateType.HELD, 20),
        (StateType.RESUMED, 30),
        (StateType.FINISHED, 47),
        (StateType.RECORD_READY, 49),
    ]
    for sequence, (state_type, after) in enumerate(told, 1):
        store_state(
            world,
            sequence,
            call_id=CALL,
            call_direction="outgoing",
            state_type=state_type,
            at=start + after,
            owed=sequence < 3,
            state_owner=ALICE,
            phone_number=OUTSIDE,
        )
    asked = [("Content-Type", "application/json"), ("Authorization", "Bearer ***"), ("webhook-id", "e1")]
    told_by = [("Server", "nginx"), ("Content-Type", "text/plain")]
    exchange = encode(Exchange(asked, told_by, "1.1", 31, 44))
    first = {"call_id": CALL, "call_control_id": "leg1", "started_at": start + 2, "exchange": exchange}
    first |= {"url": "https://crm.example.com/hooks/callstate", "address": "203.0.113.9", "response": "ok"}
    failed = {"status_code": None, "error": "HTTP 500 is no success"}
    world.journal.write([attempt(1, 1, outcome="retry", retry_at=start + 4, **first | failed), attempt(1, 2, **first)])
    (world.recordings / "r1.mp3").write_bytes(sound())
    add_recording(world, "r1")


def add_recording(
    world: World, record_id: str, status: str = "ready", call_id: str = CALL, remarks: Remarks | None = None
) -> None:
    """Store what became of a recording whose file, if any, is there."""
    entry = RecordingStored(
        record_id,
        world.own.enterprise_id,
        call_id,
        status,  # type: ignore[arg-type]
        world.at,
        f"{record_id}.mp3",
        1000 * SECONDS,
        0,
        record_id * 32,
        None if remarks is None else remarks.to_json(),
    )
    world.journal.write([entry])
