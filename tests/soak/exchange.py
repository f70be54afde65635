"""Kobza in virtual time: all of it between the SIP socket and the store; only the relay's process is left out."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest import mock

from kobza.app.call_parts import build_call_parts
from kobza.app.lifetime import Lifetime
from kobza.call.directory import Package
from kobza.call.forwarding import NO_FORWARDING, Forwarding
from kobza.call.group import RingingGroup
from kobza.call.numbers import normalize
from kobza.config.settings import Settings
from kobza.media.embedded import EmbeddedPlane
from kobza.media.frames import Frames
from kobza.media.messages import (
    Command,
    Digits,
    DigitsDone,
    Open,
    Opened,
    Report,
    Reserve,
    Reserved,
    decode_command,
)
from kobza.media.relay_link import RelayLink
from kobza.pbx.books import BookKeeper
from kobza.pbx.browser_phones import BrowserPhones
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.journal import Journal, Then
from kobza.pbx.record_books import RecordBooks
from kobza.pbx.recordings import Recordings
from kobza.phone.call import Answering, PhoneCall
from kobza.phone.phone import SoftPhone
from kobza.phone.sound import Sound
from kobza.phone.voice import Voice
from kobza.sip.digest import ha1
from kobza.sip.flow import Transport
from kobza.store import Store, enterprises, groups, meta, numbers, trunks
from kobza.store.ids import IdMaker
from tests.soak.stories import WITHOUT_SOUND, Story, draw, is_same, play
from tests.soak.uncollected import nothing_collected
from tests.soak.verdict import Verdict, verdict
from tests.soak.virtual import Network, VirtualLoop, run
from tests.support.impairment import Impairment

SERVER: Final = ("192.0.2.1", 5060)
CARRIER: Final = ("192.0.2.200", 5060)
TRIOS: Final = 10
"""Stories that are played at a time, each by three phones of its own."""
SESSION: Final = 90
"""Seconds after which a call ends whose phone is gone."""
REST: Final = 150.0
"""Seconds after which nothing is left of a call: 64*T1 and what follows from it, several times."""
FORGOTTEN: Final = 45.0
"""Seconds after which a phone's refresh of its registration is forgotten."""
LOOKS: Final = 4
RING: Final = 30
PASSWORD: Final = "a password"


class VirtualClock:
    """The clock of the loop, for a server."""

    speed = 1.0

    def __init__(self, loop: VirtualLoop) -> None:
        self.now = loop.now


class CountedJournal(Journal):
    """A journal while whose thread writes no time passes."""

    def __init__(self, loop: VirtualLoop, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._virtual = loop

    def append(self, entries: Any, then: Then | None = None, *, patience: float = 0.0) -> None:
        """Hand over entries; they need not wait for company, as nobody pays for it."""

        def stored() -> None:
            self._virtual.real -= 1
            if then is not None:
                then()

        super().append(entries, stored)
        self._virtual.real += 1


class QuickRelay(asyncio.Transport):
    """The socket to a relay that does at once what it is told, and moves no packets."""

    def __init__(self, on_report: Callable[[Report], None]) -> None:
        super().__init__()
        self._on_report = on_report
        self._frames = Frames()

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0

    def is_closing(self) -> bool:
        """It never does."""
        return False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Do what is told."""
        for body in self._frames.feed(bytes(data)):
            self._do(decode_command(body))

    def _do(self, command: Command) -> None:
        """Answer what wants an answer."""
        answer: Report | None = None
        match command:
            case Open():
                answer = Opened(command.request)
            case Reserve():
                answer = Reserved(command.ports, [])
            case Digits():
                answer = DigitsDone(command.request, sent=True)
            case _:
                pass
        if answer is not None:
            asyncio.get_running_loop().call_soon(self._on_report, answer)


class QuickLink(RelayLink):
    """The link to such a relay."""

    def __init__(self, on_report: Callable[[Report], None]) -> None:
        super().__init__(on_report, lambda: None)
        self.commands.attach(QuickRelay(on_report))

    async def stop(self) -> None:
        """There is nothing to stop."""


class QuickPlane(EmbeddedPlane):
    """The embedded plane with such a relay: its descriptions, its ports."""

    async def start(self) -> None:
        """Take on the relay."""
        self._link = QuickLink(self._reported)
        self._carried.begin(self._link.commands)


class MuteVoice(Voice):
    """The voice of a phone that says and hears nothing: fifty packets a second would be most of the work."""

    def __init__(self, host: str, sound: Sound, speed: float = 1.0) -> None:
        super().__init__("127.0.0.1", sound, speed)
        self.host = host

    def connect(self, *_: Any) -> None:
        """Agree, and keep silent."""


@dataclass
class Trio:
    """The people of one story."""

    exchange: "Exchange"
    caller: SoftPhone
    callee: SoftPhone
    third: SoftPhone
    outside: SoftPhone
    group: str
    elsewhere: str
    inward: list[PhoneCall] = field(default_factory=list)
    plans: dict[str, Answering] = field(default_factory=dict)

    async def originate(self, originator: SoftPhone, destination: str) -> None:
        """See People."""
        exchange = self.exchange
        await exchange.parts.commands.originate(
            exchange.enterprise_id, normalize(originator.number), normalize(destination)
        )

    async def control(self, owner: SoftPhone, action: Any, **fields: str) -> None:
        """See People."""
        exchange, number = self.exchange, normalize(owner.number)
        legs = [leg for leg in exchange.parts.commands.live_calls(exchange.enterprise_id) if leg.number == number]
        for leg in legs[-1:]:
            await exchange.parts.commands.control(exchange.enterprise_id, leg.call_control_id, action, **fields)

    async def move(self, phone: SoftPhone) -> SoftPhone:
        """Stay: an address is a phone's for good here."""
        return phone

    async def forward(self, number: SoftPhone, target: SoftPhone | None) -> None:
        """See People."""
        exchange = self.exchange
        wanted = NO_FORWARDING
        if target is not None:
            wanted = Forwarding(no_answer=normalize(target.number), no_answer_after=5)
        await exchange.parts.commands.set_forwarding(exchange.enterprise_id, normalize(number.number), wanted)

    @asynccontextmanager
    async def vanished(self, phone: SoftPhone) -> AsyncIterator[None]:
        """See People."""
        network, host = self.exchange.network, phone.address[0]
        network.cut.add(host)
        try:
            yield
        finally:
            network.cut.discard(host)


class Exchange:
    """A server with three phones for each of some stories, and a line outside. `open` first, `close` last."""

    def __init__(self, loop: VirtualLoop, folder: Path, impairment: Impairment, seed: int, trios: int) -> None:
        self._trios = trios
        self.loop = loop
        self.seed = seed
        self.network = Network(loop, impairment, seed)
        self.enterprise_id = ""
        self._folder = folder
        settings: dict[str, Any] = {"data": folder, "ring_timeout": RING, "webrtc": False, "sip_kept_mb": 0}
        settings |= {"session_expires": SESSION, "session_min_se": SESSION}
        self._settings = Settings(**settings)
        self.trios: list[Trio] = []
        self.faults: list[str] = []

    async def open(self) -> None:
        """Make the store, start the parts, register the phones."""
        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._folder / "kobza.db"
        self.store = Store.create(place)
        desks = [f"06712300{index:02d}" for index in range(3 * self._trios)]
        with self.store.write() as conn:
            self.enterprise_id = enterprises.add(conn, "Bakery", "olena", "", 0).enterprise_id
            realm = meta.sip_realm(conn)
            for desk in desks:
                numbers.add(
                    conn,
                    normalize(desk),
                    self.enterprise_id,
                    packages=(Package.CONVERGENT, Package.API_FMC),
                    username=desk,
                    ha1_md5=ha1(desk, realm, PASSWORD, "MD5"),
                    ha1_sha256=ha1(desk, realm, PASSWORD, "SHA-256"),
                )
            for index in range(self._trios):
                members = [normalize(desk) for desk in desks[3 * index + 1 : 3 * index + 3]]
                groups.put(conn, RingingGroup(group_of(index), self.enterprise_id, members=tuple(members)))
            trunks.add(conn, "gateway", *CARRIER, options_every=0)
        journal = CountedJournal(
            self.loop, place, now=self.loop.now, on_failure=lambda each: self.faults.append(str(each))
        )
        journal.start()
        self._journal = journal
        view = DirectoryView(self.store)
        await view.refresh()
        await view.hops.settled(1.0)
        ids = IdMaker()
        books = BookKeeper(journal, view, lambda _: None, ids.id)
        recordings = Recordings(
            self._folder / "recordings",
            store=self.store,
            results=RecordBooks(self.store, journal, books),
            now=self.loop.now,
        )
        self.plane = QuickPlane(host=SERVER[0], ports=range(20_000, 21_000), timeout=60)
        self._lifetime = Lifetime()
        self.parts = parts = await build_call_parts(
            self._settings,
            store=self.store,
            view=view,
            journal=journal,
            books=books,
            recordings=recordings,
            plane=self.plane,
            browser_phones=BrowserPhones(),
            ids=ids,
            clock=VirtualClock(self.loop),
            lifetime=self._lifetime,
            watch=None,
        )
        await self.plane.start()
        await parts.switch.endpoint.listen(Transport.UDP, *SERVER)
        parts.switch.start()
        parts.keeper.start(parts.switch.endpoint)
        self.outside = self._phone("outside", CARRIER, None)
        await self.outside.start()
        phones = [self._phone(desk, (f"198.51.100.{index + 1}", 5060), PASSWORD) for index, desk in enumerate(desks)]
        for phone in phones:
            await phone.start()
        for phone in phones:
            if phone.registration is not None:
                await phone.registration.wait()
        for index in range(self._trios):
            caller, callee, third = phones[3 * index : 3 * index + 3]
            trio = Trio(self, caller, callee, third, self.outside, group_of(index), "")
            for phone in (trio.caller, trio.callee, trio.third):
                phone.answering = self._answering(trio, phone)
            self.trios.append(trio)
        self.outside.answering = self._outside

    def _phone(self, number: str, bind: tuple[str, int], password: str | None) -> SoftPhone:
        return SoftPhone(
            number, SERVER, password=password, bind=bind, sound=Sound.silence(), expires=3600, now=self.loop.now
        )

    @staticmethod
    def _answering(trio: Trio, phone: SoftPhone) -> Any:
        return lambda _call: trio.plans.get(phone.number, Answering(None))

    def _outside(self, call: PhoneCall) -> Answering:
        for trio in self.trios:
            if is_same(trio.elsewhere, call.dialled or ""):
                return trio.plans.get(trio.elsewhere, Answering(None))
        return Answering(None)

    async def play(self, number: int, stories: list[Story]) -> list[Verdict]:
        """Play stories, as many as there are trios at most; return what came of each once all is quiet."""
        since = self.loop.now()
        for index, trio in enumerate(self.trios):
            trio.elsewhere = f"0631{number % 1000:03d}{index:03d}"
        self.network.copies.clear()
        told = await asyncio.gather(*(play(story, trio) for story, trio in zip(stories, self.trios, strict=False)))
        await asyncio.sleep(REST)
        with self.store.read() as conn:
            return [
                verdict(conn, self.enterprise_id, since, words, self._numbers(trio), self.network.copies)
                for words, trio in zip(told, self.trios, strict=False)
            ]

    @staticmethod
    def _numbers(trio: Trio) -> dict[str, str]:
        roles = {
            "group": trio.group,
            "caller": trio.caller.number,
            "callee": trio.callee.number,
            "third": trio.third.number,
        }
        return {normalize(number): role for role, number in {**roles, "outside": trio.elsewhere}.items()}

    async def at_rest(self) -> list[str]:
        """Wait until nothing is left; return what is after some looks, between which a REGISTER may be forgotten."""
        for _ in range(LOOKS):
            left = self.left_over()
            if not left:
                break
            await asyncio.sleep(FORGOTTEN)
        return left

    def left_over(self) -> list[str]:
        """Return in words what is there that belongs to no call."""
        switch = self.parts.switch
        found = list(self.faults)
        if len(switch):
            found.append(f"{len(switch)} calls are on: {[live.call_id for live in switch]}")
        if not switch.sip_counts.is_idle:
            found.append(f"the server's user agent has {switch.sip_counts}")
        if self.plane.ports_used or self.plane._calls:
            found.append(f"{self.plane.ports_used} pairs of ports are used by {list(self.plane._calls)}")
        if self.plane._digits or self.plane._recordings:
            found.append("the plane has digits or recordings under way")
        if switch.running._by_leg:
            found.append(f"legs of no call: {list(switch.running._by_leg)}")
        for trio in self.trios:
            for phone in (trio.caller, trio.callee, trio.third):
                if self.parts.commands._presence.is_busy(normalize(phone.number)):
                    found.append(f"{phone.number} counts as busy")
                found += self._left_at(phone)
        found += self._left_at(self.outside)
        if switch.endpoint.counters.exceptions:
            found.append(f"{switch.endpoint.counters.exceptions} exceptions in the server's endpoint")
        return found

    @staticmethod
    def _left_at(phone: SoftPhone) -> list[str]:
        counts = phone._ua.counts
        return [] if counts.is_idle and not phone.calls else [f"the phone {phone.number} has {phone.calls}, {counts}"]

    async def close(self) -> None:
        """Stop it all."""
        phones = [phone for trio in self.trios for phone in (trio.caller, trio.callee, trio.third)]
        self.network.fate.impairment = Impairment()
        await asyncio.gather(*(phone.close() for phone in (*phones, self.outside)))
        await self.parts.keeper.stop()
        await self.parts.switch.stop()
        await self.plane.stop()
        await self._lifetime.stop()
        await self._journal.stop()
        self.store.close()


@contextmanager
def in_network(exchange: Exchange) -> Iterator[None]:
    """Have all sockets of SIP made in the network of an exchange, and voices without sound."""
    with (
        mock.patch("kobza.net.endpoint.UdpSocket", exchange.network.socket),
        mock.patch("kobza.phone.phone.Voice", MuteVoice),
        mock.patch("kobza.pbx.journal.GROUP_WINDOW", 0.0),
    ):
        yield


def group_of(index: int) -> str:
    """Return the number of the ringing group of a trio."""
    return str(200 + index)


def played(
    folder: Path,
    impairment: Impairment,
    *,
    seed: int,
    rounds: int,
    kinds: Sequence[str] = WITHOUT_SOUND,
    trios: int = TRIOS,
) -> list[tuple[Story, Verdict]]:
    """Play so many rounds of stories, `trios` at a time, in a network; return what came of each.

    After each round nothing may be left of its calls, not even for the collector of circles.
    """

    async def play_all(loop: VirtualLoop) -> list[tuple[Story, Verdict]]:
        exchange = Exchange(loop, folder, impairment, seed, trios)
        found: list[tuple[Story, Verdict]] = []
        chance = random.Random(seed)
        with in_network(exchange):
            await exchange.open()
            tasks = len(asyncio.all_tasks())
            for number in range(rounds):
                stories = [draw(chance, kinds[(number * trios + index) % len(kinds)]) for index in range(trios)]
                with nothing_collected() as circles:
                    found += zip(stories, await exchange.play(number, stories), strict=True)
                    left = await exchange.at_rest()
                assert not left, left
                assert not circles, circles
                assert len(asyncio.all_tasks()) == tasks, asyncio.all_tasks()
            await exchange.close()
        return found

    return run(play_all)
