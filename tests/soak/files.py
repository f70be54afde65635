"""Which files a process has open, by kind: a number that has grown does not say of what."""

import socket
import time
from collections import Counter
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict

from kobza.store import postgres, sqlite
from kobza.store.place import STORE_FILE, Place
from kobza.webhooks.http1 import IDLE_SECONDS
from tests.soak.peers import Peer, peers

SOCKETS: Final = {"tcp": 9, "tcp6": 9, "udp": 9, "udp6": 9, "unix": 6}
"""Tables of sockets below /proc/PID/net, and the column of their inodes."""
DATABASE: Final = "database"
"""The kind of a connection to PostgreSQL."""
WAL: Final = f"{STORE_FILE}-wal"
BESIDE_THE_POOL: Final = 2
"""Connections that are not of the pool: the journal's, and the one that looks whether the store was changed."""
MOST: Final = {
    STORE_FILE: 2 * sqlite.CONNECTIONS + BESIDE_THE_POOL,
    WAL: sqlite.CONNECTIONS + BESIDE_THE_POOL,
    DATABASE: postgres.CONNECTIONS + BESIDE_THE_POOL,
}
"""Connections to the store stay open, as many as have ever been needed at once, up to so many. Those above are closed;
of these SQLite keeps the store's file open for its next ones, as closing it would lift the locks of all others."""
LOOK: Final = 2.0
"""Seconds between two looks."""
KEPT: Final = IDLE_SECONDS + 10
"""Seconds after which nothing is kept any more for a next request: the longest are the connections of webhooks."""


def database_at(place: Place) -> Peer | None:
    """Return whom connections to a store's database have as their peer; None: the store is a file."""
    if isinstance(place, Path):
        return None
    told = conninfo_to_dict(place.url)
    host, port = str(told.get("host", "localhost")), str(told.get("port", 5432))
    if host.startswith("/"):
        return f"{host}/.s.PGSQL.{port}", 0
    return socket.gethostbyname(host), int(port)


def open_files(pid: int, database: Peer | None = None) -> Counter[str]:
    """Count them: connections to the database, other sockets by their protocol, all else by the last part of its name.

    The process is in this one's network.
    """
    process = Path(f"/proc/{pid}")
    protocols = {}
    for protocol, column in SOCKETS.items():
        for line in (process / "net" / protocol).read_text().splitlines()[1:]:
            protocols[line.split()[column]] = protocol
    if database is not None:
        protocols |= {inode: DATABASE for inode, peer in peers(pid).items() if peer == database}
    kinds: Counter[str] = Counter()
    for link in (process / "fd").iterdir():
        try:
            kind, _, inode = str(link.readlink()).rpartition("/")[2].partition(":[")
        except FileNotFoundError:  # closed meanwhile
            continue
        kinds[protocols.get(inode.rstrip("]"), kind)] += 1
    return kinds


def fewest_files(pid: int, database: Peer | None, seconds: float = KEPT) -> Counter[str]:
    """Return how many of each kind are open at the least within some seconds: those that are not for the moment."""
    end = time.monotonic() + seconds
    fewest = open_files(pid, database)
    while True:
        time.sleep(LOOK)
        fewest &= open_files(pid, database)
        if time.monotonic() > end:
            return fewest


def leaked(before: Counter[str], after: Counter[str]) -> str:
    """Say of which kinds there are more, and how many; "" when that is no leak."""
    more = [kind for kind, count in after.items() if count > MOST.get(kind, before[kind])]
    return ", ".join(f"{kind} {before[kind]} to {after[kind]}" for kind in sorted(more))


def left_open(pid: int, database: Peer | None, before: Counter[str], patience: float) -> tuple[Counter[str], str]:
    """Return which files are open once no more are than before, or else after some seconds; and what is leaked.

    A connection that is kept for a next request, or a look at the metrics, is over by then.
    """
    end = time.monotonic() + patience
    while True:
        after = open_files(pid, database)
        more = leaked(before, after)
        if not more or time.monotonic() > end:
            return after, more
        time.sleep(LOOK)
