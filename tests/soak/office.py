"""A served Kobza with many phones whose people play stories, as often as they are told."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from kobza.call.forwarding import NO_FORWARDING, Forwarding
from kobza.call.numbers import normalize
from kobza.phone.call import Answering, CallFailed, PhoneCall
from kobza.phone.phone import SoftPhone
from kobza.phone.registration import RegistrationFailed
from kobza.sip.flow import Address, Transport
from kobza.store import Store, numbers
from tests.interop.conftest import SinkThread
from tests.interop.server import Server
from tests.interop.sipp import Line
from tests.soak.phones import TRANSPORTS, Shop, SoakPhone
from tests.soak.stories import Story, draw, is_same, play
from tests.support.impaired_path import ImpairedPath
from tests.support.impairment import Impairment
from tests.support.lamp_phone import LampPhone
from tests.support.waiting import PATIENCE

FOLLOWED: Final = 0.6
"""Seconds after which a server has seen what was written to its store."""
REFUSED: Final = 400
ANSWERING: Final = "64"
"""Numbers outside that begin so are answered at once."""


@dataclass
class LiveTrio:
    """The people of one story at a time."""

    office: "Office"
    caller: SoftPhone
    callee: SoftPhone
    third: SoftPhone
    outside: SoftPhone
    group: str
    elsewhere: str = ""
    inward: list[PhoneCall] = field(default_factory=list)
    plans: dict[str, Answering] = field(default_factory=dict)

    async def originate(self, originator: SoftPhone, destination: str) -> None:
        """See People."""
        await self.office.post("/v1/originate", originator=originator.number, destination=destination)

    async def control(self, owner: SoftPhone, action: str, **fields: str) -> None:
        """See People."""
        leg = await self.office.leg_of(owner.number)
        await self.office.post("/v1/callcontrol", call_control_id=leg, action=action, **fields)

    async def forward(self, number: SoftPhone, target: SoftPhone | None) -> None:
        """See People."""
        wanted = NO_FORWARDING
        if target is not None:
            wanted = Forwarding(no_answer=normalize(target.number), no_answer_after=5)
        await self.office.forward(normalize(number.number), wanted)

    async def move(self, phone: SoftPhone) -> SoftPhone:
        """See People."""
        await phone.close()
        return await self._anew(phone)

    @asynccontextmanager
    async def vanished(self, phone: SoftPhone) -> AsyncIterator[None]:
        """See People."""
        assert isinstance(phone, SoakPhone)
        await phone.vanish()
        try:
            yield
        finally:
            await self._anew(phone)

    async def _anew(self, old: SoftPhone) -> SoftPhone:
        """Put a new phone in the place of an old one."""
        new = await self.office.opened(old.number)
        for role in ("caller", "callee", "third"):
            if getattr(self, role) is old:
                setattr(self, role, new)
        return new

    @property
    def phones(self) -> tuple[SoftPhone, SoftPhone, SoftPhone]:
        """Its phones."""
        return self.caller, self.callee, self.third


class Office:
    """The people of a served Kobza. `open` first, `close` last; in between, `work` as often as is liked."""

    def __init__(
        self,
        server: Server,
        sink: SinkThread,
        websocket: Address | None,
        seed: int,
        *,
        brief: bool = False,
        impairment: Impairment | None = None,
    ) -> None:
        """`websocket`: where the phones that are too few for a trio connect to; None: they stay at home.

        `brief`: nobody talks for long. `impairment`: what befalls the SIP of phones on UDP, and of the line outside.
        """
        self._brief = brief
        self._impairment = impairment
        self.paths: list[ImpairedPath] = []
        """Through which SIP goes: of the phones, and of the line outside."""
        self.told: Counter[str] = Counter()
        """How stories went, by kind and in words."""
        self.failed: list[str] = []
        self._server = server
        self._site = server.site
        self._sink = sink
        self._seed = seed
        self._number = 0
        self._legs: dict[str, str] = {}
        self._states = 0
        host, port = self._site.sip
        ports = dict.fromkeys((Transport.UDP, Transport.TCP), (host, port))
        ports[Transport.TLS] = host, self._site.tls_port
        if websocket is not None:
            ports[Transport.WS] = websocket
        self._shop = Shop(ports, self._site.folder / "phones", self._decide)
        self._websocket = websocket
        self._lines = list(self._site.lines.values())
        self._in_trios = len(self._lines) - len(self._lines) % 3
        self._trios: list[LiveTrio] = []
        self._others: list[SoftPhone] = []
        """The line outside, once it is open."""
        self._store: Store | None = None
        self._http = httpx.AsyncClient(
            base_url=f"http://{self._site.http}/api/fmc",
            headers={"Authorization": f"Bearer {self._site.enterprise['fmc_token']}"},
            params={"integrator_id": self._site.enterprise["integrator_id"]},
            timeout=60,
        )

    # life

    async def open(self) -> None:
        """Register every phone, open the line outside."""
        self._store = Store.open(self._site.place)
        outside = await self._open_line()
        phones = await asyncio.gather(*(self.opened(line.number) for line in self._lines[: self._in_trios]))
        by_threes = zip(phones[::3], phones[1::3], phones[2::3], strict=False)
        self._trios = [LiveTrio(self, *three, outside, str(200 + index)) for index, three in enumerate(by_threes)]

    async def _open_line(self) -> SoakPhone:
        """Open the line outside, and the bad ways to the server if there are some."""
        there = ("127.0.0.1", self._site.trunk_port)
        if self._impairment is not None:
            ways = [(f"{self._seed} phones", None), (f"{self._seed} line", there)]
            self.paths = [ImpairedPath(self._site.sip, self._impairment, seed, local=local) for seed, local in ways]
            for path in self.paths:
                await path.open()
            there = ("127.0.0.1", 0)
            self._shop.ports[Transport.UDP] = self.paths[1].address
        outside = self._shop.phone(Line("outside", ""), Transport.UDP, bind=there)
        self._others = [outside]
        await outside.start()
        if self.paths:
            await self.paths[1].expect(outside.address)
            self._shop.ports[Transport.UDP] = self.paths[0].address
        return outside

    async def close(self) -> None:
        """Have everybody go home."""
        everybody = [*self._others, *(phone for trio in self._trios for phone in trio.phones)]
        await asyncio.gather(*(phone.close() for phone in everybody))
        async with asyncio.timeout(PATIENCE):
            while any(phone._endpoint.connections for phone in everybody):  # noqa: ASYNC110 - TLS says goodbye unseen
                await asyncio.sleep(0.01)
        for path in self.paths:
            path.close()
        await self._http.aclose()
        if self._store is not None:
            self._store.close()

    async def opened(self, number: str) -> SoakPhone:
        """Return a new phone of a number that is registered."""
        index = list(self._site.lines).index(number)
        phone = self._shop.phone(self._site.lines[number], TRANSPORTS[index % len(TRANSPORTS)])
        await phone.start()
        assert phone.registration is not None
        try:
            await phone.registration.wait()
        except RegistrationFailed as failure:
            raise CallFailed(f"{number} is not registered: {failure}") from failure
        return phone

    async def day(self, seconds: float, kinds: Iterable[str], *, at_once: int, pause: float) -> None:
        """Open, work, close."""
        try:
            await self.open()
            await self.work(seconds, kinds, at_once=at_once, pause=pause)
        finally:
            await self.close()

    # work

    async def work(self, seconds: float, kinds: Iterable[str], *, at_once: int, pause: float) -> None:
        """Play stories for a while, so many at a time, with pauses of so many seconds at most between two."""
        until = asyncio.get_running_loop().time() + seconds
        allowed = asyncio.Semaphore(at_once)
        stories = (self._play(trio, list(kinds), until, allowed, pause) for trio in self._trios)
        others = self._lines[self._in_trios :] if self._websocket is not None else ()
        browsers = (self._browse(line, until, pause) for line in others)
        await asyncio.gather(*stories, *browsers, self._watch(until, pause))

    async def _play(
        self, trio: LiveTrio, kinds: list[str], until: float, allowed: asyncio.Semaphore, pause: float
    ) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            async with allowed:
                if loop.time() > until:
                    break
                self._number += 1
                chance = random.Random(f"{self._seed} {self._number}")
                story = draw(chance, kinds[self._number % len(kinds)], brief=self._brief)
                trio.elsewhere = f"063{self._number % 10_000_000:07d}"
                words = await play(story, trio)
                self._note(story, words)
            await asyncio.sleep(chance.uniform(0.0, pause))

    def _note(self, story: Story, words: str) -> None:
        self.told[story.kind] += 1
        if words != "done":
            self.failed.append(f"{story}: {words}")

    async def _watch(self, until: float, pause: float) -> None:
        """Let a desk phone look at others' lamps, ever anew; sometimes it leaves without a word."""
        loop, chance = asyncio.get_running_loop(), random.Random(self._seed)
        while loop.time() < until:
            line, *watched = chance.sample(self._lines, min(4, len(self._lines)))
            async with LampPhone(self._site.sip, line) as phone:
                lamps = [(await phone.watch(each.number, seconds=60))[0] for each in watched]
                await asyncio.sleep(min(pause + 5.0, max(0.0, until - loop.time())))
                if self._brief or chance.random() < 0.7:
                    for lamp in lamps:
                        await phone.again(lamp, seconds=0)
            self.told["lamps"] += 1

    async def _browse(self, line: Line, until: float, pause: float) -> None:
        """Let a phone over WebSocket call outside, ever anew; sometimes its page is closed in the middle."""
        loop, chance = asyncio.get_running_loop(), random.Random(f"{self._seed} {line.number}")
        while loop.time() < until:
            phone = self._shop.phone(line, Transport.WS)
            await phone.start()
            assert phone.registration is not None
            await phone.registration.wait()
            call = phone.dial(f"0{ANSWERING}{chance.randrange(10_000_000):07d}")
            try:
                await call.established(PATIENCE)
                await asyncio.sleep(chance.uniform(0.5, 0.5 + pause))
            except CallFailed as failure:
                self.failed.append(f"browser: {failure}")
            finally:
                await (phone.close() if chance.random() < 0.7 else phone.vanish())
            self.told["browser"] += 1

    # what stories need

    def _decide(self, number: str, call: PhoneCall) -> Answering:
        """Say what a phone does with a call."""
        if number == "outside" and (call.dialled or "")[-9:].startswith(ANSWERING):
            return Answering(0.1)
        for trio in self._trios:
            if number == "outside" and is_same(trio.elsewhere, call.dialled or ""):
                return trio.plans.get(trio.elsewhere, Answering(None))
            if number in trio.plans:
                return trio.plans[number]
        return Answering(None)

    async def post(self, path: str, **body: str) -> Any:
        """Ask the API for something; raise CallFailed when it refuses."""
        answer = await self._http.post(path, json=body)
        if answer.status_code >= REFUSED:
            raise CallFailed(f"{path} {body.get('action', '')}: {answer.status_code} {answer.text}")
        return answer.json()

    async def leg_of(self, number: str) -> str:
        """Return the newest leg of a number, by the webhook."""
        requests = self._sink.sink.requests
        for received in requests[self._states :]:
            state = received.json
            if state is not None and "call_control_id" in state:
                self._legs[str(state["state_owner"])[-9:]] = str(state["call_control_id"])
        self._states = len(requests)
        leg = self._legs.get(number[-9:])
        if leg is None:
            raise CallFailed(f"{number} has no leg")
        return leg

    async def forward(self, number: str, wanted: Forwarding) -> None:
        """Write a forwarding into the store, and wait until the server has seen it."""

        def write() -> None:
            assert self._store is not None
            with self._store.write() as conn:
                numbers.set_forwarding(conn, self._site.enterprise["enterprise_id"], number, wanted)

        await asyncio.to_thread(write)
        await asyncio.sleep(FOLLOWED)
