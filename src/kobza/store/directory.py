"""The directory: what routing needs of the store, as one immutable snapshot."""

from sqlalchemy import Connection

from kobza.call.directory import Directory
from kobza.call.group import group_key
from kobza.store import (
    endpoints,
    enterprises,
    groups,
    hours,
    meta,
    numbers,
    outside,
    recording_notices,
    sounds,
    trunks,
)


def load(conn: Connection) -> Directory:
    """Return the directory as it is in the connection's snapshot: its parts and its version belong together."""
    return Directory(
        subscribers={subscriber.number: subscriber for subscriber in numbers.load(conn)},
        groups={group_key(group.number, group.enterprise_id): group for group in groups.load(conn)},
        hours=hours.load(conn),
        trunks=tuple(trunks.list_all(conn)),
        endpoints={endpoint.enterprise_id: endpoint for endpoint in endpoints.load(conn)},
        enterprises={enterprise.enterprise_id: enterprise for enterprise in enterprises.list_all(conn)},
        outside=outside.load(conn),
        music=sounds.load_music(conn),
        ringback=sounds.load_ringback(conn),
        recording_notices=recording_notices.load(conn),
        version=meta.directory_version(conn),
    )
