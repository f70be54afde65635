"""What every route needs: the store, the commands, the clock. One for each application, in `app.state.context`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.requests import HTTPConnection

from kobza.api.event_streams import EventStreams
from kobza.api.exports.link import ExportProcess
from kobza.api.gate import Gate
from kobza.api.hearings import RecentHearings
from kobza.api.idempotency import IdempotencyKeys
from kobza.api.phone_rows import PhoneRows
from kobza.api.ports import BrowserPhones, Commands, WebhookPort
from kobza.api.problems import ApiError, no_such_number
from kobza.archive.archive import Archive
from kobza.call.directory import Package, Subscriber
from kobza.call.errors import ServiceNotEnabledError
from kobza.call.numbers import national
from kobza.store import Store, audit, numbers
from kobza.store.audit import By, Noting

Result = TypeVar("Result")
Connection = Any
"""What `Store.read` and `Store.write` give. No SQL is written up here, so its library is not known here either."""


READERS: Final = 20
"""Recordings read at a time. Who waits for a slow bucket must not keep others from the store: those threads are 40."""


class SipListen(NamedTuple):
    """Where SIP is spoken."""

    transport: str
    """`udp`, `tcp`, `tls`, `ws` or `wss`."""
    host: str
    """An address, perhaps one that means all of the machine's."""
    port: int


@dataclass(frozen=True, slots=True)
class ApiContext:
    """The parts that the application was built of. Everything that blocks goes through `read` or `write`."""

    store: Store
    commands: Commands
    archive: Archive
    """The finished recordings."""
    now: Callable[[], float]
    """The steady clock, in seconds since the epoch."""
    gate: Gate
    """Lets programs in by their tokens."""
    exports: ExportProcess
    """Makes the answers that hold many calls."""
    event_streams: EventStreams
    """The streams of call states that are open."""
    webhooks: WebhookPort | None = None
    """None: call states are not sent by this process, and the functions that need it answer 503."""
    token_overlap: int = 86_400
    """Seconds for which an old token goes on after a rotation, unless something else is chosen."""
    browser_phones: BrowserPhones | None = None
    """None: no phone in a browser registers with this process."""
    sip: Sequence[SipListen] = ()
    """Where phones may register, the usual way first."""
    idempotency: IdempotencyKeys = field(default_factory=IdempotencyKeys)
    phone_rows: PhoneRows = field(default_factory=PhoneRows)
    hearings: RecentHearings = field(default_factory=RecentHearings)
    archive_readers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(READERS))
    """Threads that read recordings."""

    def now_ms(self) -> int:
        """Return the moment in whole milliseconds."""
        return int(self.now() * 1000)

    async def read(self, ask: Callable[[Connection], Result]) -> Result:
        """Ask the store, in a thread."""

        def run() -> Result:
            with self.store.read() as conn:
                return ask(conn)

        return await anyio.to_thread.run_sync(run)

    async def change(
        self,
        by: By,
        action: str,
        enterprise_id: str | None,
        key: str,
        change: Callable[[Connection, Noting], Result],
    ) -> Result:
        """Change a setting as `write` does, and note it in the audit: who did what to which thing."""
        now_ms = self.now_ms()

        def run(conn: Connection) -> Result:
            with audit.noted(conn, by, action, enterprise_id, key, now_ms) as noting:
                return change(conn, noting)

        return await self.write(run)

    async def write(self, change: Callable[[Connection], Result]) -> Result:
        """Change settings in the store, in a thread and in one transaction."""

        def run() -> Result:
            with self.store.write() as conn:
                return change(conn)

        return await anyio.to_thread.run_sync(run)

    def needed_webhooks(self) -> WebhookPort:
        """Return the dispatcher. Raises ApiError 503 when this process has none."""
        if self.webhooks is None:
            raise ApiError("unavailable", "This process sends no call states.", headers={"retry-after": "60"})
        return self.webhooks

    async def subscriber(self, enterprise_id: str, number: str) -> Subscriber:
        """Return a number of the enterprise. Raises ApiError 404 for nobody's and for another enterprise's alike."""
        found = await self.read(lambda conn: numbers.find(conn, enterprise_id, number))
        if found is None:
            raise no_such_number()
        return found

    async def served(self, enterprise_id: str, number: str) -> Subscriber:
        """Return a number of the enterprise that the FMC API may act on. Raises 404, or 403 service_not_enabled."""
        return (await self.all_served(enterprise_id, (number,)))[0]

    async def all_served(self, enterprise_id: str, wanted: Sequence[str]) -> list[Subscriber]:
        """Return numbers of the enterprise that the FMC API may act on, in their order. Raises as `served`."""
        known = await self.read(lambda conn: numbers.find_all(conn, enterprise_id, wanted))
        found = []
        for number in wanted:
            if (subscriber := known.get(number)) is None:
                raise no_such_number()
            missing = [package for package in NEEDED if package not in subscriber.packages]
            if missing:
                names = " and ".join(PACKAGE_NAMES[name] for name in missing)
                raise ServiceNotEnabledError(f"The number {national(number)} lacks {names}.")
            found.append(subscriber)
        return found


NEEDED = (Package.CONVERGENT, Package.API_FMC)
"""What a number must have for the FMC API to act on it."""
PACKAGE_NAMES = {
    Package.CONVERGENT: 'the package "Convergent"',
    Package.API_FMC: 'the package "API FMC"',
    Package.CALL_RECORDING: 'the package "Call recording"',
}


def context_of(request: HTTPConnection) -> ApiContext:
    """Return the parts that the request's application was built of."""
    context = request.app.state.context
    if not isinstance(context, ApiContext):
        raise ApiError("unavailable", "The server is starting.", headers={"retry-after": "1"})
    return context
