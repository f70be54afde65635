"""Which files a process has open, by kind: a number that has grown does not say of what."""

from collections import Counter
from pathlib import Path
from typing import Final

from kobza.store.place import STORE_FILE
from kobza.store.sqlite import CONNECTIONS

SOCKETS: Final = {"tcp": 9, "tcp6": 9, "udp": 9, "udp6": 9, "unix": 6}
"""Tables of sockets below /proc/PID/net, and the column of their inodes."""

STORE_FILES: Final = (STORE_FILE, f"{STORE_FILE}-wal")
OF_THE_JOURNAL: Final = 2
"""Connections that are not of the pool: the journal's, and one of who reads along."""
SLACK: Final = 6
"""How many more there may be: a look at the metrics, a file that is being written."""


def open_files(pid: int) -> Counter[str]:
    """Count them: sockets by their protocol, all else by the last part of its name."""
    process = Path(f"/proc/{pid}")
    protocols = {}
    for protocol, column in SOCKETS.items():
        for line in (process / "net" / protocol).read_text().splitlines()[1:]:
            protocols[line.split()[column]] = protocol
    kinds: Counter[str] = Counter()
    for link in (process / "fd").iterdir():
        try:
            kind, _, inode = str(link.readlink()).rpartition("/")[2].partition(":[")
        except FileNotFoundError:  # closed meanwhile
            continue
        kinds[protocols.get(inode.rstrip("]"), kind)] += 1
    return kinds


def leaked(before: Counter[str], after: Counter[str]) -> str:
    """Say of which kinds there are more, and how many; "" when that is no leak.

    Connections to the store stay open, as many as have ever been needed at once: those have a bound.
    """
    more = after - before
    for name in STORE_FILES:
        if after[name] <= CONNECTIONS + OF_THE_JOURNAL:
            del more[name]
    if more.total() <= SLACK:
        return ""
    return ", ".join(f"{kind} {before[kind]} to {after[kind]}" for kind in sorted(more))
