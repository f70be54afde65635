"""Certificates for tests: an authority of their own, and what it or nobody signs."""

import ssl
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import trustme

DAY = timedelta(days=1)


@cache
def authority() -> trustme.CA:
    """Return the authority that tests trust; making one takes some milliseconds."""
    return trustme.CA()


@cache
def stranger() -> trustme.CA:
    """Return an authority that nobody trusts."""
    return trustme.CA()


def trusting() -> ssl.SSLContext:
    """Return a client's TLS that trusts the authority, and nobody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority().configure_trust(context)
    return context


def serving(certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
    """Return a server's TLS with a certificate, one for 127.0.0.1 and localhost unless another is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (certificate or issued()).configure_cert(context)
    return context


def issued(
    *names: str, by: trustme.CA | None = None, since: timedelta = -DAY, until: timedelta = DAY
) -> trustme.LeafCert:
    """Return a certificate for names and addresses, good from and until these times from now."""
    now = datetime.now(UTC).replace(tzinfo=None)
    names = names or ("127.0.0.1", "localhost")
    return (by or authority()).issue_cert(*names, not_before=now + since, not_after=now + until)


def files(folder: Path, certificate: trustme.LeafCert | None = None) -> tuple[Path, Path]:
    """Write a certificate and its key for a program; return the paths."""
    certificate = certificate or issued()
    chain, key = folder / "certificate.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    return chain, key


def authority_file(folder: Path) -> Path:
    """Write the authority's own certificate for a program that is to trust it; return the path."""
    path = folder / "authority.pem"
    path.write_bytes(authority().cert_pem.bytes())
    return path
