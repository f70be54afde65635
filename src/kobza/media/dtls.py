"""DTLS-SRTP (RFC 5764) by OpenSSL: the certificate of this process, and a handshake with one phone.

No sockets and no timers here: datagrams go in and come out. OpenSSL alone looks at the clock, for its retransmissions.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from pylibsrtp import Policy, Session

DATAGRAM: Final = 1200
"""Bytes of a datagram of ours: less than any way on the Internet takes (RFC 8831 says the same of its packets)."""
MAX_PLAIN: Final = 4096
"""Bytes read at a time of what nobody should send: application data."""
VALID_FOR: Final = timedelta(days=365)
"""Life of the certificate. It is made at each start; browsers look at nothing but its fingerprint."""

_DTLS_1_2: Final = 0xFEFD
"""On the wire and for OpenSSL. The one that WebRTC asks for (RFC 8827, section 6.5), and no other."""
_RECORD_HEADER: Final = 13
_CIPHERS: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20"
_LABEL: Final = b"EXTRACTOR-dtls_srtp"
_PROFILES: Final = {
    b"SRTP_AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    b"SRTP_AES128_CM_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
}
"""What is spoken, the preferred one first: bytes of the key and of the salt (RFC 5764, 4.1.2; RFC 7714, 14.2)."""
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha-256": hashes.SHA256(),
    "sha-384": hashes.SHA384(),
    "sha-512": hashes.SHA512(),
}


class HandshakeFailed(Exception):
    """There will be no keys: the phone shows another certificate than it said, or speaks no DTLS-SRTP."""


class Certificate:
    """A key and its self-made certificate; the key leaves the process in no way."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kobza")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + VALID_FOR)
        made = builder.sign(key, hashes.SHA256())
        self.fingerprint = fingerprint(made, "sha-256")
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_min_proto_version(_DTLS_1_2)
        context.set_max_proto_version(_DTLS_1_2)
        context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
        context.set_cipher_list(_CIPHERS)
        context.set_tlsext_use_srtp(b":".join(_PROFILES))
        # Any certificate passes here: whose it is, the fingerprint in the signalling says (RFC 5763, section 5).
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.use_certificate(made)
        context.use_privatekey(key)
        self.context = context


def fingerprint(certificate: x509.Certificate, name: str) -> str:
    """Return the fingerprint of a certificate by a hash, as a description has it: "sha-256 AB:CD…"."""
    return f"{name} {certificate.fingerprint(_HASHES[name]).hex(':').upper()}"


class Handshake:
    """One association with one phone. `client`: we begin; else the phone does."""

    def __init__(self, certificate: Certificate, fingerprints: tuple[str, ...], *, client: bool) -> None:
        self._fingerprints = fingerprints
        self._client = client
        self._connection = SSL.Connection(certificate.context)
        self._connection.set_ciphertext_mtu(DATAGRAM)
        if client:
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()
        self.keys: tuple[Session, Session] | None = None
        """For what comes and for what goes, once the phone has proved who it is."""

    def receive(self, data: bytes) -> list[bytes]:
        """Take a datagram (b"" to begin as the client); return the datagrams to send. Raises HandshakeFailed."""
        connection = self._connection
        try:
            if data:
                connection.bio_write(data)
            if self.keys is None:
                connection.do_handshake()
                self.keys = self._agreed()
            else:
                connection.recv(MAX_PLAIN)  # a last flight that came again, an alert
        except (SSL.WantReadError, SSL.ZeroReturnError):
            pass
        except SSL.Error as error:
            raise HandshakeFailed(f"DTLS failed: {_words(error)}") from error
        return self._written()

    def wait(self) -> float | None:
        """Return the seconds after which `again` is due; None: nothing is under way."""
        return self._connection.DTLSv1_get_timeout() if self.keys is None else None

    def again(self) -> list[bytes]:
        """Return what was lost, it seems, and is to be sent again; raise HandshakeFailed when it is enough."""
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error as error:
            raise HandshakeFailed("DTLS failed: the phone does not answer") from error
        return self._written()

    def _written(self) -> list[bytes]:
        try:
            return list(datagrams(self._connection.bio_read(1 << 16)))
        except SSL.WantReadError:
            return []

    def _agreed(self) -> tuple[Session, Session]:
        """Check whom we speak with, and make the keys (RFC 5764, section 4.2)."""
        shown = self._connection.get_peer_certificate(as_cryptography=True)
        expected = self._fingerprints
        if shown is None or fingerprint(shown, expected[0].partition(" ")[0]) not in expected:
            raise HandshakeFailed("the certificate of the phone has not the fingerprint that its description named")
        agreed = _PROFILES.get(self._connection.get_selected_srtp_profile())
        if agreed is None:
            raise HandshakeFailed("the phone and Kobza have no protection profile of SRTP in common")
        profile, key, salt = agreed
        material = self._connection.export_keying_material(_LABEL, 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        ours, theirs = (client, server) if self._client else (server, client)
        return (
            Session(Policy(theirs, Policy.SSRC_ANY_INBOUND, srtp_profile=profile)),
            Session(Policy(ours, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)),
        )


def datagrams(records: bytes) -> Iterator[bytes]:
    """Cut what OpenSSL wrote into datagrams: whole records, as many as fit into DATAGRAM (RFC 6347, section 4.1.1)."""
    start = end = 0
    while end < len(records):
        after = end + _RECORD_HEADER + int.from_bytes(records[end + 11 : end + 13], "big")
        if after - start > DATAGRAM and end > start:
            yield records[start:end]
            start = end
        end = after
    if end > start:
        yield records[start:end]


def _words(error: SSL.Error) -> str:
    """Return what OpenSSL says was wrong: a list of library, function and reason, or nothing at all."""
    entries = error.args[0] if error.args else None
    return "; ".join(str(entry[-1]) for entry in entries) if isinstance(entries, list) else type(error).__name__
