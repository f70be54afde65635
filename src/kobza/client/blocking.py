"""`Kobza`: the blocking client."""

import ssl
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from kobza.client import commands, events, history, recording, webhooks
from kobza.client.account import Account, Retries, clean_base_url, utc_now
from kobza.client.drivers import SyncDriver
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


class Kobza:
    """The HTTP interface of Kobza, or of any server that speaks the same contract.

    `base_url` is like `https://pbx.example.com`, `token` the FMC token; `integrator_id` is needed for all but
    `call_statistics`. Every method raises ClientError and nothing else, but ValueError for wrong arguments and OSError
    for a file. Times without `tzinfo` are wall time of Kyiv. May be used by several threads; close it, or use it in a
    `with` statement. `AsyncKobza` is the same on asyncio.
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
        self._driver = SyncDriver(self._account, timeout=timeout, tls=tls)

    def __repr__(self) -> str:
        return f"Kobza({self._account.base_url!r}, integrator_id={self._account.integrator_id!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._driver.close()

    def calls(
        self,
        from_: datetime,
        to: datetime | None = None,
        *,
        number: str | None = None,
        direction: str | None = None,
        quality: bool = False,
        page_size: int = history.PAGE_SIZE,
    ) -> Iterator[HistoryCall]:
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
    ) -> Iterator[StatisticsRow]:
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

    def download_recording(
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
        return self._driver.run(recording.download(self._account, record_id, Path(path), progress=progress, wait=wait))

    def originate(
        self,
        originator: str,
        destination: str,
        *,
        timeout: int | None = None,
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
        return self._driver.run(
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

    def call(self, call_control_id: str) -> "Call":
        """Return a live call's leg, to be acted on. Asks nothing of the server."""
        return Call(self._account, self._driver, call_control_id)

    def live_calls(self) -> list[CallState]:
        """Return the newest state of each of your legs that is not over. Reads the whole journal of states."""
        return self._driver.run(events.live_calls(self._account))

    def clip(self, number: str) -> Clip:
        """Return what those see whom a number calls."""
        return self._driver.run(commands.get_clip(self._account, number))

    def set_clip(
        self,
        number: str,
        presentation_number: str | None = None,
        *,
        restricted: bool = False,
        until: datetime | None = None,
    ) -> Clip:
        """Set what those see whom a number calls: another number of yours (None: itself), or none (`restricted`)."""
        setting = commands.set_clip(self._account, number, presentation_number, restricted=restricted, until=until)
        return self._driver.run(setting)

    def dnd(self, number: str) -> Dnd:
        """Return Do Not Disturb of a number."""
        return self._driver.run(commands.get_dnd(self._account, number))

    def set_dnd(self, number: str, on: bool, *, until: datetime | None = None) -> Dnd:
        """Switch Do Not Disturb of a number on or off, until a moment if one is given."""
        return self._driver.run(commands.set_dnd(self._account, number, on, until=until))

    def phone_status(self, *numbers: str) -> list[Phone]:
        """Return whether numbers can be reached; without any, all of yours."""
        return self._driver.run(commands.phone_status(self._account, numbers))

    def webhook(self) -> Webhook | None:
        """Return where call states are posted, None when nowhere."""
        return self._driver.run(webhooks.get_webhook(self._account))

    def set_webhook(self, url: str, token: str, *, secret: str | None = None, extended: bool = False) -> Webhook:
        """Have call states posted to `url` + /callstate with `token` as the Bearer token.

        `secret` (whsec_ and base64) signs them, see `kobza.client.receiver`; `extended` adds held, resumed
        and record_ready.
        """
        return self._driver.run(webhooks.set_webhook(self._account, url, token, secret=secret, extended=extended))

    def delete_webhook(self) -> bool:
        """Have no call states posted any more; False when none were."""
        return self._driver.run(webhooks.delete_webhook(self._account))

    def test_webhook(self) -> WebhookTest:
        """Have one state of the type `test` posted now; returns what the endpoint answered."""
        return self._driver.run(webhooks.try_webhook(self._account))

    def deliveries(self, status: str | None = None) -> Iterator[Delivery]:
        """Iterate over the deliveries of call states, newest first; `status` pending, delivered or failed."""
        return self._driver.iterate(webhooks.deliveries(self._account, status))

    def replay(self, delivery_id: str) -> Delivery:
        """Have a delivery posted once more."""
        return self._driver.run(webhooks.replay(self._account, delivery_id))

    def replay_all(self, since: datetime, until: datetime | None = None) -> int:
        """Have everything posted once more that happened in an interval, taken or not; returns how many states."""
        return self._driver.run(webhooks.replay_all(self._account, since, until))

    def activate_webhook(self, *, recover: bool = True) -> bool:
        """Switch the endpoint on again, and with `recover` have posted what it missed; False: it was on already."""
        return self._driver.run(webhooks.activate(self._account, recover=recover))

    def recover(self, since: datetime) -> int:
        """Have all posted that failed or was missed since a moment; returns how many states."""
        return self._driver.run(webhooks.recover(self._account, since))

    def events(self, after: str | None = None, *, follow: bool = False, poll: float = 1.0) -> Iterator[Event]:
        """Iterate over the call states behind the cursor `after` (None: the oldest kept, 7 days; "now": what comes).

        With `follow` it never ends: it reads the server's stream, or asks every `poll` seconds one that has none, and
        goes on behind the last state after a lost connection. Store `cursor` of what you have dealt with.
        """
        return self._driver.iterate(events.events(self._account, after, follow=follow, poll=poll))

    def newest_cursor(self) -> str | None:
        """Return the cursor behind the newest call state: with it as `after`, `events` begins with what comes."""
        return self._driver.run(events.newest_cursor(self._account))


class Call:
    """One leg of a live call. Each method returns after the phone confirmed it.

    Raises NotFound when it is over, Conflict (wrong_state) when its state does not allow it, ServerFailed when the
    phone refused or did not answer.
    """

    def __init__(self, account: Account, driver: SyncDriver, call_control_id: str) -> None:
        self._account = account
        self._driver = driver
        self.call_control_id = call_control_id

    def __repr__(self) -> str:
        return f"Call({self.call_control_id!r})"

    def clear(self) -> Controlled:
        """Reject an alerting call, end an established one."""
        return self._control("clear")

    def hold(self) -> Controlled:
        """Put the other side on hold, with music."""
        return self._control("hold")

    def unhold(self) -> Controlled:
        """Take the other side back."""
        return self._control("unhold")

    def mute(self) -> Controlled:
        """Let this side not be heard."""
        return self._control("mute")

    def unmute(self) -> Controlled:
        """Let this side be heard again."""
        return self._control("unmute")

    def dtmf(self, digits: str) -> Controlled:
        """Send tones to the other side: 0 to 9, *, #, A to D; a comma is a pause of a second."""
        return self._control("dtmf", digits=digits)

    def transfer(self, destination: str) -> Controlled:
        """Connect the other side with another number (blind)."""
        return self._control("transfer", destination=destination)

    def supervise(self, number: str, mode: str = "listen") -> Controlled:
        """Let a supervisor hear the call: "listen"; talk to this side alone, too: "whisper"; or to both: "join".

        Once more with another mode changes how the supervisor takes part. The token needs the scope `supervise`.
        """
        return self._control("supervise", number=number, mode=mode)

    def add(self, destination: str) -> Controlled:
        """Call one more number, so that all talk together; ten at most."""
        return self._control("add", destination=destination)

    def record_start(self) -> Controlled:
        """Begin to record."""
        return self._control("record_start")

    def record_pause(self) -> Controlled:
        """Record nothing for a while."""
        return self._control("record_pause")

    def record_resume(self) -> Controlled:
        """Go on recording."""
        return self._control("record_resume")

    def record_stop(self) -> Controlled:
        """End the recording."""
        return self._control("record_stop")

    def _control(self, action: str, **more: str) -> Controlled:
        return self._driver.run(commands.control(self._account, self.call_control_id, action, **more))
