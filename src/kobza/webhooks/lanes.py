"""All endpoints, and how the memory for deliveries is shared out among them. No I/O."""

from collections.abc import Iterator
from typing import Final

from kobza.webhooks.lane import Lane, Mode

SHARE: Final = 4
"""One endpoint may fill at most this part of the memory (a quarter); a few in flight are always let in."""
LIVE_SHARE: Final = 2
"""Of that, at most this part (a half) goes to what comes from calls beside a backlog."""
PAGE: Final = 500
"""Deliveries read from the store at once, at most: whoever reads more holds the interpreter for too long."""


class Lanes:
    """The lane of each enterprise that ever had something to do with a webhook in this process."""

    def __init__(self, in_flight: int, held: int) -> None:
        """`in_flight` is how many attempts may be under way to one endpoint; `held`: deliveries in memory, of all."""
        self._in_flight = in_flight
        self._held = held
        self._lanes: dict[str, Lane] = {}
        self._holding: set[Lane] = set()
        """Those that may hold something: room was asked for since they were last seen idle. There may be thousands of
        lanes, and the memory is added up for every state."""

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    def of(self, enterprise_id: str) -> Lane:
        """Return the lane of an enterprise."""
        lane = self._lanes.get(enterprise_id)
        if lane is None:
            lane = self._lanes[enterprise_id] = Lane(enterprise_id)
        return lane

    @property
    def held(self) -> int:
        """Deliveries in memory."""
        self._holding = {lane for lane in self._holding if not lane.idle}
        return sum(lane.held for lane in self._holding)

    def room(self, lane: Lane) -> int:
        """Return how many deliveries more the lane may hold of those that come from calls.

        It, or `page`, is asked before a lane takes anything in.
        """
        if lane.mode is Mode.LIVE:
            return self._room(lane, lane.held, self._held // SHARE)
        return self._room(lane, lane.queue.live + lane.whole.asked, self._held // SHARE // LIVE_SHARE)

    def page(self, lane: Lane) -> int:
        """Return how many deliveries may be read for a lane from the store."""
        share = self._held // SHARE
        return min(PAGE, self._room(lane, lane.queue.backlog, share - share // LIVE_SHARE))

    def _room(self, lane: Lane, own: int, share: int) -> int:
        """Return what is left of a share by what the lane has of it: as many as can be under way, always."""
        if own >= share:
            return 0
        room = max(self._in_flight - own, min(share - own, self._held - self.held))
        self._holding.add(lane)
        return room
