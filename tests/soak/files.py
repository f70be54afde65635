"""Which files a process has open, by kind: a number that has grown does not say of what."""

from collections import Counter
from pathlib import Path
from typing import Final

SOCKETS: Final = {"tcp": 9, "tcp6": 9, "udp": 9, "udp6": 9, "unix": 6}
"""Tables of sockets below /proc/PID/net, and the column of their inodes."""


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


def grown(before: Counter[str], after: Counter[str]) -> str:
    """Say of which kinds there are more, and how many."""
    return ", ".join(f"{kind} {before[kind]} to {count}" for kind, count in sorted((after - before).items()))
