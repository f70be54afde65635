"""Commands: whom a call can be made to, and the listing of phones. Calls themselves are made in tests/interop."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kobza.call.directory import Package
from kobza.call.errors import (
    KobzaError,
    NoRouteError,
    NotFoundError,
    NumberError,
    OriginatorBusyError,
    OriginatorUnreachableError,
    PresentationNotAllowedError,
    WrongStateError,
)
from kobza.call.routing import Party
from kobza.pbx import starting as starting_module
from kobza.pbx.admission import Admission
from kobza.pbx.authenticator import Authenticator
from kobza.pbx.commands import Commands
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.live_call import LiveCall
from kobza.pbx.locations import Locations
from kobza.pbx.presence import Presence
from kobza.pbx.transfers import Transfers
from kobza.sip.digest import ha1
from kobza.store import Store, enterprises, numbers, trunks
from tests.pbx.office import ANNA, BOHDAN, NOW, OUTSIDE, VERA, verifier
from tests.pbx.test_live_call import live_call
from tests.soak.uncollected import nothing_collected
from tests.store.builders import binding
from tests.support.name_server import NameServer

BOTH = (Package.CONVERGENT, Package.API_FMC)
THEIRS = "+380679999999"


class Office:
    """An enterprise with three numbers, of which Anna's has a phone; commands without a switch."""

    def __init__(self, store: Store, names: NameServer) -> None:
        self.store = store
        with store.write() as conn:
            self.own = enterprises.add(conn, "Ромашка", "admin", "hash", 1).enterprise_id
            other = enterprises.add(conn, "Джміль", "other", "hash", 1).enterprise_id
            numbers.add(conn, ANNA, self.own, "Anna", packages=BOTH)
            numbers.add(conn, BOHDAN, self.own, "Bohdan", packages=BOTH)
            numbers.add(conn, VERA, self.own, "Vera", packages=[Package.CONVERGENT])
            numbers.add(conn, THEIRS, other, packages=BOTH)
            trunks.add(conn, "lost", "lost.example", 5060, prefix="0800")
            trunks.add(conn, "city", "192.0.2.50", 5060, prefix="044")
        self.view = DirectoryView(store, locate=names.locator().locate)
        self.locations = Locations()
        self.locations.put(binding(ANNA, expires_at=NOW + 60))
        self.presence = Presence(self.locations, lambda: NOW)
        admission = Admission(self.view, self.locations, Authenticator(verifier()))
        self.commands = Commands(
            store=store,
            view=self.view,
            switch=cast("Any", None),
            admission=admission,
            presence=self.presence,
            transfers=Transfers(admission, self.view),
            guests=cast("Any", None),
            now=lambda: NOW,
        )


@pytest.fixture
async def office(store: Store, names: NameServer) -> Office:
    made = Office(store, names)
    await made.view.refresh()
    return made


@pytest.mark.parametrize(
    ("originator", "destination", "error", "parameter"),
    [
        (BOHDAN, OUTSIDE, OriginatorUnreachableError, "originator"),
        (THEIRS, OUTSIDE, NotFoundError, "number"),
        (OUTSIDE, ANNA, NotFoundError, "number"),
        (ANNA, "+380800123456", NoRouteError, "destination"),  # the trunk's address is unknown
        (ANNA, "+380501112233", NoRouteError, "destination"),  # nobody's, and no trunk takes it
        (ANNA, "101", NoRouteError, "destination"),
        (ANNA, "sales", NumberError, "destination"),
    ],
)
async def test_what_keeps_a_call_from_being_made(
    office: Office, originator: str, destination: str, error: type[KobzaError], parameter: str
) -> None:
    with pytest.raises(error) as raised:
        await office.commands.originate(office.own, originator, destination)
    assert raised.value.parameter == parameter


async def test_a_call_that_the_store_does_not_take_is_ended(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's part is a journal that is stuck: it never says that the call is written."""
    ended: list[int] = []
    call = SimpleNamespace(terminate=lambda cause, _: ended.append(cause))
    live = SimpleNamespace(call_id="c", caller_leg_id="l", call=call)
    switch = SimpleNamespace(originate=lambda _, **__: live, feed=lambda _, enter: enter())
    monkeypatch.setattr(office.commands, "_switch", switch)
    monkeypatch.setattr(starting_module, "STORE_SECONDS", 0.01)
    with pytest.raises(KobzaError) as raised:
        await office.commands.originate(office.own, ANNA, OUTSIDE)
    assert (raised.value.code, raised.value.http_status, ended) == ("unavailable", 503, [41])


async def test_an_originator_in_a_call_is_busy(office: Office) -> None:
    office.presence.call_began(ANNA)
    with pytest.raises(OriginatorBusyError):
        await office.commands.originate(office.own, ANNA, OUTSIDE)


async def test_a_phone_whose_registration_ran_out_cannot_be_called(office: Office) -> None:
    office.locations.put(binding(ANNA, expires_at=NOW))
    with pytest.raises(OriginatorUnreachableError):
        await office.commands.originate(office.own, ANNA, OUTSIDE)


async def test_all_numbers_that_the_api_serves_are_listed(office: Office) -> None:
    listed = office.commands.phone_status(office.own, None)
    assert [(phone.number, phone.status, phone.devices) for phone in listed] == [
        (ANNA, "available", 1),
        (BOHDAN, "unavailable", 0),
    ]
    assert office.commands.phone_status("nobody", None) == []
    with office.store.write() as conn:
        numbers.set_packages(conn, office.own, VERA, BOTH)
    await office.view.refresh()
    again = office.commands.phone_status(office.own, None)
    assert [phone.number for phone in again] == [ANNA, BOHDAN, VERA]
    assert again[0] is listed[0]


async def test_some_numbers_are_listed_as_asked(office: Office) -> None:
    assert [phone.number for phone in office.commands.phone_status(office.own, [BOHDAN, ANNA])] == [BOHDAN, ANNA]
    for number in (THEIRS, OUTSIDE):
        with pytest.raises(NotFoundError):
            office.commands.phone_status(office.own, [ANNA, number])


async def test_settings_are_in_force_when_the_command_returns(office: Office) -> None:
    await office.commands.set_dnd(office.own, ANNA, True, int(NOW * 1000) + 1)
    await office.commands.set_clip(office.own, ANNA, BOHDAN, True, None)
    anna = office.view.snapshot.subscribers[ANNA]
    assert (anna.dnd_at(NOW), anna.presentation_at(NOW), anna.restricted_at(NOW)) == (True, BOHDAN, True)
    assert anna.dnd_at(NOW + 0.001) is False
    (phone,) = office.commands.phone_status(office.own, [ANNA])
    assert phone.dnd


async def test_a_new_password_is_the_one_that_phones_register_with(office: Office, store: Store) -> None:
    account = await office.commands.sip_account(office.own, ANNA, "secret")
    assert account == (ANNA, "kobza")
    found = office.view.snapshot.subscribers[ANNA]
    assert found.ha1_md5 == ha1(ANNA, "kobza", "secret", "MD5")
    assert found.ha1_sha256 == ha1(ANNA, "kobza", "secret", "SHA-256")
    assert await office.commands.sip_account(office.own, ANNA, None) == account
    assert office.view.snapshot.subscribers[ANNA] == found
    with pytest.raises(NotFoundError):
        await office.commands.sip_account(office.own, THEIRS, "secret")


async def test_settings_that_cannot_be(office: Office) -> None:
    with pytest.raises(NotFoundError):
        await office.commands.set_dnd(office.own, THEIRS, True, None)
    with pytest.raises(PresentationNotAllowedError) as raised:
        await office.commands.set_clip(office.own, ANNA, THEIRS, False, None)
    assert raised.value.parameter == "presentation_number"


async def test_a_command_that_failed_keeps_nobody_of_its_call(office: Office) -> None:
    """Without the collector of circles, which comes once in thousands of calls."""
    live = live_call(Party(ANNA, "ent-1", owner=True), Party(BOHDAN, "ent-1", owner=True))

    def end(live: LiveCall, _: Callable[[], None]) -> None:
        live.fail_commands(WrongStateError("The call has ended."))

    office.commands._switch = cast("Any", SimpleNamespace(feed=end))
    with nothing_collected(("kobza.pbx.live_call.", "kobza.call.errors.")) as circles:
        with pytest.raises(WrongStateError):
            await office.commands._outcome(live, "token")
        del live
    assert not circles
