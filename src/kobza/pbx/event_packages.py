"""What can be subscribed to: the lamps of numbers, their presence, and a mailbox that is always empty."""

from collections.abc import Callable
from typing import Final

from kobza.pbx.presence import Status
from kobza.pbx.watched_lines import WatchedLine
from kobza.sip import dialog_info
from kobza.sip import pidf as presence_document
from kobza.sip.subscription import Compose
from kobza.values import Value

NO_MESSAGES: Final = b"Messages-Waiting: no\r\n"
"""There is no voice mail here. A phone that is told so is content; one that is refused asks again for ever."""


class EventPackage(Value, frozen=True):
    """An event package (RFC 6665, 5)."""

    content_type: str
    tell: Callable[[WatchedLine, str, str], Compose]
    """Makes what writes the bodies of one subscription, of the line and of user and host that were subscribed to."""
    follows: bool = True
    """Whether it tells what a number does; False: the same to everybody, and no number is looked at."""


def _dialogs(line: WatchedLine, user: str, host: str) -> Compose:
    document = dialog_info.DialogInfo(user, host)

    def compose(full: bool, most: int | None) -> bytes | None:
        return document.write(line.dialogs, full=full, most=most)

    return compose


def _presence(line: WatchedLine, user: str, host: str) -> Compose:
    told: Status | None = None

    def compose(full: bool, _most: int | None) -> bytes | None:
        nonlocal told
        status = line.status
        if status is told and not full:
            return None
        told = status
        is_reachable, is_busy = status is not Status.UNAVAILABLE, status is Status.BUSY
        return presence_document.pidf(user, host, reachable=is_reachable, on_the_phone=is_busy)

    return compose


def _mailbox(_line: WatchedLine, _user: str, _host: str) -> Compose:
    def compose(full: bool, _most: int | None) -> bytes | None:
        return NO_MESSAGES if full else None

    return compose


PACKAGES: Final = {
    "dialog": EventPackage(dialog_info.CONTENT_TYPE, _dialogs),
    "message-summary": EventPackage("application/simple-message-summary", _mailbox, follows=False),
    "presence": EventPackage(presence_document.CONTENT_TYPE, _presence),
}
"""RFC 4235, 3842, 3856."""
ALLOW_EVENTS: Final = ("Allow-Events", ", ".join(PACKAGES))
