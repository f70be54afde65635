"""Which open files are a leak, and which are connections to the store."""

import os
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import quote

import pytest

from kobza.store import STORE_FILE, Store, meta, postgres, sqlite
from kobza.store.place import Place, PostgresUrl
from tests.soak.files import (
    BESIDE_THE_POOL,
    DATABASE,
    MOST,
    WAL,
    database_at,
    fewest_files,
    leaked,
    left_open,
    open_files,
)
from tests.soak.peers import peers
from tests.support.postgres import PASSWORD, USER, PostgresServer, name_of
from tests.support.stores import empty_store


@pytest.fixture
def place(tmp_path: Path, database: PostgresServer | None) -> Iterator[Place]:
    """Where an empty store is."""
    if database is None:
        empty_store(tmp_path / STORE_FILE).close()
        yield tmp_path / STORE_FILE
        return
    url = database.make_store()
    yield url
    database.drop(url)


def test_files_and_sockets_are_counted_by_kind(tmp_path: Path) -> None:
    before = open_files(os.getpid())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, (tmp_path / "spool.x").open("w"):
        sock.bind(("127.0.0.1", 0))
        more = open_files(os.getpid()) - before
    assert more["spool.x"] == 1
    assert more["udp"] >= 1  # another test may have left a thread that opens one


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_peers_of_tcp(family: socket.AddressFamily, host: str) -> None:
    with (
        socket.create_server((host, 0), family=family) as server,
        socket.create_connection(server.getsockname()[:2]) as ours,
        server.accept()[0] as theirs,
    ):
        found = peers(os.getpid())
        for end in (ours, theirs):
            assert found[inode(end)] == end.getpeername()[:2]
        assert found[inode(server)][1] == 0


def test_ipv4_over_ipv6_is_ipv4() -> None:
    with (
        socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server,
        socket.create_connection(("127.0.0.1", server.getsockname()[1])) as ours,
        server.accept()[0] as theirs,
    ):
        assert peers(os.getpid())[inode(theirs)] == ours.getsockname()


def test_peers_of_unix_sockets(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(path)
        server.listen(100)
        ours = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(100)]
        for each in ours:
            each.connect(path)
        theirs = [stack.enter_context(server.accept()[0]) for _ in ours]
        one, other = (stack.enter_context(each) for each in socket.socketpair())
        found = peers(os.getpid())
        assert {found[inode(each)] for each in ours} == {(path, 0)}
        assert {inode(each) for each in (*theirs, one, other)} & found.keys() == set()


def inode(sock: socket.socket) -> str:
    return str(os.fstat(sock.fileno()).st_ino)


def test_the_pool_keeps_no_more_connections_than_its_bound(place: Place) -> None:
    kind, size = (WAL, sqlite.CONNECTIONS) if isinstance(place, Path) else (DATABASE, postgres.CONNECTIONS)
    at_once = size + 3
    before = open_files(os.getpid(), database_at(place))
    with closing(Store.open(place)) as store:
        for _ in range(3):
            with ExitStack() as reads:
                for _ in range(at_once):
                    conn = reads.enter_context(store.read())
                    assert meta.sip_realm(conn)
                assert (open_files(os.getpid(), database_at(place)) - before)[kind] in {at_once, at_once + 1}
            store.directory_version()
        more = open_files(os.getpid(), database_at(place)) - before
        assert more[kind] == size + 1
        assert MOST[kind] == size + BESIDE_THE_POOL
        assert more[STORE_FILE] <= at_once + 1 <= MOST[STORE_FILE]
    assert not (open_files(os.getpid(), database_at(place)) - before)[kind]


@pytest.mark.database("postgresql")
def test_connections_over_tcp_are_told_too(place: PostgresUrl, database: PostgresServer) -> None:
    url = PostgresUrl.parse(f"postgresql://{USER}:{quote(PASSWORD)}@localhost:{database.port}/{name_of(place)}")
    assert database_at(url) == ("127.0.0.1", database.port)
    before = open_files(os.getpid(), database_at(url))
    with closing(Store.open(url)) as store, store.read() as conn:
        assert meta.sip_realm(conn)
        assert (open_files(os.getpid(), database_at(url)) - before)[DATABASE] == 1


def test_connections_to_the_store_have_a_bound_and_all_else_may_not_be_more() -> None:
    before = Counter({"udp": 3, STORE_FILE: 2, WAL: 2, DATABASE: 1})
    assert leaked(before, before) == ""
    assert leaked(before, before - Counter("udp")) == ""
    assert leaked(before, Counter({**before, **MOST})) == ""
    assert leaked(before, before + Counter({"udp": 1, "spool.x": 1})) == "spool.x 0 to 1, udp 3 to 4"
    for kind, most in MOST.items():
        assert leaked(before, Counter({**before, kind: most + 1})) == f"{kind} {before[kind]} to {most + 1}"
        grown = Counter({**before, kind: most + 1})
        assert leaked(grown, grown) == f"{kind} {most + 1} to {most + 1}"


def test_what_is_open_for_the_moment_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "spool.z").open("w") as stays:
        before = open_files(os.getpid())
        brief = (tmp_path / "spool.z").open("w")
        monkeypatch.setattr("tests.soak.files.time.sleep", lambda _: brief.close())
        assert fewest_files(os.getpid(), None, 0.0)["spool.z"] == before["spool.z"] == 1
        assert not stays.closed


def test_what_is_closed_within_the_patience_is_no_leak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = open_files(os.getpid())
    spool = (tmp_path / "spool.y").open("w")
    _, more = left_open(os.getpid(), None, before, 0.0)
    assert "spool.y 0 to 1" in more
    monkeypatch.setattr("tests.soak.files.time.sleep", lambda _: spool.close())
    after, more = left_open(os.getpid(), None, before, 60.0)
    assert (after["spool.y"], "spool.y" in more) == (0, False)
