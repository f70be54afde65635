"""The network: whether the ports are free or ours, what webhooks answer with."""

import errno
import http.client
import json
import socket
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from cryptography import x509

from kobza.app.doctor.findings import Finding, bad, good, look
from kobza.config.settings import Settings, unheard, webhook_networks
from kobza.net.tls import Certificate, CertificateError, CertificateFiles
from kobza.store.health import EndpointHealth, Facts
from kobza.store.meta import SIGN_OF_LIFE_MS
from kobza.webhooks.address import AddressRefused, check_address

PATIENCE: Final = 5.0
"""Seconds for one connection."""
SOON: Final = timedelta(days=21)
"""A certificate that ends earlier should be renewed now."""
SAMPLED_PORTS: Final = 64
"""Media ports that are tried, spread over their range."""
ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound: asked at


def running(settings: Settings) -> dict[str, Any] | None:
    """Return what a Kobza at the address of HTTP says of itself (`/ready`), or None."""
    host = ANY.get(settings.http.host, settings.http.host)
    connection = http.client.HTTPConnection(host, settings.http.port, timeout=PATIENCE)
    try:
        connection.request("GET", "/ready")
        told = json.loads(connection.getresponse().read(65_536))
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return told if isinstance(told, dict) and "checks" in told else None


def server(told: dict[str, Any] | None, facts: Facts | None, settings: Settings, now_ms: int) -> Iterable[Finding]:
    """Look whether a server runs and how it does."""
    alive = facts is not None and facts.heartbeat is not None and now_ms - facts.heartbeat < SIGN_OF_LIFE_MS
    if facts is not None and facts.heartbeat is not None and facts.heartbeat > now_ms + SIGN_OF_LIFE_MS:
        ahead = (facts.heartbeat - now_ms) // 1000
        yield bad("clock", f"the store was written {ahead} s in the future", "the clock went back: set it right (NTP)")
    if told is None:
        if alive:
            yield bad(
                "server",
                f"one works with the store, and none answers at {settings.http}",
                "look with the settings of the service (--config, KOBZA_…), or at its log",
            )
        else:
            yield good("server", "none runs")
        return
    if facts is not None and not alive:
        yield bad(
            "server",
            f"one answers at {settings.http}, and nobody writes into this store",
            "another installation uses this address, or the server cannot write: look at its log",
        )
        return
    failing = {name: part.get("reason") for name, part in told["checks"].items() if part.get("reason")}
    if failing:
        said = "; ".join(f"{name}: {reason}" for name, reason in failing.items())
        yield bad("server", f"it runs, and not all of it works: {said}", "look at its log")
    else:
        yield good("server", f"it runs and answers at {settings.http}")


def ports(settings: Settings, *, ours: bool) -> Iterable[Finding]:
    """Look whether the addresses can be bound; not while our own server has them."""
    if ours:
        yield good("ports", "our server has them")
        return
    wanted = [(str(settings.http), "tcp", settings.http.host, settings.http.port)]
    wanted += [(str(each), each.transport, each.address.host, each.address.port) for each in settings.sip]
    wrong = [finding for each in wanted if (finding := _port(*each)) is not None]
    yield from wrong
    row = settings.rtp_ports.ports
    taken = [
        port
        for port in row[:: max(1, len(row) // SAMPLED_PORTS)]
        if _bound("udp", settings.rtp_bind or settings.rtp_host, port)
    ]
    if taken:
        yield look(
            "ports",
            f"media ports are taken, such as {taken[0]}",
            "another program uses the range: choose another one (rtp_ports), or stop it",
        )
    if not wrong and not taken:
        yield good("ports", "all are free")


def _port(shown: str, transport: str, host: str, port: int) -> Finding | None:
    code = _bound(transport, host, port)
    if code is None:
        return None
    if code == errno.EADDRINUSE:
        return bad("ports", f"another program has {shown}", f"stop it (ss -lnp 'sport = {port}'), or choose another")
    if code == errno.EADDRNOTAVAIL:
        return bad("ports", f"{shown}: the address is not this machine's", "choose one that `ip address` shows")
    if code == errno.EACCES:
        return bad("ports", f"{shown}: ports below 1024 need a right", "choose a higher one, or CAP_NET_BIND_SERVICE")
    return bad("ports", f"{shown} cannot be used: {errno.errorcode.get(code, code)}", "choose another")


def media_address(settings: Settings) -> Iterable[Finding]:
    """Look whether phones that reach SIP can reach the media."""
    why = unheard(settings)
    if why is not None:
        yield bad("media address", why, "set rtp_host to the address of this machine that phones reach")


def _bound(transport: str, host: str, port: int) -> int | None:
    """Return the error of binding an address, or None when it is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(family, kind) as candidate:
        if transport != "udp":
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((host, port))
        except OSError as error:
            return error.errno
    return None


def webhook(endpoint: EndpointHealth, settings: Settings, now_ms: int) -> Iterable[Finding]:
    """Look at an endpoint: whether it is on, what is owed, and whether its server can be reached."""
    check = f"webhook of {endpoint.enterprise or endpoint.enterprise_id}"
    if not endpoint.active:
        owed = f", {endpoint.owed} call states wait" if endpoint.owed else ""
        yield look(
            check,
            f"it is switched off: {endpoint.inactive_reason}{owed}",
            f"mend it, then kobza webhook set --enterprise {endpoint.enterprise_id} …",
        )
        return
    if endpoint.oldest_ms is not None and now_ms - endpoint.oldest_ms > 600_000:
        yield bad(
            check,
            f"{endpoint.owed} call states are owed, the oldest since {_age(now_ms - endpoint.oldest_ms)}",
            "see what it answers: the portal's page CRM integration, GET /v1/webhook/deliveries",
        )
    url = urlsplit(endpoint.url)
    host, secure = url.hostname or "", url.scheme == "https"
    port = url.port or (443 if secure else 80)
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for *_, address in addresses:
            check_address(str(address[0]), webhook_networks(settings))
        with socket.create_connection((host, port), PATIENCE) as connection:
            if secure:
                with ssl.create_default_context().wrap_socket(connection, server_hostname=host) as protected:
                    yield from _certificate(check, protected.getpeercert(), host)
                return
    except AddressRefused as error:
        yield bad(check, str(error), "a public address, or webhook_allow (docs/configuration.md)")
    except ssl.SSLCertVerificationError as error:
        yield bad(check, f"its certificate is refused: {error.verify_message}", "its operator has to renew it")
    except OSError as error:
        yield bad(
            check, f"{host}:{port} cannot be reached: {error.strerror or error}", "look at its name and its server"
        )
    else:
        yield good(check, f"{host}:{port} can be reached, {endpoint.owed} call states are owed")


def _certificate(check: str, certificate: Any, host: str) -> Iterable[Finding]:
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    said = f"the certificate of {host} ends on {ends:%Y-%m-%d}"
    if ends - datetime.now(UTC) < SOON:
        yield look(check, said, "its operator should renew it now")
    else:
        yield good(check, f"{host} can be reached; {said}")


def sip_certificate(settings: Settings) -> Iterable[Finding]:
    """Look at the certificate of SIP over TLS: whether it can be served, and when it ends."""
    chain, key = settings.sip_certificate, settings.sip_key
    if chain is None or key is None:
        return
    try:
        Certificate(CertificateFiles(chain, key))
        ends = x509.load_pem_x509_certificate(chain.read_bytes()).not_valid_after_utc
    except (CertificateError, OSError, ValueError) as error:
        yield bad("certificate of SIP", str(error), "correct sip_certificate and sip_key, or renew the files")
        return
    said = f"{chain} ends on {ends:%Y-%m-%d}"
    if ends < datetime.now(UTC):
        yield bad("certificate of SIP", said, "renew it: phones refuse it; a server that runs takes the new files")
    elif ends - datetime.now(UTC) < SOON:
        yield look("certificate of SIP", said, "renew it now; a server that runs takes new files by itself")
    else:
        yield good("certificate of SIP", said)


def store_certificates(url: str) -> Iterable[Finding]:
    """Look at the certificate files that the URL of PostgreSQL names."""
    for option, values in parse_qs(urlsplit(url).query).items():
        if option not in {"sslrootcert", "sslcert"} or values[0] == "system":
            continue
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(Path(values[0]))
        except (OSError, ssl.SSLError) as error:
            yield bad("certificates", f"{option} {values[0]}: {error.strerror or error}", "correct KOBZA_STORE")
            continue
        ends = [str(each["notAfter"]) for each in context.get_ca_certs() if "notAfter" in each]
        for end in ends:
            yield from _certificate("certificates", {"notAfter": end}, f"{option} {values[0]}")


def _age(ms: int) -> str:
    minutes = ms // 60_000
    return (
        f"{minutes} minutes"
        if minutes < 120
        else f"{minutes // 60} hours"
        if minutes < 2880
        else f"{minutes // 1440} days"
    )
