"""The keeper of the door: bans go into the store and come from there, trunks are trusted, passwords are counted."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable

import pytest

from kobza.app.limits import door_rules
from kobza.call.directory import Directory, Subscriber
from kobza.config.settings import LOOPBACK, Settings
from kobza.defence.bans import Ban
from kobza.pbx.authenticator import Authenticator, Denied
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.doorkeeper import Doorkeeper
from kobza.sip.flow import Address, Flow
from kobza.sip.message import SipRequest
from kobza.store import Store, sip_bans, trunks
from tests.pbx.office import ANNA, ANNA_USER, NOW, PHONE, REALM, request, signed, subscriber, verifier
from tests.support.waiting import PATIENCE

KNOWN = (PHONE.remote[0], 5060)
DATA = b"x" * 400


class Gate:
    """A door with its keeper, and what phones prove at it."""

    def __init__(self, store: Store, known: Iterable[Address] = ()) -> None:
        self.store = store
        self.at = NOW
        self.known = known
        self.view = DirectoryView(store)
        digest = verifier()
        self.keeper = Doorkeeper(
            door_rules(Settings.model_validate({})),
            store=store,
            view=self.view,
            never=LOOPBACK,
            ban_for=600,
            is_ours=digest.is_ours,
            now=lambda: self.at,
        )
        self.door = self.keeper.door
        self.authenticator = Authenticator(digest, doorkeeper=self.keeper)
        self.directory = Directory(subscribers={ANNA: subscriber()})

    async def __aenter__(self) -> "Gate":
        await self.view.start()
        await self.keeper.start(self.known)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.keeper.stop()
        await self.view.stop()

    def check(self, message: SipRequest, flow: Flow = PHONE) -> Subscriber | Denied:
        return self.authenticator.check(message, flow, self.directory, self.at, asked_by="registrar")

    def guess(self, times: int, flow: Flow = PHONE, source: str = PHONE.remote[0]) -> None:
        for _ in range(times):
            denied = self.check(signed(register(), password="guessed", source=source), flow)
            assert isinstance(denied, Denied)
            assert denied.status == 401

    def stored(self) -> list[Ban]:
        with self.store.read() as conn:
            return sip_bans.list_all(conn)


def register() -> SipRequest:
    return request("REGISTER", f"sip:{REALM}", headers=[("User-Agent", "Phone/1.0")])


@pytest.fixture
async def gate(store: Store) -> AsyncIterator[Gate]:
    async with Gate(store) as made:
        yield made


async def until_stored(gate: Gate, count: int) -> list[Ban]:
    async with asyncio.timeout(PATIENCE):
        while len(found := gate.stored()) != count:  # noqa: ASYNC110 - a thread tells nobody
            await asyncio.sleep(0.005)
    return found


async def test_guesses_ban_are_told_once_stored_and_outlive_a_restart(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        gate.guess(40)
    (line,) = [each.getMessage() for each in caplog.records if "banned" in each.getMessage()]
    assert line == f"198.51.100.7 is banned for 10 min (no. 1): wrong passwords, the last one for '{ANNA_USER}'"
    assert not gate.door.admits(DATA, PHONE.remote, NOW)
    (ban,) = await until_stored(gate, 1)
    assert (ban.source, ban.made_by, ban.until, ban.times) == ("198.51.100.7", "", NOW + 600, 1)
    async with Gate(gate.store) as again:
        assert not again.door.admits(DATA, PHONE.remote, NOW)
        assert again.door.admits(DATA, PHONE.remote, NOW + 601)


async def test_what_was_given_to_another_or_is_old_counts_against_nobody(gate: Gate) -> None:
    """Who makes an address up has not seen a challenge that was sent there."""
    gate.guess(100, source="203.0.113.5")
    gate.at += 10_000
    gate.guess(100)
    assert gate.door.wrong == 0
    assert isinstance(gate.check(signed(register(), at=gate.at)), Subscriber)
    stale = gate.check(signed(register(), at=gate.at, source="203.0.113.5"))
    assert isinstance(stale, Denied)
    assert all("stale=true" in value for _, value in stale.headers)


async def test_who_proves_a_password_is_known_and_so_are_devices_of_before(store: Store) -> None:
    async with Gate(store, known=[KNOWN]) as gate:
        assert gate.door.known == 1
        assert isinstance(gate.check(signed(register())), Subscriber)
        assert gate.door.known == 2
        gate.guess(100, flow=PHONE._replace(remote=("198.51.100.7", 1)))
        assert gate.door.admits(DATA, PHONE.remote, NOW)
        assert not gate.door.admits(DATA, ("198.51.100.7", 1), NOW)


async def test_people_ban_and_lift_while_it_runs(gate: Gate) -> None:
    assert isinstance(gate.check(signed(register())), Subscriber)
    with gate.store.write() as conn:
        sip_bans.put(conn, [Ban("198.51.100.7", "calls at night", "olena", NOW, None)])
        sip_bans.tell(conn)
    await until(lambda: not gate.door.admits(DATA, PHONE.remote, NOW))
    with gate.store.write() as conn:
        assert sip_bans.lift(conn, "198.51.100.7")
        sip_bans.tell(conn)
    await until(lambda: gate.door.admits(DATA, PHONE.remote, NOW))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - a thread tells nobody
            await asyncio.sleep(0.01)


async def test_trunks_are_trusted_from_the_moment_they_are_there(gate: Gate) -> None:
    guesser = ("203.0.113.9", 5060)
    flood = sum(gate.door.admits(DATA, guesser, NOW) for _ in range(2000))
    assert flood == 500
    with gate.store.write() as conn:
        trunks.add(conn, "carrier", "203.0.113.9", 5060)
    await gate.view.refresh()
    assert all(gate.door.admits(DATA, guesser, NOW) for _ in range(2000))


async def test_who_asked_in_few_words_is_challenged_in_few(gate: Gate) -> None:
    """Where the whole challenge would be longer than the request, only what every phone understands is offered."""

    def challenges(size: int) -> list[str]:
        gate.door.admits(bytes(size), remote := ("203.0.113.9", 40_000 + size), NOW)
        denied = gate.check(register(), PHONE._replace(remote=remote))
        gate.door.may_answer(bytes(size), remote)
        assert isinstance(denied, Denied)
        return [value for _, value in denied.headers]

    first, second = challenges(1000)
    assert "algorithm=MD5" in first
    assert "algorithm=SHA-256" in second
    (short,) = challenges(400)
    assert "algorithm" not in short
    assert 'qop="auth"' in short
