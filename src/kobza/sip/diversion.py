"""Who sent a call on before it came here: Diversion (RFC 5806) and History-Info (RFC 7044), read and written."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from msgspec.structs import replace

from kobza.sip.errors import MalformedMessage
from kobza.sip.grammar import shorten, split_list
from kobza.sip.headers import NameAddr, Reason
from kobza.sip.message import SipMessage
from kobza.sip.uri import SipUri
from kobza.values import Value

MAX_COUNTER: Final = 999
"""RFC 5806, section 9: at most three digits."""

REASONS: Final = frozenset(
    {
        *("unknown", "user-busy", "no-answer", "unavailable", "unconditional", "time-of-day", "do-not-disturb"),
        *("deflection", "follow-me", "out-of-service", "away"),
    }
)
"""RFC 5806, section 9."""

_REASON_OF_CAUSE: Final = MappingProxyType(
    {
        "302": "unconditional",
        "486": "user-busy",
        "408": "no-answer",
        "503": "unavailable",
        "480": "deflection",
        "487": "deflection",
    }
)
"""RFC 7544, table 1."""

ANONYMOUS: Final = SipUri("sip", user="anonymous", host="anonymous.invalid")


class Diversion(Value, frozen=True):
    """One value of Diversion: a number that sent the call on, and why."""

    uri: SipUri
    reason: str = "unknown"
    """One of REASONS, in lower case; what a peer made up reads as "unknown"."""
    counter: int = 1
    """How many diversions the value stands for."""
    private: bool = False
    """Whether the number is for the network only: `privacy` is anything but "off"."""
    display_name: str = ""

    @classmethod
    def parse(cls, text: str, where: str = "Diversion header") -> "Diversion":
        """Read one value, e.g. `<sip:+380671110001@pbx>;reason=user-busy;counter=1`."""
        who = NameAddr.parse(text, where)
        counter = who.param("counter") or "1"
        if not (counter.isascii() and counter.isdecimal() and 1 <= int(counter[:4]) <= MAX_COUNTER):
            raise MalformedMessage(f"counter is not 1 to {MAX_COUNTER}: {shorten(counter)}", where)
        reason = (who.param("reason") or "").lower()
        private = (who.param("privacy") or "off").lower() != "off"
        return cls(
            who.uri, reason if reason in REASONS else "unknown", int(counter), private, display_name=who.display_name
        )

    def __str__(self) -> str:
        """Write one value."""
        params = (
            ("reason", self.reason),
            ("counter", str(self.counter)),
            ("privacy", "full" if self.private else "off"),
        )
        return str(NameAddr(self.display_name, self.uri, params))


class HistoryEntry(Value, frozen=True):
    """One value of History-Info: a target that the request had, and what it answered."""

    uri: SipUri
    """Without the Reason and Privacy that are escaped into it."""
    index: str
    """Its place in the tree, `1.1.2`."""
    reason: Reason | None = None
    """Why the request went on from there."""
    private: bool = False
    mapped_from: str | None = None
    """The index of the entry from which it came, when it is for another user (`mp`)."""

    @classmethod
    def parse(cls, text: str, where: str = "History-Info header") -> "HistoryEntry":
        """Read one value, e.g. `<sip:b@pbx?Reason=SIP%3Bcause%3D486>;index=1`."""
        who = NameAddr.parse(text, where)
        index = who.param("index") or ""
        if not _is_index(index):
            raise MalformedMessage(f"not an index: {shorten(index)}", where)
        reason, private = None, False
        for header in who.uri.headers.split("&"):
            name, _, value = header.partition("=")
            if name.lower() == "reason":
                found = Reason.parse_all(unquote(value))
                reason = found[0] if found else None
            elif name.lower() == "privacy":
                private = unquote(value).lower() != "none"
        mapped_from = who.param("mp")
        return cls(replace(who.uri, headers=""), index, reason, private, mapped_from)

    def __str__(self) -> str:
        """Write one value."""
        reason = None if self.reason is None else f"Reason={self.reason.protocol}%3Bcause%3D{self.reason.cause}"
        headers = "&".join(each for each in (reason, "Privacy=history" if self.private else None) if each)
        params = [("index", self.index)]
        if self.mapped_from is not None:
            params.append(("mp", self.mapped_from))
        return str(NameAddr("", replace(self.uri, headers=headers), tuple(params)))


def diversions(message: SipMessage) -> list[Diversion]:
    """Return the Diversion values of a message, the last one to divert first. MalformedMessage names the header."""
    return [
        Diversion.parse(part)
        for value in message.get_all("diversion")
        for part in split_list(value, "Diversion header")
    ]


def history(message: SipMessage) -> list[HistoryEntry]:
    """Return the History-Info values of a message, in their order. MalformedMessage names the header."""
    return [
        HistoryEntry.parse(part)
        for value in message.get_all("history-info")
        for part in split_list(value, "History-Info header")
    ]


def diversions_in(entries: Sequence[HistoryEntry]) -> list[Diversion]:
    """Return what History-Info says of diversions, the last one to divert first (RFC 7544, section 3).

    A target with the `cause` of RFC 4458 is one to which the call was sent on, by the entry of its `mp`, else by
    the one above it in the tree. An entry without a cause is a change of the address, not of who is called.
    """
    found = []
    by_index = {entry.index: entry for entry in entries}
    for entry in entries:
        cause = entry.uri.param("cause")
        source = by_index.get(entry.mapped_from or entry.index.rpartition(".")[0])
        if cause is not None and source is not None and source is not entry:
            uri = replace(source.uri, params=tuple(each for each in source.uri.params if each[0].lower() != "cause"))
            found.append(Diversion(uri, _REASON_OF_CAUSE.get(cause, "unknown"), private=source.private))
    return found[::-1]


def _is_index(text: str) -> bool:
    return all(part.isascii() and part.isdecimal() for part in text.split("."))
