"""One rtpengine: whether it answers, what it says of itself, which of our calls it carries."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Final

from kobza.media.rtpengine import words
from kobza.media.rtpengine.endpoint import NgEndpoint
from kobza.media.rtpengine.ng import NgError, NoReply, Refused, Reply
from kobza.media.rtpengine.words import Command, InstanceCounts

log = logging.getLogger(__name__)

PING_INTERVAL: Final = 1.0
"""Seconds between two looks whether it is there."""
COUNT_EVERY: Final = 5
"""Every how many looks it is asked for its counts."""


class Instance:
    """One instance at a host and port. `lost` is called when it was there and is no more.

    `owner` begins the ids of our calls there, so that others may use it too.
    """

    def __init__(self, host: str, port: int, owner: str) -> None:
        """`owner` is of letters, digits and hyphens; other installations have another one."""
        self.name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._host, self._port = host, port
        self._owner = owner
        self._run = f"{owner}{secrets.token_hex(4)}-"
        """So no id is that of a call which an earlier run has left there."""
        self._endpoint: NgEndpoint | None = None
        self._watching: asyncio.Task[None] | None = None
        self._last = 0
        self.is_up = False
        self.reason = "it was not asked yet"
        """Why it is not up."""
        self.losses = 0
        """How often it was there and then was no more."""
        self.counts = InstanceCounts()
        self.keys: set[str] = set()
        """The ids of our calls that it carries."""
        self.lost: Callable[[Instance], None] = lambda _: None

    def new_key(self) -> str:
        """Return an id for another call."""
        self._last += 1
        key = f"{self._run}{self._last:x}"
        self.keys.add(key)
        return key

    async def start(self) -> None:
        """Look for it, and from now on again and again. It need not be there."""
        await self._look()
        if not self.is_up:
            log.warning("rtpengine at %s does not answer: %s", self.name, self.reason)
        self._watching = asyncio.create_task(self._watch(), name=f"rtpengine {self.name}")
        self._watching.add_done_callback(self._watched)

    async def stop(self) -> None:
        """Look no more, close the socket."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        if self._endpoint is not None:
            self._endpoint.close()
            self._endpoint = None
        self.is_up = False

    async def ask(self, command: Command) -> Reply:
        """Return the reply to a command; raise NgError. One that cannot be reached is no longer up."""
        endpoint = self._endpoint
        if endpoint is None:
            raise NoReply("it is not there")
        try:
            return await endpoint.ask(command)
        except NoReply as error:
            if endpoint is self._endpoint and self.is_up:
                self._down(error.reason)
            raise

    async def forget(self, key: str) -> None:
        """End a call there. One that cannot be told is ended when it is back."""
        self.keys.discard(key)
        try:
            await self.ask(words.delete(key))
        except Refused:
            log.debug("rtpengine at %s has no call %s to end", self.name, key)
        except NoReply as error:
            log.warning("rtpengine at %s cannot be told that a call ended: %s", self.name, error.reason)

    def _watched(self, task: "asyncio.Task[None]") -> None:
        """Trust nothing of it when it is watched no longer."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("rtpengine at %s is watched no longer", self.name, exc_info=error)
            self._down("it is watched no longer")

    async def _watch(self) -> None:
        looks = 0
        while True:
            await asyncio.sleep(PING_INTERVAL)
            looks += 1
            await self._look()
            if self.is_up and looks % COUNT_EVERY == 0:
                await self.count()

    async def count(self) -> None:
        """Ask it for its counts."""
        try:
            counts = words.counts_in(await self.ask(words.STATISTICS))
        except NgError as error:
            log.warning("rtpengine at %s tells no counts: %s", self.name, error.reason)
            return
        if counts.uptime < self.counts.uptime:
            self._down("it was started anew")
        self.counts = counts

    async def _look(self) -> None:
        try:
            if self._endpoint is None:
                endpoint = NgEndpoint(self._host, self._port)
                await endpoint.open()
                self._endpoint = endpoint
            await self._ping()
            if self.is_up:
                return
            await self._clean()
        except OSError as error:
            self._down(error.strerror or str(error))
            return
        except NgError as error:
            self._down(error.reason)
            return
        await self.count()
        self.is_up, self.reason = True, ""
        log.info("rtpengine at %s answers", self.name)

    async def _ping(self) -> None:
        """Raise NgError unless it answers as an rtpengine."""
        reply = await self.ask(words.PING)
        if reply.get("result") != b"pong":
            raise NgError("what answers there is no rtpengine")

    def _down(self, reason: str) -> None:
        self.reason = reason
        if self.is_up:
            self.is_up = False
            self.losses += 1
            log.error("rtpengine at %s is gone: %s", self.name, reason)
            self.lost(self)

    async def _clean(self) -> None:
        """End calls there that are ours and that nobody here knows: of a run that crashed, or from before a loss.

        Raises NgError.
        """
        ended = 0
        while True:
            found = words.listed(await self.ask(words.list_calls()))
            left = [key for key in found if key.startswith(self._owner) and key not in self.keys]
            for key in left:
                await self.forget(key)
            ended += len(left)
            if not left or len(found) < words.LISTED:
                break
        if ended:
            log.warning("rtpengine at %s had %d calls of before, which were ended", self.name, ended)
