"""What a number's dialogs look like to those who watch it: application/dialog-info+xml (RFC 4235)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from kobza.sip.uri import SipUri
from kobza.sip.xml_text import attribute, text
from kobza.values import Value, same

CONTENT_TYPE: Final = "application/dialog-info+xml"
MAX_DIALOGS: Final = 16
"""Of one number in one document: a lamp shows the most telling one of them."""
MAX_IDS: Final = 256
"""Characters of Call-ID and tags together: a phone chooses its own, and longer ones are left out."""

DialogPhase = Literal["trying", "proceeding", "early", "confirmed"]
"""RFC 4235, 3.7.1; `terminated` is what has gone."""


class WatchedDialog(Value, frozen=True):
    """A call of a number, as its watchers may know it."""

    dialog_id: str
    phase: DialogPhase
    initiator: bool
    """Whether the number calls; False: it is called."""
    remote_user: str
    """Who is on the other side, as a URI has it: a number as people dial it; "" for one who hides."""
    remote_name: str = ""
    held: bool = False
    """Whether the number has put the other side on hold."""
    call_id: str = ""
    """Call-ID of the dialog that its phone has with us; "" while there is none."""
    local_tag: str = ""
    """The phone's tag."""
    remote_tag: str = ""
    """Ours."""


class DialogInfo:
    """Writes the documents of one subscription: all dialogs, or those that changed since the last document."""

    __slots__ = ("_entity", "_host", "_told", "_version")

    def __init__(self, user: str, host: str) -> None:
        """`user` and `host` are of the URI that was subscribed to; names of other parties have the same host."""
        self._host = host
        self._entity = _uri(user, host)
        self._version = 0
        self._told: dict[str, WatchedDialog] = {}

    def write(self, dialogs: Sequence[WatchedDialog], *, full: bool, most: int | None) -> bytes | None:
        """Write the next document, of at most so many bytes; None: nothing has changed.

        What does not fit is written without addresses, then left out, the least telling first: whoever rings can be
        picked up, and whoever talks is busy whatever else he does.
        """
        shown = sorted(dialogs, key=_rank)[:MAX_DIALOGS]
        parts: list[str] = []
        if full:
            wanted = shown
        else:
            told = self._told
            wanted = [each for each in shown if each.dialog_id not in told or not same(told[each.dialog_id], each)]
            there = {each.dialog_id for each in shown}
            gone = [each for each in told.values() if each.dialog_id not in there]
            if not wanted and not gone:
                return None
            parts = [_short(each, "terminated") for each in gone]
        head = (
            '<?xml version="1.0"?>\n<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info"'
            f' version="{self._version}" state="{"full" if full else "partial"}" entity={attribute(self._entity)}>'
        )
        tail = "</dialog-info>"
        room = None if most is None else most - sum(_size(part) for part in (head, tail, *parts))
        left_out = set()
        for each in wanted:
            part = self._long(each)
            if room is not None and _size(part) > room:
                part = _short(each, each.phase)
            if room is not None:
                if _size(part) > room:
                    left_out.add(each.dialog_id)
                    continue
                room -= _size(part)
            parts.append(part)
        if not full and (left_out or (room is not None and room < 0)):
            return self.write(dialogs, full=True, most=most)
        self._version += 1
        self._told = {each.dialog_id: each for each in shown if each.dialog_id not in left_out}
        return f"{head}{''.join(parts)}{tail}".encode()

    def _long(self, dialog: WatchedDialog) -> str:
        ids = ""
        if dialog.call_id and len(dialog.call_id) + len(dialog.local_tag) + len(dialog.remote_tag) <= MAX_IDS:
            ids = (
                f" call-id={attribute(dialog.call_id)} local-tag={attribute(dialog.local_tag)}"
                f" remote-tag={attribute(dialog.remote_tag)}"
            )
        rendering = ""
        if dialog.phase == "confirmed":
            rendering = f'<param pname="+sip.rendering" pval="{"no" if dialog.held else "yes"}"/>'
        name = f" display={attribute(dialog.remote_name)}" if dialog.remote_name else ""
        # A hidden one has no address that leads anywhere (RFC 3323, 4.1.1.3); who picks the call up sends to us.
        target = _uri(dialog.remote_user or "anonymous", self._host)
        identity = target if dialog.remote_user else "sip:anonymous@anonymous.invalid"
        return (
            f'<dialog id={attribute(dialog.dialog_id)}{ids} direction="{_direction(dialog)}">'
            f"<state>{dialog.phase}</state>"
            f"<local><identity>{text(self._entity)}</identity>"
            f"<target uri={attribute(self._entity)}>{rendering}</target></local>"
            f"<remote><identity{name}>{text(identity)}</identity><target uri={attribute(target)}/></remote></dialog>"
        )


def _short(dialog: WatchedDialog, state: str) -> str:
    return f'<dialog id={attribute(dialog.dialog_id)} direction="{_direction(dialog)}"><state>{state}</state></dialog>'


def _uri(user: str, host: str) -> str:
    return str(SipUri("sip", user=user, host=host))


def _direction(dialog: WatchedDialog) -> str:
    return "initiator" if dialog.initiator else "recipient"


def _rank(dialog: WatchedDialog) -> int:
    if dialog.phase == "early" and not dialog.initiator:
        return 0
    return 1 if dialog.phase == "confirmed" else 2


def _size(part: str) -> int:
    return len(part.encode())
