from ipaddress import ip_network

import pytest

from kobza.call.trunk import CallerIn, Inbound, NumberFormat, Trunk
from kobza.store import NameTaken, NotInStore, Store, enterprises, meta, trunks
from kobza.store.trunks import TrunkState


def test_a_trunk_can_be_an_enterprises_own(store: Store, enterprise_id: str) -> None:
    with store.write() as conn:
        other = enterprises.add(conn, "B", "other", "hash", 1).enterprise_id
        trunks.add(conn, "all", "192.0.2.1", 5060, now_ms=1)
        trunks.add(conn, "own", "192.0.2.2", 5060, enterprise_id=enterprise_id, now_ms=2)
        assert [trunk.name for trunk in trunks.list_all(conn, enterprise_id)] == ["all", "own"]
        assert [trunk.name for trunk in trunks.list_all(conn, other)] == ["all"]
        assert [trunk.name for trunk in trunks.list_all(conn)] == ["all", "own"]


def test_a_trunks_name_is_taken_once(store: Store) -> None:
    with store.write() as conn:
        trunks.add(conn, "out", "192.0.2.1", 5060)
        with pytest.raises(NameTaken, match="out"):
            trunks.add(conn, "out", "192.0.2.2", 5060)
        assert trunks.remove(conn, "out")
        assert not trunks.remove(conn, "out")
        assert trunks.list_all(conn) == []


def test_what_is_not_said_of_a_trunk_is_as_a_trunk_has_it(store: Store) -> None:
    with store.write() as conn:
        trunk_id = trunks.add(conn, "out", "192.0.2.1", 5060)
        assert trunks.get(conn, "out") == Trunk(trunk_id, "out", "192.0.2.1", 5060)


def test_every_field_is_kept_and_changed(store: Store) -> None:
    networks = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    with store.write() as conn:
        trunk_id = trunks.add(conn, "out", "192.0.2.1", 5060)
        version = meta.directory_version(conn)
        wanted = Trunk(
            trunk_id,
            "out",
            "operator.example",
            5061,
            "044",
            "TCP",
            trusted=False,
            priority=1,
            capacity=2,
            number_format=NumberFormat.NATIONAL,
            strip="0",
            add="77#",
            strip_incoming="+",
            add_incoming="044",
            domain="sip.example.net",
            username="account",
            password="secret",
            expires=60,
            options_every=0,
            answer_within=3,
            inbound=Inbound.CREDENTIALS,
            networks=networks,
            incoming_username="carrier",
            incoming_ha1_md5="1" * 32,
            incoming_ha1_sha256="2" * 64,
            caller_in=CallerIn.ASSERTED,
            user_phone=True,
        )
        fields = {name: getattr(wanted, name) for name in trunks.SETTINGS if name not in ("trunk_id", "name")}
        assert len(fields) == len(Trunk.__slots__) - 2
        assert trunks.change(conn, "out", fields) == wanted == trunks.get(conn, "out")
        assert meta.directory_version(conn) == version + 1
        trunks.change(conn, "out", {"incoming_username": "carrier"})  # its own is not taken
        with pytest.raises(NameTaken, match="that of trunk out already"):
            trunks.add(conn, "other", "192.0.2.1", 5060, incoming_username="carrier")
        with pytest.raises(NotInStore, match="no trunk lviv"):
            trunks.change(conn, "lviv", {"port": 1})


def test_how_trunks_do_goes_with_them(store: Store) -> None:
    with store.write() as conn:
        kept, gone = (trunks.add(conn, name, "192.0.2.1", 5060) for name in ("kept", "gone"))
        assert trunks.states(conn) == {}
        down = TrunkState(gone, "down", None, "no answer", 5)
        trunks.set_states(conn, [TrunkState(kept, "up", "registered", "", 5), down])
        trunks.remove(conn, "gone")
        refused = TrunkState(kept, "down", "refused", "403 Forbidden", 9)
        trunks.set_states(conn, [refused, down])
        trunks.set_states(conn, [])
        assert trunks.states(conn) == {kept: refused}
