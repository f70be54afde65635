"""Opening a connection to a receiver: its name, its address, TLS. Each step has its limit and its words.

The address is checked on the very list that is connected to, so that a name that resolves to something else a moment
later (DNS rebinding) gains nothing; TLS goes by the name.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any, Final, TypeVar

import aiohappyeyeballs

from kobza.webhooks.address import AddressRefused, Network, check_address
from kobza.webhooks.limits import Phase
from kobza.webhooks.progress import Failed, Progress

MAX_LOOKUPS: Final = 16
"""Threads that look names up. A name server that does not answer holds one for some seconds; it must not be one of the
threads that the rest of the program uses."""
NEXT_ADDRESS_SECONDS: Final = 0.25
"""How long one address of several is waited for until the next is tried beside it (RFC 8305)."""
HANDSHAKE_BACKSTOP: Final = 3600.0
"""asyncio's own limit of a handshake, out of the way of ours."""
SHUTDOWN_SECONDS: Final = 1.0
"""How long a receiver may take to agree to the end of TLS."""

IP: Final = frozenset({socket.AF_INET, socket.AF_INET6})
AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]
"""An item of `socket.getaddrinfo`; the last member begins with the address as a text."""
P = TypeVar("P", bound=asyncio.Protocol)

_CERTIFICATE: Final = {
    9: "it is not valid yet; its beginning or one of the two clocks is wrong",
    10: "it has expired",
    18: "it is self-signed",
    19: "its chain ends at an authority that is not trusted here",
    20: "its issuer is not known here; the receiver may have to send its intermediate certificates as well",
    21: "its issuer is not known here; the receiver may have to send its intermediate certificates as well",
}
"""OpenSSL's verification results (X509_V_ERR_…) in words; the others have texts of their own that do."""


_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})
"""What OpenSSL makes of a port that speaks something else."""


class Opener:
    """Opens the connections of all protocols."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        """Private networks are refused but for those `allowed`."""
        self._allowed = tuple(allowed)
        self._threads = ThreadPoolExecutor(MAX_LOOKUPS, "webhook-dns")
        self._lookups: dict[tuple[str, int], asyncio.Future[list[AddressInfo]]] = {}

    async def open(
        self, factory: Callable[[], P], host: str, port: int, tls: ssl.SSLContext | None, progress: Progress
    ) -> tuple[asyncio.Transport, P]:
        """Return a connection to a host (a name or an address); raises Failed."""
        host = host.rstrip(".")
        addresses = self._permitted(await self._addresses(host, port, progress))
        progress.enter(Phase.CONNECT)
        loop = asyncio.get_running_loop()
        try:
            sock = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS)
        except (OSError, RuntimeError) as error:  # uvloop raises the second for some addresses
            errno = error.errno if isinstance(error, OSError) else None
            raise Failed(f"no connection: {os.strerror(errno) if errno else error}") from error
        if tls is None:
            opened = await loop.create_connection(factory, sock=sock)
        else:
            progress.enter(Phase.TLS)
            try:
                opened = await loop.create_connection(
                    factory,
                    sock=sock,
                    ssl=tls,
                    server_hostname=host,
                    ssl_handshake_timeout=HANDSHAKE_BACKSTOP,
                    ssl_shutdown_timeout=SHUTDOWN_SECONDS,
                )
            except OSError as error:
                raise Failed(_tls_words(error)) from error
        progress.connected()
        return opened

    def close(self) -> None:
        """Let go of the threads; a look-up under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _addresses(self, host: str, port: int, progress: Progress) -> list[AddressInfo]:
        try:
            ip_address(host.partition("%")[0])
        except ValueError:
            progress.enter(Phase.LOOKUP)
            return await self._look_up(host, port)
        return _addresses_of(host, port, socket.AI_NUMERICHOST)

    async def _look_up(self, host: str, port: int) -> list[AddressInfo]:
        """Look a name up, once for all that want it now."""
        lookup = self._lookups.get((host, port))
        if lookup is None:
            loop = asyncio.get_running_loop()
            lookup = self._lookups[host, port] = loop.run_in_executor(
                self._threads, _addresses_of, host, port, socket.AI_ADDRCONFIG
            )
            lookup.add_done_callback(lambda done: self._looked_up((host, port), done))
        try:
            return await asyncio.shield(lookup)
        except (OSError, UnicodeError) as error:
            raise Failed(_lookup_words(error)) from error

    def _looked_up(self, key: tuple[str, int], done: "asyncio.Future[list[AddressInfo]]") -> None:
        del self._lookups[key]
        if not done.cancelled():
            done.exception()  # those who waited have it, unless none of them had the time

    def _permitted(self, addresses: list[AddressInfo]) -> list[AddressInfo]:
        """Return those that may be connected to; raises Failed when there is none."""
        permitted: list[AddressInfo] = []
        refused: AddressRefused | None = None
        for info in addresses:
            try:
                check_address(info[4][0], self._allowed)
            except AddressRefused as error:
                refused = error
            else:
                permitted.append(info)
        if not permitted:
            raise Failed(str(refused) if refused else "the receiver's name has no address")
        return permitted


def peer_of(transport: asyncio.BaseTransport | None) -> str | None:
    """Return the address at the other end of a connection."""
    peer = None if transport is None else transport.get_extra_info("peername")
    return str(peer[0]) if peer else None


def _addresses_of(host: str, port: int, flags: int) -> list[AddressInfo]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(*info[:4], (str(info[4][0]), *info[4][1:])) for info in found if info[0] in IP]


def _lookup_words(error: Exception) -> str:
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return "the receiver's name could not be looked up: no name server gives an answer now"
    return "the receiver's name has no address"


def _tls_words(error: OSError) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"the receiver's certificate is not good: {_CERTIFICATE.get(error.verify_code, error.verify_message)}"
            )
        case ssl.SSLError(
            reason="WRONG_VERSION_NUMBER" | "HTTP_REQUEST" | "PACKET_LENGTH_TOO_LONG" | "RECORD_LAYER_FAILURE"
        ):
            return "TLS failed: the receiver does not speak TLS on this port"
        case ssl.SSLError():
            return f"TLS failed: {error.reason or error}"
        case _:
            return "the receiver closed the connection during the TLS handshake"
