"""What the numbers do that somebody watches: their calls as lamps show them, and whether they can be reached."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from kobza.call.leg import LegState
from kobza.call.numbers import national
from kobza.call.routing import ANONYMOUS, Party
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.live_call import LiveCall
from kobza.pbx.presence import Presence, Status
from kobza.sip.dialog_info import DialogPhase, WatchedDialog
from kobza.sip.invite import InviteDialog, InviteState
from kobza.sip.subscription import Subscription

Key = tuple[str, str]
"""Enterprise id and number (E.164 or a short code): a short code is another one's in another enterprise."""


class WatchedLine:
    """A number, or a ringing group, that somebody watches."""

    __slots__ = ("calls", "dialogs", "key", "status", "watchers")

    def __init__(self, key: Key, status: Status) -> None:
        self.key = key
        self.calls: dict[str, LiveCall] = {}
        """Those it takes part in, by call id."""
        self.dialogs: tuple[WatchedDialog, ...] = ()
        self.status = status
        self.watchers: set[Subscription] = set()


class WatchedLines:
    """Every line that is watched. As long as it is none, a call costs nothing here."""

    def __init__(self, view: DirectoryView, presence: Presence, calls: Callable[[], Iterable[LiveCall]]) -> None:
        self._view = view
        self._presence = presence
        self._calls = calls
        self._lines: dict[Key, WatchedLine] = {}
        self._of_call: dict[str, list[WatchedLine]] = {}

    def __len__(self) -> int:
        """How many lines are watched."""
        return len(self._lines)

    def watch(self, key: Key) -> WatchedLine:
        """Return a line; one that nobody watched is looked at now. Follow with `watchers.add`, or `leave`."""
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = WatchedLine(key, self._status_of(key, ()))
            if self._presence.is_busy(key[1]):  # no look at every call for a number that has none
                for live in self._calls():
                    if any(party_key == key for _, _, party_key in _present(live)):
                        self.call_changed(live)
        return line

    def leave(self, line: WatchedLine) -> None:
        """Forget a line when nobody watches it any more."""
        if not line.watchers and self._lines.get(line.key) is line:
            del self._lines[line.key]
            for call_id in line.calls:
                self._of_call[call_id].remove(line)
                if not self._of_call[call_id]:
                    del self._of_call[call_id]

    def call_changed(self, live: LiveCall) -> list[WatchedLine]:
        """Look at a call after something happened in it; return the lines that look different now."""
        before = self._of_call.pop(live.call_id, ())
        now: list[WatchedLine] = []
        for _, _, key in _present(live):
            line = self._lines.get(key)
            if line is not None and line not in now:
                now.append(line)
                line.calls[live.call_id] = live
        if now:
            self._of_call[live.call_id] = now
        for line in before:
            if line not in now:
                del line.calls[live.call_id]
        return [line for line in (*now, *(line for line in before if line not in now)) if self._looks_different(line)]

    def number_changed(self, number: str) -> WatchedLine | None:
        """Look at a number whose devices changed; return its line if it is watched and looks different now."""
        subscriber = self._view.snapshot.subscribers.get(number)
        line = None if subscriber is None else self._lines.get((subscriber.enterprise_id, number))
        return line if line is not None and self._looks_different(line) else None

    def _looks_different(self, line: WatchedLine) -> bool:
        dialogs = tuple(dialog for live in line.calls.values() for dialog in dialogs_of(live, line.key))
        status = self._status_of(line.key, dialogs)
        if dialogs == line.dialogs and status is line.status:
            return False
        line.dialogs = dialogs
        line.status = status
        return True

    def _status_of(self, key: Key, dialogs: Sequence[WatchedDialog]) -> Status:
        subscriber = self._view.snapshot.subscribers.get(key[1])
        if subscriber is None:  # a ringing group has no device of its own, and its code may be another one's elsewhere
            return Status.BUSY if dialogs else Status.AVAILABLE
        return self._presence.of(subscriber).status


def dialogs_of(live: LiveCall, key: Key) -> Iterator[WatchedDialog]:
    """Yield a number's part in a call: one dialog, or two if it calls itself."""
    for leg_id, own, other in live.parties():
        if leg_id in live.present and (own.enterprise_id, own.number) == key:
            yield _dialog(live, leg_id, own, other)


def _present(live: LiveCall) -> Iterator[tuple[str, Party, Key]]:
    for leg_id, own, _ in live.parties():
        if leg_id in live.present and own.enterprise_id is not None:
            yield leg_id, own, (own.enterprise_id, own.number)


def _dialog(live: LiveCall, leg_id: str, own: Party, other: Party) -> WatchedDialog:
    found = _telling(live, leg_id)
    calls = leg_id == live.caller_leg_id
    view = live.call.legs.get(leg_id)
    user, name = _remote(live, own, other, calls=calls)
    return WatchedDialog(
        dialog_id=leg_id,
        phase="trying" if found is None else _phase(found),
        initiator=calls and live.caller_calls,
        remote_user=user,
        remote_name=name,
        held=view is not None and view.state is LegState.HELD,
        call_id="" if found is None else found.sip_call_id,
        local_tag="" if found is None else found.remote_tag or found.ringing_tag or "",
        remote_tag="" if found is None else found.local_tag,
    )


def _telling(live: LiveCall, leg_id: str) -> InviteDialog | None:
    """Return that of a leg's dialogs which has come furthest: several devices may ring. A group has its people's."""
    legs = [leg_id, *live.ringing] if leg_id == live.callee_leg_id else [leg_id]
    dialogs = [
        dialog
        for each in legs
        for branch_id in live.call.branches_of(each)
        if (dialog := live.dialog(branch_id)) is not None
    ]
    return max(dialogs, key=_progress, default=None)


def _progress(dialog: InviteDialog) -> int:
    if dialog.is_standing:
        return 2
    return 1 if dialog.state is InviteState.EARLY else 0


def _phase(dialog: InviteDialog) -> DialogPhase:
    """Return how far a dialog is, as its phone sees it (RFC 4235, 3.7.1)."""
    if dialog.is_standing:
        return "confirmed"
    if dialog.state is not InviteState.EARLY:
        return "trying"
    return "early" if dialog.role == "uas" or dialog.ringing_tag else "proceeding"


def _remote(live: LiveCall, own: Party, other: Party, *, calls: bool) -> tuple[str, str]:
    """Return number and name of the other side, no more of it than the watched phone itself shows."""
    shown = live.shown_to("caller" if calls else "callee")
    if shown is not None:
        return ("", "") if shown.restricted else (national(shown.number), shown.display_name)
    to_callee = live.shown_to_callee
    if calls and to_callee is not None and to_callee.restricted:  # the lamp of who hides would tell who called
        return "", ""
    seen = other.seen_by(own.enterprise_id)
    if seen == ANONYMOUS:
        return "", ""
    return national(seen), other.display_name if seen == other.number else ""
