"""TLS of SIP (RFC 3261 26, RFC 5922): our certificate, taken anew when its files change, and whom we trust."""

import asyncio
import logging
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kobza.sip.errors import MalformedMessage
from kobza.sip.uri import SipUri

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 10.0
"""Seconds between two looks at the files of the certificate: whoever renews it need not tell us."""
OLDEST: Final = ssl.TLSVersion.TLSv1_2
"""RFC 8996 forbids those before."""


class CertificateError(Exception):
    """The certificate cannot be used; one line for people that names the file."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where the certificate (with its chain, PEM) and its key are."""

    certificate: Path
    key: Path

    def load_into(self, context: ssl.SSLContext) -> None:
        """Take the certificate into a context. Raises CertificateError; the context is then not to be used."""
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            what = error.strerror or str(error)
            raise CertificateError(f"the certificate {self.certificate} with the key {self.key}: {what}") from error

    def state(self) -> tuple[object, ...]:
        """Return what changes when a file does; a file that is away for a moment is a state too."""
        return tuple(_state(path) for path in (self.certificate, self.key))


def _state(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Certificate:
    """A certificate of ours, wherever it is shown. Connections that stand keep what they began with."""

    def __init__(self, files: CertificateFiles, authorities: Iterable[Path] = ()) -> None:
        """Load it. `authorities` sign whom `ask` is for, beside those of the machine. Raises CertificateError."""
        self._files = files
        self._authorities = tuple(authorities)
        self._trusts = False
        self._state = files.state()
        self._shown_in: list[ssl.SSLContext] = []
        self.context = _server_context()
        """For who connects by SIP over TLS."""
        self.web = _server_context()
        """For who connects by a secure WebSocket; no browser is ever asked for a certificate."""
        self.show_in(self.context)
        self.show_in(self.web)

    def show_in(self, context: ssl.SSLContext) -> None:
        """Show it in a context too, renewed as everywhere: a client's shows it to servers that ask for one.

        Raises CertificateError.
        """
        self._files.load_into(context)
        self._shown_in.append(context)

    def ask(self, *, wanted: bool) -> None:
        """Ask who connects by SIP over TLS for a certificate from now on, or no more.

        Who has none goes on without; one that cannot be verified ends the handshake. Raises CertificateError.
        """
        if wanted and not self._trusts:
            self.context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
            _trust(self.context, self._authorities)
            self._trusts = True
        self.context.verify_mode = ssl.CERT_OPTIONAL if wanted else ssl.CERT_NONE

    def look(self) -> bool:
        """Take the certificate anew if its files have changed; tell whether it was.

        A pair that does not fit together, such as one that is being written, is tried without harm to what is in use.
        """
        state = self._files.state()
        if state == self._state:
            return False
        self._files.load_into(_server_context())
        for context in self._shown_in:
            self._files.load_into(context)
        self._state = state
        return True

    async def watch(self) -> None:
        """Look now and then, for ever."""
        complained: object = None
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                if await asyncio.to_thread(self.look):
                    log.info("the certificate %s was taken anew", self._files.certificate)
            except CertificateError as error:
                state = self._files.state()
                if state != complained:  # once for each change, not every ten seconds
                    log.error("%s; the one before stays in use", error)  # noqa: TRY400 - no fault of the code
                    complained = state


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = OLDEST
    return context


def client_context(authorities: Iterable[Path] = ()) -> ssl.SSLContext:
    """Return what verifies the servers that we connect to: by the machine's authorities, and by those of files.

    Raises CertificateError.
    """
    context = ssl.create_default_context()
    context.minimum_version = OLDEST
    _trust(context, authorities)
    return context


def _trust(context: ssl.SSLContext, authorities: Iterable[Path]) -> None:
    for path in authorities:
        try:
            context.load_verify_locations(path)
        except (OSError, ssl.SSLError) as error:
            raise CertificateError(f"the authority {path}: {error.strerror or error}") from error


def certified_names(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the SIP domains, in small letters, for which a certificate is that was verified (RFC 5922, section 7.1).

    `certificate` is as `ssl` gives it. Domains are those of its SIP URIs without a user, and its DNS names; a name with
    a wildcard is none (7.2), nor is the common name.
    """
    found = []
    for kind, value in (certificate or {}).get("subjectAltName", ()):
        if kind == "DNS":
            found.append(value)
        elif kind == "URI":
            try:
                uri = SipUri.parse(value, "subjectAltName")
            except MalformedMessage:
                continue
            if uri.scheme == "sip" and not uri.user:
                found.append(uri.host)
    return frozenset(name.lower() for name in found if name and "*" not in name)


@dataclass(frozen=True, slots=True)
class Tls:
    """What an endpoint needs for TLS in both directions."""

    certificate: Certificate | None = None
    """None: nothing is listened for."""
    client: ssl.SSLContext = field(default_factory=client_context)
