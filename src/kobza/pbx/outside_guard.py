"""Keeps numbers and enterprises to what they may spend outside, so that a stolen password is not a ruinous one.

Counted is in memory, and at a start of the server read from the calls of the day: whoever pays is counted, be it the
caller, or the number that sent the call on.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from kobza.call.causes import CALL_REJECTED
from kobza.call.directory import Directory
from kobza.call.group import group_key
from kobza.call.outside import LIMITS, WORDS, Allowance, Limit, OutsideLimits, Spent
from kobza.sip.headers import Reason
from kobza.sip.invite import InviteDialog
from kobza.sip.invite_state import OVER
from kobza.store.outside import SpentBefore

log = logging.getLogger(__name__)

STATUS: Final = 403
"""What a caller is answered: no other trunk is tried, and other phones of a called number ring on."""
WHOLE: Final = ""
"""Stands for all numbers of an enterprise."""
TOLD_EVERY: Final = 60.0
"""Seconds for which the same refusal is not told in the log again."""
MAX_TOLD: Final = 10_000
FEW_CALLS: Final = 16
KYIV: Final = ZoneInfo("Europe/Kyiv")

Key = tuple[str | None, str]
"""An enterprise, and a number of it or WHOLE."""


class Refusal(NamedTuple):
    """Why a call does not go out."""

    limit: Limit
    text: str

    @property
    def reasons(self) -> Sequence[Reason]:
        """Why the branch is refused (RFC 3326); the caller's phone is told the cause."""
        return (Reason("Q.850", CALL_REJECTED, self.text),)


class _Account:
    """What one number, or an enterprise as a whole, has spent."""

    __slots__ = ("_room", "begun", "dialogs", "talked", "windows")

    def __init__(self) -> None:
        self.windows = (0, 0, 0)
        """Which minute, hour and day is counted."""
        self.begun = [0, 0, 0]
        self.talked = 0.0
        """Seconds of the day."""
        self.dialogs: list[InviteDialog] = []
        self._room = FEW_CALLS
        """How many dialogs there may be until those that are over are looked for."""

    def enter(self, windows: tuple[int, int, int]) -> None:
        """Begin to count anew what belongs to a minute, hour or day that is over."""
        for index, (before, now) in enumerate(zip(self.windows, windows, strict=True)):
            if before != now:
                self.begun[index] = 0
                if index == 2:
                    self.talked = 0.0
        self.windows = windows

    def add(self, dialog: InviteDialog) -> None:
        """Note a call. Those that are over are forgotten now and then: it costs the same however many are on."""
        if len(self.dialogs) >= self._room:
            self._room = max(FEW_CALLS, 2 * self.live())
        self.dialogs.append(dialog)

    def live(self) -> int:
        """Return how many calls are on."""
        self.dialogs[:] = [dialog for dialog in self.dialogs if dialog.state not in OVER]
        return len(self.dialogs)


class OutsideGuard:
    """Counts the calls of one switch. Belongs into the loop's thread."""

    def __init__(self, defaults: OutsideLimits, directory: Callable[[], Directory]) -> None:
        """`defaults` hold for each number where nothing else is said."""
        self._defaults = defaults
        self._directory = directory
        self._spent: dict[Key, _Account] = {}
        self._swept_at: float | None = None
        self._told: OrderedDict[tuple[Key, Limit], float] = OrderedDict()
        self.refused: dict[Limit, int] = dict.fromkeys(LIMITS, 0)
        """By what was passed."""

    def refusal(self, dial: str, payer: str, enterprise_id: str | None, now: float) -> Refusal | None:
        """Return why a call to a number is not to go out at the expense of another one; None: it may."""
        if not dial.startswith("+"):
            return None
        windows = _windows(now)
        for key, limits in self._rules(payer, enterprise_id):
            limit = _passed(limits, dial, self._spent.get(key), windows)
            if limit is not None:
                return self._refuse(key, limit, limits, payer, dial, now)
        return None

    def took(
        self, dial: str, payer: str, enterprise_id: str | None, dialog: InviteDialog, now: float, *, again: bool
    ) -> None:
        """Count a call that goes out. `again`: by another trunk, as the one before failed."""
        if not dial.startswith("+"):
            return
        windows = _windows(now)
        enterprise_id = self._enterprise_of(payer, enterprise_id)
        for name in (payer, WHOLE):
            spent = self._spent.setdefault((enterprise_id, name), _Account())
            spent.enter(windows)
            spent.add(dialog)
            if not again:
                spent.begun = [count + 1 for count in spent.begun]

    def remember(self, before: Iterable[SpentBefore], now: float) -> None:
        """Count what was spent before this start of the server, as its calls tell."""
        windows = _windows(now)
        for each in before:
            for name in (each.number, WHOLE):
                spent = self._spent.setdefault((each.enterprise_id, name), _Account())
                spent.enter(windows)
                counts = (each.calls_minute, each.calls_hour, each.calls_day)
                spent.begun = [count + more for count, more in zip(spent.begun, counts, strict=True)]
                spent.talked += each.seconds_day

    def allowance(self, enterprise_id: str, number: str, now: float) -> Allowance:
        """Return what a number of an enterprise may spend and has, or with WHOLE all of them together."""
        said = self._directory().outside.get((enterprise_id, number), OutsideLimits())
        usual = OutsideLimits() if number == WHOLE else self._shared(enterprise_id)
        spent, account = Spent(), self._spent.get((enterprise_id, number))
        if account is not None:
            account.enter(_windows(now))
            minute, hour, day = account.begun
            spent = Spent(minute, hour, day, account.live(), int(account.talked // 60))
        return Allowance(said.over(usual), usual, spent)

    def sweep(self, now: float) -> None:
        """Count the time that was talked since the last look, and forget who has spent nothing today."""
        passed = 0.0 if self._swept_at is None else max(0.0, now - self._swept_at)
        self._swept_at = now
        windows = _windows(now)
        for key, spent in list(self._spent.items()):
            spent.enter(windows)
            spent.talked += passed * sum(dialog.is_standing for dialog in spent.dialogs)
            if not spent.live() and not spent.begun[2]:
                del self._spent[key]

    def _rules(self, payer: str, enterprise_id: str | None) -> list[tuple[Key, OutsideLimits]]:
        """Return what holds for a number, and what for its enterprise as a whole."""
        directory = self._directory()
        enterprise_id = self._enterprise_of(payer, enterprise_id)
        whole = directory.outside.get((enterprise_id or "", WHOLE))
        own = directory.outside.get((enterprise_id or "", payer))
        shared = self._shared(enterprise_id)
        rules: list[tuple[Key, OutsideLimits]] = [((enterprise_id, payer), shared if own is None else own.over(shared))]
        if whole is not None:
            rules.append(((enterprise_id, WHOLE), replace(whole, denied=(), allowed=())))
        return rules

    def _shared(self, enterprise_id: str | None) -> OutsideLimits:
        """Return what holds for each number of an enterprise of which nothing is said."""
        whole = self._directory().outside.get((enterprise_id or "", WHOLE))
        if whole is None:
            return self._defaults
        return OutsideLimits(denied=whole.denied, allowed=whole.allowed).over(self._defaults)

    def _enterprise_of(self, payer: str, enterprise_id: str | None) -> str | None:
        """Return whose a number is that pays; `enterprise_id` for one that is nobody's here, such as a short code."""
        directory = self._directory()
        subscriber = directory.subscribers.get(payer)
        if subscriber is not None:
            return subscriber.enterprise_id
        group = directory.groups.get(group_key(payer, enterprise_id))
        return enterprise_id if group is None else group.enterprise_id

    def _refuse(self, key: Key, limit: Limit, limits: OutsideLimits, payer: str, dial: str, now: float) -> Refusal:
        self.refused[limit] += 1
        most = "" if limit == "destination" else f"more than {getattr(limits, limit)} "
        refusal = Refusal(limit, most + WORDS[limit])
        told_at = self._told.get((key, limit))
        if told_at is None or now - told_at >= TOLD_EVERY:
            whose = f"enterprise {key[0]}" if key[1] == WHOLE else payer
            log.warning("%s may not call %s: %s", whose, dial, refusal.text, extra={"enterprise_id": key[0]})
            self._told[key, limit] = now
            if len(self._told) > MAX_TOLD:
                self._told.popitem(last=False)
        return refusal


def _passed(limits: OutsideLimits, dial: str, spent: _Account | None, windows: tuple[int, int, int]) -> Limit | None:
    if not limits.allows(dial):
        return "destination"
    if spent is None:
        return None
    spent.enter(windows)
    minute, hour, day = spent.begun
    if limits.calls_minute and minute >= limits.calls_minute:
        return "calls_minute"
    if limits.calls_hour and hour >= limits.calls_hour:
        return "calls_hour"
    if limits.calls_day and day >= limits.calls_day:
        return "calls_day"
    if limits.minutes_day and spent.talked >= limits.minutes_day * 60:
        return "minutes_day"
    if limits.at_once and len(spent.dialogs) >= limits.at_once and spent.live() >= limits.at_once:
        return "at_once"
    return None


def windows_begin(now: float) -> tuple[float, float, float]:
    """Return when the minute, the hour and the day of Kyiv began that a moment is in."""
    midnight = datetime.fromtimestamp(now, KYIV).replace(hour=0, minute=0, second=0, microsecond=0)
    return now // 60 * 60, now // 3600 * 3600, midnight.timestamp()


def _windows(now: float) -> tuple[int, int, int]:
    """Return which minute, hour and day of Kyiv a moment is in."""
    return int(now // 60), int(now // 3600), datetime.fromtimestamp(now, KYIV).toordinal()
