"""The directory in memory: it follows the store, and knows where the trunks are."""

import asyncio
from collections.abc import Callable

import pytest

from kobza.call.directory import Directory
from kobza.pbx import directory_view as module
from kobza.pbx.directory_view import DirectoryView
from kobza.sip.flow import Address, Transport
from kobza.store import Store, directory, enterprises, numbers, trunks
from tests.pbx.office import ANNA, BOHDAN
from tests.support.waiting import PATIENCE

HERE = ("192.0.2.50", 5060)


class Names:
    """Host names and the addresses they have now; the others are unknown."""

    def __init__(self, **addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[Address]:
        self.asked += 1
        if host[0].isdigit():
            return [(host, port)]
        if host not in self.addresses:
            raise OSError(f"no such host: {host}")
        return [(address, port) for address in self.addresses[host].split()]


def add_trunk(store: Store, name: str, host: str, port: int = 5060, transport: str = "UDP") -> None:
    with store.write() as conn:
        trunks.add(conn, name, host, port, transport=transport)


def add_number(store: Store) -> None:
    with store.write() as conn:
        enterprise_id = enterprises.add(conn, "A", "a", "hash", 1).enterprise_id
        numbers.add(conn, ANNA, enterprise_id)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - a thread tells nobody
            await asyncio.sleep(0.005)


async def test_it_has_what_the_store_has(store: Store) -> None:
    view = DirectoryView(store, resolve_host=Names())
    assert view.snapshot.subscribers == {}
    add_number(store)
    await view.refresh()
    assert list(view.snapshot.subscribers) == [ANNA]
    assert view.snapshot.version == store.directory_version()


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "with another change"])
async def test_a_setting_that_was_written_is_taken_over(
    store: Store, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    """Without reading everything, unless something else changed too."""
    with store.write() as conn:
        own = enterprises.add(conn, "A", "a", "hash", 1).enterprise_id
        for number in (ANNA, BOHDAN):
            numbers.add(conn, number, own, "Хтось")
    view = DirectoryView(store, resolve_host=Names())
    await view.refresh()
    before = view.snapshot
    loaded: list[Directory] = []
    load = view._load

    def watched() -> Directory:
        loaded.append(load())
        return loaded[-1]

    monkeypatch.setattr(view, "_load", watched)
    for _ in range(others):
        with store.write() as conn:
            numbers.set_dnd(conn, own, BOHDAN, True)
    with store.write() as conn:
        numbers.set_dnd(conn, own, ANNA, True)
    await view.refresh_number(own, ANNA)
    assert len(loaded) == others
    assert view.snapshot.version == store.directory_version()
    assert view.snapshot.subscribers[ANNA].dnd
    assert view.snapshot.subscribers[BOHDAN].dnd is bool(others)
    assert list(view.snapshot.subscribers) == [ANNA, BOHDAN]
    assert not before.subscribers[ANNA].dnd  # a snapshot is what it was
    with store.read() as conn:
        assert view.snapshot == directory.load(conn)
    await view.refresh_number(own, ANNA)
    assert len(loaded) == others


async def test_a_number_that_is_gone_when_its_setting_is_taken_over(store: Store) -> None:
    add_number(store)
    view = DirectoryView(store, resolve_host=Names())
    await view.refresh()
    own = view.snapshot.subscribers[ANNA].enterprise_id
    with store.write() as conn:
        numbers.remove(conn, own, ANNA)
    await view.refresh_number(own, ANNA)
    assert view.snapshot.subscribers == {}


async def test_nothing_new_is_the_same_snapshot(store: Store) -> None:
    names = Names()
    add_trunk(store, "t", HERE[0])
    view = DirectoryView(store, resolve_host=names)
    await view.refresh()
    before = view.snapshot
    await view.refresh()
    assert view.snapshot is before
    assert names.asked == 1


async def test_it_follows_what_others_change(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_INTERVAL", 0.005)
    view = DirectoryView(store, resolve_host=Names())
    await view.start()
    add_number(store)
    await until(lambda: ANNA in view.snapshot.subscribers)
    await view.stop()
    await view.stop()


async def test_a_store_that_does_not_answer_is_asked_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "POLL_INTERVAL", 0.005)
    monkeypatch.setattr(module, "RETRY_INTERVAL", 0.005)
    view = DirectoryView(store, resolve_host=Names())
    await view.start()
    with monkeypatch.context() as broken:
        broken.setattr(store, "directory_version", lambda: 1 // 0)
        await until(lambda: "could not be read" in caplog.text)
    add_number(store)
    await until(lambda: ANNA in view.snapshot.subscribers)
    await view.stop()


async def test_trunks_by_address(store: Store) -> None:
    add_trunk(store, "udp", "carrier")
    add_trunk(store, "tcp", "192.0.2.60", transport="TCP")
    view = DirectoryView(store, resolve_host=Names(carrier=HERE[0]))
    await view.refresh()
    udp, tcp = sorted(view.snapshot.trunks, key=lambda trunk: trunk.name == "tcp")
    assert view.address_of(udp) == HERE
    assert view.trunk_at(Transport.UDP, HERE) is udp
    assert view.trunk_at(Transport.UDP, (HERE[0], 5061)) is None
    assert view.trunk_at(Transport.TCP, HERE) is None
    assert view.trunk_at(Transport.TCP, ("192.0.2.60", 41234)) is tcp  # the port is the connection's
    assert view.trunk_at(Transport.UDP, ("192.0.2.60", 5060)) is None


async def test_of_two_trunks_at_one_address_the_first_counts(store: Store) -> None:
    for name in ("first", "second"):
        add_trunk(store, name, HERE[0])
    view = DirectoryView(store, resolve_host=Names())
    await view.refresh()
    assert view.trunk_at(Transport.UDP, HERE) is view.snapshot.trunks[0]


async def test_a_trunk_that_is_gone_needs_digest_again(store: Store) -> None:
    add_trunk(store, "t", HERE[0])
    view = DirectoryView(store, resolve_host=Names())
    await view.refresh()
    assert view.trunk_at(Transport.UDP, HERE) is not None
    with store.write() as conn:
        trunks.remove(conn, "t")
    await view.refresh()
    assert view.trunk_at(Transport.UDP, HERE) is None


async def test_an_unknown_host_harms_no_other(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    add_trunk(store, "lost", "lost")
    add_trunk(store, "good", HERE[0])
    view = DirectoryView(store, resolve_host=Names())
    await view.refresh()
    by_name = {trunk.name: trunk for trunk in view.snapshot.trunks}
    assert view.address_of(by_name["lost"]) is None
    assert view.address_of(by_name["good"]) == HERE
    assert "trunk lost" in caplog.text


async def test_names_are_looked_up_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add_trunk(store, "t", "carrier")
    names = Names(carrier=HERE[0])
    view = DirectoryView(store, resolve_host=names)
    await view.refresh()
    (trunk,) = view.snapshot.trunks
    monkeypatch.setattr(module, "RESOLVE_INTERVAL", -1.0)
    names.addresses["carrier"] = "192.0.2.51"
    await view.refresh()
    assert view.address_of(trunk) == ("192.0.2.51", 5060)
    assert view.trunk_at(Transport.UDP, HERE) is None
    del names.addresses["carrier"]  # the name server is down: what was known holds
    await view.refresh()
    assert view.trunk_at(Transport.UDP, ("192.0.2.51", 5060)) is trunk
