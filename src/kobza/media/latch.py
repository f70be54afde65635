"""Whom one side of a call believes: symmetric RTP that a stranger cannot take over.

Packets go where the phone's packets come from, which is not always where its description says. The source is learnt
from the first packet after an address was named. Afterwards another source is believed only when it is the named one,
shows the SSRC of the stream so far, has the phone's key (SRTP), or after another offer or answer of the phone, until
the known source is heard again; else a stranger who guesses the port could take a call over. However long the phone is
silent, that proves nothing.
"""

from typing import Final

from kobza.rtp.ice import Address

SHUN_FOR: Final = 2.0
"""Seconds in which packets from the address before do not count as the answer from a newly named one: another branch of
a fork may still send."""


class Latch:
    """Judges the sources of packets. `now` is in seconds of a steady clock."""

    __slots__ = ("_last_before", "_named", "_shunned", "_shunned_until")

    def __init__(self) -> None:
        self._named: Address | None = None
        self._last_before: bytes | None = None
        """The last packet before the phone's last offer or answer."""
        self._shunned: Address | None = None
        self._shunned_until = 0.0

    def name(self, address: Address | None, port: int | None, *, heard_at: Address | None, now: float) -> None:
        """The phone named another address, with this port: learn anew. `heard_at`: whence it was heard until now.

        What was heard before any address was named is no other branch: packets are often faster than the answer, above
        all over TCP. Nor is what comes from the port that is named: a phone may call its host by a name of its own.
        """
        if heard_at is not None and self._named is not None:
            self.shun(heard_at, now)
        if port is not None and self._shunned is not None and port == self._shunned[1]:
            self._shunned = None
        self._named = address

    def agree(self, heard: bytes | None) -> None:
        """The phone said anew where it is, the same as before: until it is heard there, it may have moved.

        `heard` is the last packet that came from it.
        """
        self._last_before = heard

    def settle(self, address: Address) -> None:
        """All packets come from one address, whatever else was named: where the phone is, ICE says."""
        self._named = address

    def shun(self, address: Address | None, now: float) -> None:
        """Do not take what comes from an address for the phone that is yet to be heard, for a while."""
        self._shunned, self._shunned_until = address, now + SHUN_FOR

    def believes(self, data: bytes, source: Address, *, heard: bytes | None, has_key: bool, now: float) -> bool:
        """Decide about a packet from elsewhere than the last ones.

        `heard` is the last packet since an address was named; `has_key`: none gets here that was not made with the
        phone's key.
        """
        if heard is None:
            return source != self._shunned or now >= self._shunned_until
        return source == self._named or data[8:12] == heard[8:12] or has_key or heard is self._last_before
