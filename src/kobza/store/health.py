"""What the store says of its own health and of what waits in it: for the doctor."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, func, select

from kobza.call.directory import Endpoint
from kobza.call.trunk import Trunk
from kobza.store import backup_notes, endpoints, enterprises, erasures, meta, recording_homes, trunks
from kobza.store.deliveries import PENDING
from kobza.store.recordings import ENCODING, ERASING, FAILED, RECORDING
from kobza.store.schema import calls, deliveries, events, numbers, recordings
from kobza.store.trunks import TrunkState

NO_ROOM: Final = '"no_room":true'
"""In the remarks of a recording for which the disk had no room."""


class EndpointHealth(NamedTuple):
    """How the webhook of an enterprise does."""

    enterprise_id: str
    enterprise: str
    url: str
    active: bool
    inactive_reason: str | None
    owed: int
    """Call states that wait to be taken."""
    oldest_ms: int | None
    """When the oldest of them happened."""


class Facts(NamedTuple):
    """What a healthy store is judged by. Moments are milliseconds."""

    enterprises: int
    numbers: int
    trunks: list[Trunk]
    trunk_states: dict[str, TrunkState]
    """By trunk id: how each does, as a server last found."""
    calls: int
    oldest_call: int | None
    calls_on: int
    heartbeat: int | None
    """When a server last wrote."""
    recordings: dict[str, int]
    """Status -> how many, of those that are not simply ready or erased; `no_room` were not begun."""
    homes: dict[str, int]
    """Word of `recording_homes` -> how many recordings."""
    unfinished_erasures: list[str]
    endpoints: list[EndpointHealth]
    last_backup: int | None


def facts(conn: Connection) -> Facts:
    """Read them. Each is a step in an index or a count of few rows; the count of all calls reads an index."""
    names = {each.enterprise_id: each.name for each in enterprises.list_all(conn)}
    return Facts(
        enterprises=len(names),
        numbers=_one(conn, select(func.count()).select_from(numbers)),
        trunks=trunks.list_all(conn),
        trunk_states=trunks.states(conn),
        calls=_one(conn, select(func.count()).select_from(calls)),
        oldest_call=min((at for each in names if (at := _oldest_call(conn, each)) is not None), default=None),
        calls_on=_one(conn, select(func.count()).select_from(calls).where(calls.c.ended_at.is_(None))),
        heartbeat=meta.get_number(conn, meta.HEARTBEAT),
        recordings=_recordings(conn),
        homes=recording_homes.counts(conn),
        unfinished_erasures=[each.erasure_id for each in erasures.list_all(conn) if each.finished_at is None],
        endpoints=[_endpoint(conn, each, names) for each in endpoints.load(conn)],
        last_backup=next((each.made_at for each in backup_notes.list_all(conn)), None),
    )


def _one(conn: Connection, query: Select[Any]) -> int:
    return int(conn.execute(query).scalar_one())


def _oldest_call(conn: Connection, enterprise_id: str) -> int | None:
    found = select(func.min(calls.c.started_at)).where(calls.c.enterprise_id == enterprise_id)
    return conn.execute(found).scalar_one()  # type: ignore[no-any-return] # a moment, or None


def _recordings(conn: Connection) -> dict[str, int]:
    status, no_room = recordings.c.status, func.coalesce(recordings.c.remarks, "").contains(NO_ROOM)
    wanted = status.in_((RECORDING, ENCODING, FAILED, ERASING))
    found: dict[str, int] = {}
    for row in conn.execute(select(status, no_room, func.count()).where(wanted).group_by(status, no_room)):
        word = "no_room" if row[0] == FAILED and row[1] else row[0]
        found[word] = found.get(word, 0) + row[2]
    return found


def _endpoint(conn: Connection, endpoint: Endpoint, names: Mapping[str, str]) -> EndpointHealth:
    enterprise_id = endpoint.enterprise_id
    status = endpoints.status(conn, enterprise_id)
    owed = (deliveries.c.enterprise_id == enterprise_id, deliveries.c.status == PENDING)
    first = select(func.min(deliveries.c.cursor)).where(*owed).scalar_subquery()
    oldest = conn.execute(select(events.c.occurred_at).where(events.c.cursor == first)).scalar_one_or_none()
    return EndpointHealth(
        enterprise_id=enterprise_id,
        enterprise=names.get(enterprise_id, ""),
        url=endpoint.url,
        active=endpoint.active,
        inactive_reason=None if status is None else status.inactive_reason,
        owed=_one(conn, select(func.count()).select_from(deliveries).where(*owed)),
        oldest_ms=oldest,
    )
