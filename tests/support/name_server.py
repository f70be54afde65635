"""A name server for tests: real DNS over UDP and TCP at one port of loopback, in threads of its own."""

import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from typing import Any, Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from kobza.net.locator import Locator
from kobza.net.resolver import Resolver
from kobza.sip.flow import Address
from tests.support.ports import free_port

UDP_SIZE = 512
"""Bytes of an answer over UDP; what is longer comes over TCP."""
CNAMES = 8
"""Names in a row that one answer follows."""

Manner = Callable[[bytes], bytes | None]
"""What becomes of an answer on its way; None: it is lost."""


class NameServer:
    """Use it as a context manager. What it is not told of does not exist: NXDOMAIN, or an empty answer."""

    def __init__(self) -> None:
        self.address: Address = ("127.0.0.1", free_port())
        self.asked: list[tuple[str, str, str]] = []
        """Name, type and transport of each question."""
        self.manner: Manner = lambda answer: answer
        self.rcode = dns.rcode.NOERROR
        """Said to every question, if it is another one."""
        self.denial_ttl = 5
        self._zone: dict[tuple[str, str], tuple[int, tuple[str, ...]]] = {}
        self._servers = (_Udp(self.address, _over_udp), _Tcp(self.address, _over_tcp))
        self._threads = [threading.Thread(target=each.serve_forever, args=(0.05,)) for each in self._servers]
        for server in self._servers:
            server.names = self

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()

    def say(self, name: str, kind: str, *records: str, ttl: int = 60) -> None:
        """Have these records from now on, in the form of a zone file; names in them end in a dot."""
        self._zone[name.lower(), kind] = (ttl, records)

    def forget(self, name: str, kind: str) -> None:
        """Have them no more."""
        del self._zone[name.lower(), kind]

    def fall_silent(self) -> None:
        """Answer nothing any more."""
        self.manner = lambda _answer: None

    def resolver(self, **options: Any) -> Resolver:
        """Return a resolver that asks here alone."""
        return Resolver([self.address], **{"answer_within": 5.0, "try_within": 0.5} | options)

    def locator(self, **options: Any) -> Locator:
        """Return what finds servers by the names that are known here."""
        return Locator(self.resolver(**options))

    def answer(self, data: bytes, transport: str) -> bytes | None:
        """Answer one question."""
        query = dns.message.from_wire(data)
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind, transport))
        answer = dns.message.make_response(query, recursion_available=True)
        if self.rcode != dns.rcode.NOERROR:
            answer.set_rcode(self.rcode)
            return self.manner(answer.to_wire())
        for _ in range(CNAMES):
            if self._put(answer, name, kind) or not self._put(answer, name, "CNAME"):
                break
            name = self._zone[name, "CNAME"][1][0].rstrip(".").lower()
        if not answer.answer:
            self._deny(answer, name)
        wire = answer.to_wire(max_size=65_535)
        if transport == "udp" and len(wire) > UDP_SIZE:
            answer.flags |= dns.flags.TC
            answer.answer.clear()
            wire = answer.to_wire()
        return self.manner(wire)

    def _put(self, answer: dns.message.Message, name: str, kind: str) -> bool:
        ttl, records = self._zone.get((name, kind), (0, ()))
        if records:
            answer.answer.append(dns.rrset.from_text_list(dns.name.from_text(name), ttl, "IN", kind, list(records)))
        return bool(records)

    def _deny(self, answer: dns.message.Message, name: str) -> None:
        if not any(known == name or known.endswith("." + name) for known, _ in self._zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        zone = name.partition(".")[2] or name
        soa = f"ns.{zone}. root.{zone}. 1 3600 600 86400 {self.denial_ttl}"
        answer.authority.append(dns.rrset.from_text(dns.name.from_text(zone), self.denial_ttl, "IN", "SOA", soa))


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    names: NameServer


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    names: NameServer


class _over_udp(socketserver.BaseRequestHandler):  # noqa: N801 - a function in the form that socketserver wants
    def handle(self) -> None:
        data, sock = self.request
        assert isinstance(self.server, _Udp)
        if (answer := self.server.names.answer(data, "udp")) is not None:
            sock.sendto(answer, self.client_address)


class _over_tcp(socketserver.BaseRequestHandler):  # noqa: N801 - as above
    def handle(self) -> None:
        assert isinstance(self.server, _Tcp)
        assert isinstance(self.request, socket.socket)
        with self.request.makefile("rb") as stream:
            (length,) = struct.unpack("!H", stream.read(2))
            answer = self.server.names.answer(stream.read(length), "tcp")
        if answer is not None:
            self.request.sendall(struct.pack("!H", len(answer)) + answer)
