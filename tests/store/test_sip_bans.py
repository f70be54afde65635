"""Bans at the SIP door as they are stored."""

from kobza.defence.bans import REMEMBERED_FOR, Ban
from kobza.store import Store, sip_bans
from tests.store.builders import NOW

GUESSING = Ban("198.51.100.9", "wrong passwords", "", NOW, NOW + 600.5, 2)
BY_HAND = Ban("2001:db8:1:2::/64", "дзвінки вночі", "olena", NOW + 1, None)


def test_bans_are_put_listed_and_lifted(store: Store) -> None:
    with store.write() as conn:
        sip_bans.put(conn, [])
        sip_bans.put(conn, [GUESSING, BY_HAND])
    with store.read() as conn:
        assert sip_bans.list_all(conn) == [BY_HAND, GUESSING]
        assert sip_bans.list_all(conn, NOW + 600) == [BY_HAND, GUESSING]
        assert sip_bans.list_all(conn, NOW + 601) == [BY_HAND]
    longer = Ban(GUESSING.source, "again", "", NOW + 700, NOW + 4300, 3)
    with store.write() as conn:
        sip_bans.put(conn, [longer])
        assert sip_bans.list_all(conn) == [longer, BY_HAND]
        assert sip_bans.lift(conn, GUESSING.source)
        assert not sip_bans.lift(conn, GUESSING.source)
        assert sip_bans.list_all(conn) == [BY_HAND]


def test_what_was_over_long_ago_is_forgotten(store: Store) -> None:
    with store.write() as conn:
        sip_bans.put(conn, [GUESSING, BY_HAND])
        sip_bans.forget(conn, NOW + 600 + REMEMBERED_FOR)
        assert sip_bans.list_all(conn) == [BY_HAND, GUESSING]
        sip_bans.forget(conn, NOW + 601 + REMEMBERED_FOR)
        assert sip_bans.list_all(conn) == [BY_HAND]


def test_a_server_that_runs_is_told(store: Store) -> None:
    before = store.directory_version()
    with store.write() as conn:
        sip_bans.tell(conn)
    assert store.directory_version() == before + 1
