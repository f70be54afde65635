"""Which open files are a leak."""

import os
import socket
from collections import Counter
from pathlib import Path

from kobza.store.sqlite import CONNECTIONS
from tests.soak.files import OF_THE_JOURNAL, SLACK, leaked, open_files

FULL = CONNECTIONS + OF_THE_JOURNAL


def test_files_and_sockets_are_counted_by_kind(tmp_path: Path) -> None:
    before = open_files(os.getpid())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, (tmp_path / "spool.x").open("w"):
        sock.bind(("127.0.0.1", 0))
        more = open_files(os.getpid()) - before
    assert more["spool.x"] == 1
    assert more["udp"] >= 1  # another test may have left a thread that opens one


def test_a_few_more_are_no_leak_and_connections_have_a_bound() -> None:
    before = Counter({"udp": 3, "kobza.db": 2, "kobza.db-wal": 2})
    assert leaked(before, before + Counter({"udp": SLACK})) == ""
    assert leaked(before, Counter({"udp": 3, "kobza.db": FULL, "kobza.db-wal": FULL})) == ""
    assert leaked(before, before + Counter({"udp": SLACK + 1})) == f"udp 3 to {SLACK + 4}"
    assert leaked(before, before + Counter({"kobza.db": FULL, "udp": 1})) == f"kobza.db 2 to {FULL + 2}, udp 3 to 4"
