"""`AsyncKobza`: the client on asyncio. What each method does, `kobza.client.blocking` tells."""

import ssl
import uuid
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from kobza.client import commands, events, history, recording, webhooks
from kobza.client.account import Account, Retries, clean_base_url, utc_now
from kobza.client.drivers import AsyncDriver
from kobza.client.models import (
    CallState,
    Clip,
    Controlled,
    Delivery,
    Dnd,
    Download,
    Event,
    HistoryCall,
    Originated,
    Phone,
    StatisticsRow,
    Webhook,
    WebhookTest,
)


class AsyncKobza:
    """The HTTP interface of Kobza, or of any server that speaks the same contract.

    `base_url` is like `https://pbx.example.com`, `token` the FMC token; `integrator_id` is needed for all but
    `call_statistics`. Every method raises ClientError and nothing else, but ValueError for wrong arguments and OSError
    for a file. Times without `tzinfo` are wall time of Kyiv. Close it, or use it in an `async with`
    statement. `Kobza` is the same, blocking.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        integrator_id: str | None = None,
        *,
        language: str = "en",
        timeout: float = 60.0,
        retries: Retries | None = None,
        knows_idempotency_keys: bool = True,
        tls: ssl.SSLContext | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Make a client; nothing is asked of the server yet.

        `language` of the texts of causes: uk or en. `timeout`: seconds of silence after which an answer is given up.
        `knows_idempotency_keys`: False for a server that ignores them, so that `originate` never calls twice. `tls`:
        your own trust or client certificate. Proxies are taken from the environment (HTTPS_PROXY, NO_PROXY).
        """
        self._account = Account(
            clean_base_url(base_url),
            token,
            integrator_id,
            language,
            Retries() if retries is None else retries,
            knows_idempotency_keys,
            now,
        )
        self._driver = AsyncDriver(self._account, timeout=timeout, tls=tls)

    def __repr__(self) -> str:
        return f"AsyncKobza({self._account.base_url!r}, integrator_id={self._account.integrator_id!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._driver.close()

    def calls(
        self,
        from_: datetime,
        to: datetime | None = None,
        *,
        number: str | None = None,
        direction: str | None = None,
        quality: bool = False,
        page_size: int = history.PAGE_SIZE,
    ) -> AsyncGenerator[HistoryCall, None]:
        """Iterate over the calls that began from `from_` to `to` (now), both included, oldest first.

        Any span: longer ones than a server answers at once are asked for in parts, each page by page. `number` is one
        of yours, `direction` incoming, outgoing or local. `quality`: also how the sides heard each other.
        """
        wanted = history.Filter(number, direction, quality)
        return self._driver.iterate(history.calls(self._account, from_, to, wanted, page_size))

    def call_statistics(
        self,
        from_: datetime,
        to: datetime | None = None,
        *,
        names: bool = False,
        departments: bool = False,
        ownership: bool = False,
        direction: bool = False,
        quality: bool = False,
    ) -> AsyncGenerator[StatisticsRow, None]:
        """Iterate over the basic call information from `from_` to `to` (now), both included, oldest first.

        Any span within the last 30 days. Needs no integrator_id. The switches add fields.
        """
        rows = history.call_statistics(
            self._account,
            from_,
            to,
            names=names,
            departments=departments,
            ownership=ownership,
            direction=direction,
            quality=quality,
        )
        return self._driver.iterate(rows)

    async def download_recording(
        self,
        record_id: str,
        path: str | Path,
        *,
        progress: recording.Progress | None = None,
        wait: float = 60.0,
    ) -> Download:
        """Fetch a recording (an mp3) into a file, which appears whole or not at all and replaces one that is there.

        After a cut it goes on where it was; at the end its SHA-256 is compared with the one that the server names.
        `progress` is called with the bytes that are there and their total (None: unknown). A recording that is still
        being made is waited for, `wait` seconds in all; then RecordingNotReady. Raises NotFound, Gone (erased),
        DownloadFailed, OSError.
        """
        return await self._driver.run(
            recording.download(self._account, record_id, Path(path), progress=progress, wait=wait)
        )

    async def originate(
        self,
        originator: str,
        destination: str,
        *,
        timeout: int | None = None,  # noqa: ASYNC109 - how long phones ring
        clip: str | None = None,
        client_state: str | None = None,
        idempotency_key: str | None = None,
    ) -> Originated:
        """Ring the originator's phones; when one answers, call the destination. Returns at once.

        `timeout`: seconds for which each side may ring (5 to 120, else 60). `clip`: one of your numbers, to be shown to
        the destination. `client_state`: up to 1 KiB, echoed in call states and history. The key, made anew for each
        call unless you give one, keeps a request that is repeated from calling twice. Raises Conflict with the code
        originator_busy or originator_unreachable, BadRequest for a number that cannot be dialled.
        """
        return await self._driver.run(
            commands.originate(
                self._account,
                originator,
                destination,
                key=idempotency_key or uuid.uuid4().hex,
                timeout=timeout,
                clip=clip,
                client_state=client_state,
            )
        )

    def call(self, call_control_id: str) -> "AsyncCall":
        """Return a live call's leg, to be acted on. Asks nothing of the server."""
        return AsyncCall(self._account, self._driver, call_control_id)

    async def live_calls(self) -> list[CallState]:
        """Return the newest state of each of your legs that is not over. Reads the whole journal of states."""
        return await self._driver.run(events.live_calls(self._account))

    async def clip(self, number: str) -> Clip:
        """Return what those see whom a number calls."""
        return await self._driver.run(commands.get_clip(self._account, number))

    async def set_clip(
        self,
        number: str,
        presentation_number: str | None = None,
        *,
        restricted: bool = False,
        until: datetime | None = None,
    ) -> Clip:
        """Set what those see whom a number calls: another number of yours (None: itself), or none (`restricted`)."""
        setting = commands.set_clip(self._account, number, presentation_number, restricted=restricted, until=until)
        return await self._driver.run(setting)

    async def dnd(self, number: str) -> Dnd:
        """Return Do Not Disturb of a number."""
        return await self._driver.run(commands.get_dnd(self._account, number))

    async def set_dnd(self, number: str, on: bool, *, until: datetime | None = None) -> Dnd:
        """Switch Do Not Disturb of a number on or off, until a moment if one is given."""
        return await self._driver.run(commands.set_dnd(self._account, number, on, until=until))

    async def phone_status(self, *numbers: str) -> list[Phone]:
        """Return whether numbers can be reached; without any, all of yours."""
        return await self._driver.run(commands.phone_status(self._account, numbers))

    async def webhook(self) -> Webhook | None:
        """Return where call states are posted, None when nowhere."""
        return await self._driver.run(webhooks.get_webhook(self._account))

    async def set_webhook(self, url: str, token: str, *, secret: str | None = None, extended: bool = False) -> Webhook:
        """Have call states posted to `url` + /callstate with `token` as the Bearer token.

        `secret` (whsec_ and base64) signs them, see `kobza.client.receiver`; `extended` adds held, resumed
        and record_ready.
        """
        return await self._driver.run(webhooks.set_webhook(self._account, url, token, secret=secret, extended=extended))

    async def delete_webhook(self) -> bool:
        """Have no call states posted any more; False when none were."""
        return await self._driver.run(webhooks.delete_webhook(self._account))

    async def test_webhook(self) -> WebhookTest:
        """Have one state of the type `test` posted now; returns what the endpoint answered."""
        return await self._driver.run(webhooks.try_webhook(self._account))

    def deliveries(self, status: str | None = None) -> AsyncGenerator[Delivery, None]:
        """Iterate over the deliveries of call states, newest first; `status` pending, delivered or failed."""
        return self._driver.iterate(webhooks.deliveries(self._account, status))

    async def replay(self, delivery_id: str) -> Delivery:
        """Have a delivery posted once more."""
        return await self._driver.run(webhooks.replay(self._account, delivery_id))

    async def replay_all(self, since: datetime, until: datetime | None = None) -> int:
        """Have everything posted once more that happened in an interval, taken or not; returns how many states."""
        return await self._driver.run(webhooks.replay_all(self._account, since, until))

    async def activate_webhook(self, *, recover: bool = True) -> bool:
        """Switch the endpoint on again, and with `recover` have posted what it missed; False: it was on already."""
        return await self._driver.run(webhooks.activate(self._account, recover=recover))

    async def recover(self, since: datetime) -> int:
        """Have all posted that failed or was missed since a moment; returns how many states."""
        return await self._driver.run(webhooks.recover(self._account, since))

    def events(
        self, after: str | None = None, *, follow: bool = False, poll: float = 1.0
    ) -> AsyncGenerator[Event, None]:
        """Iterate over the call states behind the cursor `after` (None: the oldest kept, 7 days; "now": what comes).

        With `follow` it never ends: it reads the server's stream, or asks every `poll` seconds one that has none, and
        goes on behind the last state after a lost connection. Store `cursor` of what you have dealt with.
        """
        return self._driver.iterate(events.events(self._account, after, follow=follow, poll=poll))

    async def newest_cursor(self) -> str | None:
        """Return the cursor behind the newest call state: with it as `after`, `events` begins with what comes."""
        return await self._driver.run(events.newest_cursor(self._account))


class AsyncCall:
    """One leg of a live call. Each method returns after the phone confirmed it.

    Raises NotFound when it is over, Conflict (wrong_state) when its state does not allow it, ServerFailed when the
    phone refused or did not answer.
    """

    def __init__(self, account: Account, driver: AsyncDriver, call_control_id: str) -> None:
        self._account = account
        self._driver = driver
        self.call_control_id = call_control_id

    def __repr__(self) -> str:
        return f"AsyncCall({self.call_control_id!r})"

    async def clear(self) -> Controlled:
        """Reject an alerting call, end an established one."""
        return await self._control("clear")

    async def hold(self) -> Controlled:
        """Put the other side on hold, with music."""
        return await self._control("hold")

    async def unhold(self) -> Controlled:
        """Take the other side back."""
        return await self._control("unhold")

    async def mute(self) -> Controlled:
        """Let this side not be heard."""
        return await self._control("mute")

    async def unmute(self) -> Controlled:
        """Let this side be heard again."""
        return await self._control("unmute")

    async def dtmf(self, digits: str) -> Controlled:
        """Send tones to the other side: 0 to 9, *, #, A to D; a comma is a pause of a second."""
        return await self._control("dtmf", digits=digits)

    async def transfer(self, destination: str) -> Controlled:
        """Connect the other side with another number (blind)."""
        return await self._control("transfer", destination=destination)

    async def supervise(self, number: str, mode: str = "listen") -> Controlled:
        """Let a supervisor hear the call: "listen"; talk to this side alone, too: "whisper"; or to both: "join".

        Once more with another mode changes how the supervisor takes part. The token needs the scope `supervise`.
        """
        return await self._control("supervise", number=number, mode=mode)

    async def add(self, destination: str) -> Controlled:
        """Call one more number, so that all talk together; ten at most."""
        return await self._control("add", destination=destination)

    async def record_start(self) -> Controlled:
        """Begin to record."""
        return await self._control("record_start")

    async def record_pause(self) -> Controlled:
        """Record nothing for a while."""
        return await self._control("record_pause")

    async def record_resume(self) -> Controlled:
        """Go on recording."""
        return await self._control("record_resume")

    async def record_stop(self) -> Controlled:
        """End the recording."""
        return await self._control("record_stop")

    async def _control(self, action: str, **more: str) -> Controlled:
        return await self._driver.run(commands.control(self._account, self.call_control_id, action, **more))
