"""Two enterprises in a real store, calls that a test makes, commands that remember what they were told."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import argon2
import httpx
from fastapi import FastAPI
from sqlalchemy import Connection

from kobza.api.app import build_app
from kobza.api.event_streams import EventStreams
from kobza.api.exports.link import ExportProcess
from kobza.api.ports import ControlAction, RecordingState, SuperviseMode
from kobza.archive.archive import Archive
from kobza.call.cdr import Cdr
from kobza.call.directory import Endpoint, Package
from kobza.call.errors import KobzaError, NotFoundError
from kobza.call.forwarding import Forwarding
from kobza.call.outside import Allowance, OutsideLimits, Spent
from kobza.pbx.commands import KEY_SECONDS
from kobza.store import STORE_FILE, NotInStore, Store, address_book, audit, enterprises, numbers, outside
from kobza.store.audit import By
from kobza.store.enterprises import AddedEnterprise
from kobza.store.entries import CdrClosed, CdrOpened, KeyUsed, RecordingStored
from kobza.store.journal import JournalWriter
from kobza.store.place import PostgresUrl
from kobza.store.recordings import Remarks
from kobza.webhooks.address import refusal
from tests.support.postgres import PostgresServer
from tests.support.stores import Stores

BOTH = (Package.CONVERGENT, Package.API_FMC)
PASSWORD = "correct horse"
PASSWORD_HASH = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)

ALICE, BORYS, PLAIN, OUTSIDE = "+380671111111", "+380672222222", "+380673333333", "+380501112233"
"""Two numbers with both packages, one with "Convergent" only, and nobody's."""
STRANGER = "+380679999999"
"""A number of the other enterprise."""
USUAL = OutsideLimits(calls_minute=60, at_once=30, denied=("+380900",))
"""What holds for every number of whom nothing else is said."""


def moment(text: str) -> float:
    """Return a moment (s) written as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@dataclass(frozen=True)
class Begun:
    call_id: str
    call_control_id: str


@dataclass(frozen=True)
class Done:
    state: str
    muted: bool
    recording: tuple[str, RecordingState] | None


@dataclass(frozen=True)
class Phone:
    number: str
    status: str
    dnd: bool
    devices: int
    since: float | None


@dataclass(frozen=True)
class Account:
    username: str
    realm: str


@dataclass(frozen=True)
class Leg:
    call_id: str
    call_control_id: str
    number: str
    phone_number: str
    direction: str
    state: str
    since: float
    recording: RecordingState | None = None
    not_heard: bool = False
    hears_nothing: bool = False


@dataclass
class TestCommands:
    """Commands without phones: settings go to the store as the real ones do, all else is remembered or made up."""

    __test__ = False

    store: Store
    journal: JournalWriter
    now: Callable[[], float]
    told: list[tuple[Any, ...]] = field(default_factory=list)
    refuse: KobzaError | None = None
    refreshed: int = 0
    phones: list[Phone] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    can_mix: bool = True

    async def originate(
        self,
        enterprise_id: str,
        originator: str,
        destination: str,
        *,
        timeout: int = 60,  # noqa: ASYNC109
        clip: str | None = None,
        client_state: str | None = None,
        key: str | None = None,
        fingerprint: str = "",
    ) -> Begun:
        if self.refuse is not None:
            raise self.refuse
        self.told.append(("originate", enterprise_id, originator, destination, timeout, clip, client_state))
        begun = Begun(f"call{len(self.told)}", f"leg{len(self.told)}")
        await asyncio.sleep(0.01)  # the journal's commit, in which others may come
        if key is not None:
            expires_at = self.now() + KEY_SECONDS
            entry = KeyUsed(enterprise_id, key, fingerprint, begun.call_id, begun.call_control_id, expires_at)
            self.journal.write([entry])
        return begun

    async def control(
        self,
        enterprise_id: str,
        call_control_id: str,
        action: ControlAction,
        *,
        digits: str = "",
        destination: str = "",
    ) -> Done:
        if self.refuse is not None:
            raise self.refuse
        if not any(leg.call_control_id == call_control_id for leg in self.live_calls(enterprise_id)):
            raise NotFoundError("There is no such call.")
        self.told.append(("control", enterprise_id, call_control_id, action, digits, destination))
        state = {"clear": "finished", "hold": "held", "transfer": "finished"}.get(action, "established")
        return Done(state, action == "mute", ("rec1", "on") if action == "record_start" else None)

    async def supervise(
        self, enterprise_id: str, call_control_id: str, number: str, mode: SuperviseMode, *, by: By
    ) -> Begun:
        return self._brought("supervise", enterprise_id, call_control_id, number, mode, by.who)

    async def add(self, enterprise_id: str, call_control_id: str, destination: str) -> Begun:
        return self._brought("add", enterprise_id, call_control_id, destination)

    def state_of(self, call_control_id: str) -> Done:
        return Done("established", False, None)

    def _brought(self, what: str, enterprise_id: str, call_control_id: str, *more: str) -> Begun:
        if self.refuse is not None:
            raise self.refuse
        if not any(leg.call_control_id == call_control_id for leg in self.live_calls(enterprise_id)):
            raise NotFoundError("There is no such call.")
        self.told.append((what, enterprise_id, call_control_id, *more))
        return Begun(f"call{len(self.told)}", f"leg{len(self.told)}")

    def phone_status(self, enterprise_id: str, numbers: Any) -> list[Phone]:
        return [phone for phone in self.phones if numbers is None or phone.number in numbers]

    async def set_dnd(
        self, enterprise_id: str, number: str, on: bool, until_ms: int | None, *, by: By | None = None
    ) -> None:
        now_ms = int(self.now() * 1000)
        with self.store.write() as conn, audit.noted(conn, by, "number.dnd", enterprise_id, number, now_ms):
            numbers.set_dnd(conn, enterprise_id, number, on, until_ms)

    async def set_forwarding(
        self, enterprise_id: str, number: str, forwarding: Forwarding, *, by: By | None = None
    ) -> None:
        now_ms = int(self.now() * 1000)
        with self.store.write() as conn, audit.noted(conn, by, "number.forwarding", enterprise_id, number, now_ms):
            numbers.set_forwarding(conn, enterprise_id, number, forwarding)

    async def set_clip(
        self,
        enterprise_id: str,
        number: str,
        presentation_number: str | None,
        restricted: bool,
        until_ms: int | None,
        *,
        by: By | None = None,
    ) -> None:
        now_ms = int(self.now() * 1000)
        with self.store.write() as conn, audit.noted(conn, by, "number.clip", enterprise_id, number, now_ms):
            numbers.set_clip(conn, enterprise_id, number, presentation_number, restricted, until_ms)

    async def sip_account(
        self, enterprise_id: str, number: str, password: str | None, *, by: By | None = None
    ) -> Account:
        now_ms = int(self.now() * 1000)
        with self.store.write() as conn, audit.noted(conn, by, "number.changed", enterprise_id, number, now_ms):
            try:
                username = numbers.username(conn, enterprise_id, number)
            except NotInStore:
                raise NotFoundError("The enterprise has no such number.", parameter="number") from None
            if password is not None:
                numbers.set_credentials(conn, enterprise_id, number, password, password)
        return Account(username, "kobza")

    def outside_allowance(self, enterprise_id: str, number: str = "") -> Allowance:
        with self.store.read() as conn:
            own = outside.find(conn, enterprise_id, number)
        usual = USUAL if number else OutsideLimits()
        return Allowance(own.over(usual), usual, Spent(1, 12, 40, 2, 130))

    async def settings_changed(self) -> None:
        self.refreshed += 1

    def live_calls(self, enterprise_id: str) -> list[Leg]:
        with self.store.read() as conn:
            own = {subscriber.number for subscriber in numbers.list_for(conn, enterprise_id)}
        return [leg for leg in self.legs if leg.number in own]


@dataclass(frozen=True)
class Posted:
    taken: bool = True
    duration_ms: int = 12
    url: str = "https://crm.example.com/hooks/callstate"
    address: str | None = "203.0.113.9"
    status_code: int | None = 200
    error: str | None = None
    response: str | None = "ok"


@dataclass
class TestWebhooks:
    """A dispatcher that sends nothing."""

    __test__ = False

    rechecked: list[str] = field(default_factory=list)
    posted: list[tuple[Endpoint, str, bytes]] = field(default_factory=list)

    def refusal(self, url: str) -> str | None:
        return refusal(url, [ip_network("127.0.0.0/8")])  # where receivers of tests listen

    def recheck(self, enterprise_id: str) -> None:
        self.rechecked.append(enterprise_id)

    async def post(self, endpoint: Endpoint, event_id: str, body: bytes) -> Posted:
        self.posted.append((endpoint, event_id, body))
        return Posted()


def _fill(conn: Connection) -> tuple[AddedEnterprise, AddedEnterprise]:
    own = enterprises.add(conn, "Бджола", "olena", PASSWORD_HASH, 0)
    other = enterprises.add(conn, "Джміль", "petro", PASSWORD_HASH, 0)
    numbers.add(conn, ALICE, own.enterprise_id, "Олена Коваль", "Збут", BOTH)
    numbers.add(conn, BORYS, own.enterprise_id, "Борис", "Склад", BOTH)
    numbers.add(conn, PLAIN, own.enterprise_id, "", "", [Package.CONVERGENT])
    numbers.add(conn, STRANGER, other.enterprise_id, "Чужий", "", BOTH)
    address_book.put(conn, own.enterprise_id, [address_book.Entry(OUTSIDE, "Клієнт, «А»", "")])
    return own, other


OFFICES = Stores(_fill)


class World:
    """The store, the clock and the application."""

    def __init__(
        self, directory: Path, now: str = "2026-04-20T09:00:00", *, server: PostgresServer | None = None
    ) -> None:
        self.at = moment(now)
        self._server = server
        place, (self.own, self.other) = OFFICES.make(directory / STORE_FILE, server)
        self.store = Store.open(place)
        self.recordings = directory / "recordings"
        self.recordings.mkdir()
        self.journal = JournalWriter(place)
        self.commands = TestCommands(self.store, self.journal, lambda: self.at)
        self.webhooks = TestWebhooks()
        self.exports = ExportProcess(self.store.place)
        self.app = self.build()
        self._ids = itertools.count(1)

    def build(self, **options: Any) -> FastAPI:
        """Return one more application of the same parts, with options of its own."""
        return build_app(
            store=self.store,
            commands=self.commands,
            archive=Archive(self.recordings),
            now=lambda: self.at,
            portal_secret=b"s" * 32,
            exports=self.exports,
            webhooks=self.webhooks,
            tokens_checked_every=0,
            **{"event_streams": EventStreams(look_every=0.05), **options},
        )

    def close(self) -> None:
        asyncio.run(self.exports.stop())
        self.journal.close()
        self.store.close()
        if self._server is not None and isinstance(self.store.place, PostgresUrl):
            self._server.give_back(self.store.place)

    def client(self, **options: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://kobza.test", timeout=30, **options
        )

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.own.fmc_token}"}

    def fmc(self, **parameters: Any) -> dict[str, Any]:
        """Return keyword arguments of a request that is authorised."""
        return {"params": {"integrator_id": self.own.integrator_id, **parameters}, "headers": self.bearer}

    def cdr(self, **changes: Any) -> Cdr:
        """Return a call record: answered after 5 s, ended after 18.4 s."""
        started = changes.pop("started_at", moment("2026-04-19T09:00:00"))
        values: dict[str, Any] = {
            "call_id": f"c{next(self._ids):04d}",
            "enterprise_id": self.own.enterprise_id,
            "calling_number": ALICE,
            "called_number": OUTSIDE,
            "answered_number": OUTSIDE,
            "started_at": started,
            "ringing_at": started + 1,
            "answered_at": started + 5,
            "ended_at": started + 18.4,
            "direction": "outgoing",
            "cause": 16,
            "sip_status": 200,
            "released_by": "caller",
            "record_id": None,
            "client_state": None,
            "convergent": True,
        }
        return Cdr(**{**values, **changes})

    def add_call(self, **changes: Any) -> Cdr:
        """Store a finished call."""
        cdr = self.cdr(**changes)
        self.journal.write([CdrOpened(cdr), CdrClosed(cdr)])
        return cdr

    def add_recording(
        self,
        data: bytes | None,
        status: str = "ready",
        record_id: str = "r1",
        *,
        call_id: str = "c1",
        enterprise_id: str | None = None,
        remarks: Remarks | None = None,
    ) -> str:
        """Store a recording with its file; return its id."""
        name = f"{record_id}.mp3"
        if data is not None:
            (self.recordings / name).write_bytes(data)
        owner = enterprise_id or self.own.enterprise_id
        text = None if remarks is None else remarks.to_json()
        entry = RecordingStored(record_id, owner, call_id, status, self.at, name, 1000, 0, "ab" * 32, text)  # type: ignore[arg-type]
        self.journal.write([entry])
        return record_id
