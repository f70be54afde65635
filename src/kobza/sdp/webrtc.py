"""What a description says of a browser's transport: ICE, DTLS-SRTP, one port for all (RFC 8839, 8842, 5763, 8843).

Only what an ICE-lite end needs is read. Candidates of the peer are read over: its checks show where it is reached.
"""

import re
from enum import StrEnum
from ipaddress import ip_address
from typing import Final

from kobza.sdp.description import Attribute, Media, SessionDescription
from kobza.sdp.errors import NotAcceptable
from kobza.values import Leaf

PROTOCOL: Final = "UDP/TLS/RTP/SAVPF"
"""What browsers offer and want to be offered (RFC 8829, section 5.1.2)."""
PROTOCOLS: Final = frozenset({PROTOCOL, "UDP/TLS/RTP/SAVP"})
"""Transports over DTLS-SRTP; feedback passes like any other RTCP."""

FIRST_MID: Final = "0"
"""Name of the stream in offers of our own."""

_HASHES: Final = {"sha-512": 64, "sha-384": 48, "sha-256": 32}
"""Hashes of certificates that are strong enough, the best first, with their length in bytes (RFC 8122, section 5)."""
_UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}")


class Setup(StrEnum):
    """Who begins the DTLS handshake, as the owner of the description sees it (RFC 4145, section 4)."""

    ACTIVE = "active"
    PASSIVE = "passive"
    ACTPASS = "actpass"

    @property
    def answered(self) -> "Setup":
        """What the other side of one who says this is: it waits when it may (RFC 8842, section 5.2)."""
        return Setup.ACTIVE if self is Setup.PASSIVE else Setup.PASSIVE


class WebRtcPeer(Leaf, frozen=True):
    """What a phone said of its end. Its password is not kept: an ICE-lite end sends no checks.

    `fingerprints` are of its certificate, "sha-256 AB:CD…", all of one hash: one of them must fit. `mid` is "" when it
    gave the stream no name.
    """

    ufrag: str
    fingerprints: tuple[str, ...]
    setup: Setup
    mid: str
    bundled: bool


class WebRtcEnd(Leaf, frozen=True):
    """What we say of ours. `hosts` are our addresses, the best first; `fingerprint` is "sha-256 AB:CD…"."""

    hosts: tuple[str, ...]
    ufrag: str
    password: str
    fingerprint: str
    setup: Setup
    mid: str = FIRST_MID
    bundled: bool = True

    @property
    def session_attributes(self) -> tuple[Attribute, ...]:
        """The lines before the first stream."""
        lite: Attribute = ("ice-lite", None)
        return (("group", f"BUNDLE {self.mid}"), lite) if self.bundled and self.mid else (lite,)

    def stream_attributes(self, port: int) -> list[Attribute]:
        """The lines of the stream, which is on `port`. Its `msid` gives it a place in the browser's page."""
        lines: list[Attribute] = [("mid", self.mid)] if self.mid else []
        lines += [
            ("msid", "kobza audio"),
            ("ice-ufrag", self.ufrag),
            ("ice-pwd", self.password),
            ("fingerprint", self.fingerprint),
            ("setup", self.setup.value),
        ]
        for index, host in enumerate(self.hosts):
            lines.append(("candidate", f"{index + 1} 1 udp {_priority(index)} {host} {port} typ host"))
        lines.append(("end-of-candidates", None))
        return lines


def webrtc_of(description: SessionDescription, media: Media) -> WebRtcPeer:
    """Return what a stream over DTLS-SRTP says of its owner's end; raise NotAcceptable when something is missing."""
    if media.get("rtcp-mux") is None:
        raise NotAcceptable("a stream over DTLS-SRTP needs rtcp-mux: one port carries RTP and RTCP")
    ufrag, password = _said(description, media, "ice-ufrag"), _said(description, media, "ice-pwd")
    if _UFRAG.fullmatch(ufrag) is None or _PASSWORD.fullmatch(password) is None:
        raise NotAcceptable("a stream over DTLS-SRTP needs ICE: ice-ufrag and ice-pwd as in RFC 8839, section 5.4")
    fingerprints = _fingerprints(media.get_all("fingerprint") or _all(description, "fingerprint"))
    if not fingerprints:
        raise NotAcceptable("a stream over DTLS-SRTP needs a fingerprint of sha-256, sha-384 or sha-512")
    try:
        setup = Setup(_said(description, media, "setup") or Setup.ACTIVE)
    except ValueError:
        raise NotAcceptable("the setup attribute is active, passive or actpass") from None
    mid = media.get("mid") or ""
    if _TOKEN.fullmatch(mid) is None:
        mid = ""
    groups = [group.split() for group in _all(description, "group")]
    bundled = any(words[:1] == ["BUNDLE"] and mid in words[1:] for words in groups)
    return WebRtcPeer(ufrag, fingerprints, setup, mid, bundled)


def _said(description: SessionDescription, media: Media, name: str) -> str:
    """Return an attribute that holds for a stream: its own, or the session's; "" for none."""
    own = media.get(name)
    return own if own is not None else description.get(name) or ""


def _all(description: SessionDescription, name: str) -> list[str]:
    return [value or "" for key, value in description.attributes if key == name]


def _fingerprints(values: list[str]) -> tuple[str, ...]:
    """Return the well-formed ones of the best hash, in one spelling."""
    by_hash: dict[str, list[str]] = {}
    for value in values:
        name, _, digits = value.strip().partition(" ")
        name, digits = name.lower(), digits.strip().upper()
        octets = digits.split(":")
        if len(octets) == _HASHES.get(name) and all(re.fullmatch("[0-9A-F]{2}", octet) for octet in octets):
            by_hash.setdefault(name, []).append(f"{name} {digits}")
    return next((tuple(by_hash[best]) for best in _HASHES if best in by_hash), ())


def _priority(index: int) -> int:
    """Return the priority of a host candidate of the RTP component (RFC 8445, section 5.1.2.1)."""
    return (126 << 24) + ((65535 - index) << 8) + 255


def candidate_hosts(public: str | None, bound: str) -> tuple[str, ...]:
    """Return the addresses that browsers are told: the public one first, when it is another one of the same family.

    A port is of one family: an address of the other one could not lead to it.
    """
    if public is None or public == bound:
        return (bound,)
    if ip_address(public).version != ip_address(bound).version:
        return (public,)
    return (public, bound)
