"""A small exchange for tests: who is in it, and what their phones and trunks send."""

import asyncio
from collections.abc import Iterable

from kobza.call.directory import Package, Subscriber
from kobza.pbx.journal import Journal
from kobza.sip.digest import DigestVerifier, authorize, ha1
from kobza.sip.flow import Flow, Transport
from kobza.sip.message import SipRequest
from tests.support.waiting import PATIENCE

NOW = 1_790_000_000.0
REALM = "kobza.example"
PASSWORD = "a good password"
ANNA, BOHDAN, VERA, OUTSIDE = "+380671000001", "+380671000002", "+380671000003", "+380441234567"
ANNA_USER, BOHDAN_USER, VERA_USER = "0671000001", "0671000002", "0671000003"
PHONE = Flow(Transport.UDP, ("192.0.2.1", 5060), ("198.51.100.7", 40_000))

Headers = Iterable[tuple[str, str]]


def verifier(secret: bytes = b"s" * 32) -> DigestVerifier:
    return DigestVerifier(REALM, secret)


def hashes(user: str, password: str = PASSWORD) -> tuple[str, str]:
    """Return what the store keeps of a password: MD5, SHA-256."""
    return ha1(user, REALM, password, "MD5"), ha1(user, REALM, password, "SHA-256")


def subscriber(number: str = ANNA, *packages: Package, enterprise_id: str = "ent-1", name: str = "Anna") -> Subscriber:
    md5, sha256 = hashes("0" + number[4:])
    return Subscriber(number, enterprise_id, name, packages=frozenset(packages), ha1_md5=md5, ha1_sha256=sha256)


def request(
    method: str, uri: str, *, user: str = ANNA_USER, to: str | None = None, cseq: int = 1, headers: Headers = ()
) -> SipRequest:
    """Return a request as a phone sends it, without credentials."""
    return SipRequest.create(
        method,
        uri,
        [
            ("Via", "SIP/2.0/UDP 198.51.100.7:40000;branch=z9hG4bK1;rport"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:{user}@{REALM}>;tag=1"),
            ("To", to or f"<sip:{user}@{REALM}>"),
            ("Call-ID", "call-of-the-phone"),
            ("CSeq", f"{cseq} {method}"),
            *headers,
        ],
    )


def signed(
    unsigned: SipRequest,
    *,
    user: str = ANNA_USER,
    password: str = PASSWORD,
    at: float = NOW,
    secret: bytes = b"s" * 32,
    source: str = PHONE.remote[0],
) -> SipRequest:
    """Put credentials into a request, for a nonce that was given to a source at a moment."""
    name = "Proxy-Authorization" if unsigned.method == "INVITE" else "Authorization"
    value = authorize(
        verifier(secret).challenges(at, user_agent=None, source=source),
        method=unsigned.method,
        uri=unsigned.uri_text,
        username=user,
        password=password,
        cnonce="c",
    )
    unsigned.set(name, value)
    return unsigned


async def settled(journal: Journal) -> None:
    """Wait until all that was handed over before is stored."""
    stored = asyncio.Event()
    journal.append((), stored.set)
    async with asyncio.timeout(PATIENCE):
        await stored.wait()
