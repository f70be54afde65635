"""A browser's end for the load: a socket that does ICE and DTLS once and then protects each packet."""

import secrets
import socket

from kobza.media.dtls import Certificate, Handshake
from kobza.rtp.stun import REQUEST, StunAttribute, write

PEER = "load"
"""The name in ICE of every browser here."""


def offer(port: int, fingerprint: str) -> bytes:
    """Return what a browser on a port offers."""
    lines = (
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"m=audio {port} UDP/TLS/RTP/SAVPF 8",
        "c=IN IP4 127.0.0.1",
        f"a=ice-ufrag:{PEER}",
        f"a=ice-pwd:{secrets.token_hex(16)}",
        f"a=fingerprint:{fingerprint}",
        "a=setup:actpass",
        "a=rtcp-mux",
    )
    return "".join(f"{line}\r\n" for line in lines).encode()


def names_in(answer: bytes) -> tuple[str, str, str]:
    """Return name, password and fingerprint of the relay's end."""
    values = dict(line[2:].partition(":")[::2] for line in answer.decode().splitlines() if line.startswith("a="))
    return values["ice-ufrag"], values["ice-pwd"], values["fingerprint"]


class BrowserLine:
    """`send` and `recv` as of a connected socket; what goes over it is SRTP."""

    def __init__(self, opened: socket.socket, certificate: Certificate, ufrag: str, password: str, expected: str):
        """Do what comes before the first packet."""
        self._socket = opened
        opened.setblocking(True)
        opened.settimeout(10.0)
        handshake = Handshake(certificate, (expected,), client=True)
        name = (StunAttribute.USERNAME, f"{ufrag}:{PEER}".encode())
        opened.send(write(REQUEST, secrets.token_bytes(12), (name, (StunAttribute.USE_CANDIDATE, b"")), password))
        opened.recv(2048)
        flight = handshake.receive(b"")
        while handshake.keys is None:
            for datagram in flight:
                opened.send(datagram)
            flight = handshake.receive(opened.recv(2048))
        opened.setblocking(False)
        self._incoming, self._outgoing = handshake.keys

    def send(self, data: bytes) -> None:
        self._socket.send(self._outgoing.protect(data))

    def recv(self, size: int) -> bytes:
        return self._incoming.unprotect(self._socket.recv(size))
