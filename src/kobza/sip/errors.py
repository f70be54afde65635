"""The one exception of the codec."""

from __future__ import annotations


class MalformedMessage(ValueError):
    """Text of a peer that cannot be read as SIP; the only exception that a parse raises.

    `what` says in words what is wrong, `where` names the place ("Via header", "start line", "body").
    `sip_status` is the response that suits a request with this fault (400 unless a better one exists, RFC 3261 21.4).
    """

    def __init__(self, what: str, where: str, *, sip_status: int = 400) -> None:
        super().__init__(f"{where}: {what}")
        self.what = what
        self.where = where
        self.sip_status = sip_status

    def at(self, where: str) -> MalformedMessage:
        """Return the same fault, at a place that only who asked for the reading knows."""
        return MalformedMessage(self.what, where, sip_status=self.sip_status)
