"""The lines to the outside: each is asked by OPTIONS whether it is there (RFC 3261, 11).

The question comes from a port of its own, so a server that runs meanwhile neither sees it nor its answer.
"""

import asyncio
import os
import secrets
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from kobza.app.doctor.findings import Finding, bad, good, look
from kobza.call.trunk import Trunk
from kobza.net.addresses import family_of, is_address
from kobza.net.locator import Locator, NotFound
from kobza.net.resolver import Resolver
from kobza.net.tls import CertificateError, CertificateFiles, client_context
from kobza.pbx.trunk_hops import place_of
from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Address, Transport, host_text
from kobza.sip.message import SipRequest, SipResponse, parse_message
from kobza.sip.stream import StreamParser
from kobza.store.health import Facts
from kobza.store.trunks import RESTING

SENDINGS: Final = (0.5, 1.0, 2.0)
"""Seconds after which a question over UDP is sent once more (RFC 3261, 17.1.2.2), the last time given up."""
PATIENCE: Final = sum(SENDINGS)
"""Seconds for an answer."""
AT_ONCE: Final = 8
"""Trunks that are asked at the same time."""
DATAGRAM: Final = 65_535


def trunks(
    found: Sequence[Trunk],
    authorities: Sequence[Path] = (),
    name_servers: Sequence[Address] = (),
    shown: CertificateFiles | None = None,
) -> Iterable[Finding]:
    """Ask every trunk; blocks until each has answered or had its time. The rest is as the settings have it."""
    if not found:
        yield look("trunks", "there is none: no call goes out", "kobza trunk add NAME --host ADDRESS --port 5060")
        return
    with ThreadPoolExecutor(AT_ONCE, "doctor-trunks") as threads:
        yield from threads.map(partial(_trunk, authorities=authorities, name_servers=name_servers, shown=shown), found)


def registrations(facts: Facts, *, served: bool) -> Iterable[Finding]:
    """Look whether the server that runs is registered where it is to be, and may call, as it last wrote down."""
    if not served:
        return
    for trunk in facts.trunks:
        state = facts.trunk_states.get(trunk.trunk_id)
        if state is not None and state.state == RESTING:
            advice = "ask its operator whether it is overloaded; until then calls go by other trunks, if there are any"
            yield look(f"calls by {trunk.name}", state.detail, advice)
        if trunk.expires is None:
            continue
        check = f"registration at {trunk.name}"
        if state is not None and state.registration == "registered":
            yield good(check, f"registered as {trunk.username}")
        elif state is not None and state.detail:
            yield bad(check, state.detail, f"correct the account (kobza trunk set {trunk.name}), or ask its operator")
        else:
            yield look(check, "it is being tried", "look again in some seconds")


def _trunk(
    trunk: Trunk, authorities: Sequence[Path], name_servers: Sequence[Address], shown: CertificateFiles | None
) -> Finding:
    check = f"trunk {trunk.name}"
    try:
        found = asyncio.run(Locator(Resolver(name_servers)).locate(*place_of(trunk)))
    except NotFound as error:
        return bad(check, f"it leads nowhere: {error}", "correct its host, or look at the name server")
    hop = found.hops[0]
    where = str(hop) if is_address(trunk.host.strip("[]")) else f"{hop}, by {found.way},"
    with socket.socket(family_of(hop.address[0]), _kind(hop.transport)) as line:
        line.settimeout(PATIENCE)
        try:
            line.connect(hop.address)
            ours = line.getsockname()
            if hop.transport is Transport.TLS:
                context = client_context(authorities)
                if shown is not None:
                    shown.load_into(context)
                with context.wrap_socket(line, server_hostname=trunk.certified_name) as secure:
                    answer = _ask(secure, trunk, hop.transport, str(ours[0]), int(ours[1]))
            else:
                answer = _ask(line, trunk, hop.transport, str(ours[0]), int(ours[1]))
        except CertificateError as error:
            return bad(check, str(error), "correct sip_authorities, or the certificate that trunks are shown")
        except ssl.SSLCertVerificationError as error:
            advice = f"it has to be for {trunk.certified_name}; who signs it may be named in sip_authorities"
            return bad(check, f"the certificate of {where} is refused: {error.verify_message}", advice)
        except ssl.SSLError as error:
            advice = "correct its port or transport; or it wants a certificate of ours (sip_client_certificate)"
            return bad(check, f"{where} ends the handshake of TLS: {error.reason}", advice)
        except ConnectionRefusedError:
            advice = "correct its host or port (kobza trunk list), or start it"
            return bad(check, f"nobody listens at {where}", advice)
        except TimeoutError:
            return look(
                check,
                f"no answer to OPTIONS from {where} within {PATIENCE:g} s",
                "let SIP through the firewall, and ask its operator whether it knows our address; some lines answer no "
                "such question: then try a call",
            )
        except OSError as error:
            return bad(check, f"there is no way to {where}: {os.strerror(error.errno or 0)}", "look at `ip route`")
    said = f"{where} answers {answer.status} {answer.reason}, to our {ours[0]}"
    if answer.status >= 500 and answer.status not in (501, 505):
        return look(check, said, "it takes no calls now: ask its operator")
    return good(check, said)  # whatever it answers, it is there: many refuse OPTIONS of those who have not signed in


def _kind(transport: Transport) -> socket.SocketKind:
    return socket.SOCK_STREAM if transport.reliable else socket.SOCK_DGRAM


def _ask(line: socket.socket, trunk: Trunk, transport: Transport, host: str, port: int) -> SipResponse:
    """Return the final answer to a question; raises OSError, which TimeoutError is one of."""
    question = _question(trunk, transport, host, port)
    answers = _over_tcp(line, question) if transport.reliable else _over_udp(line, question)
    for answer in answers:
        if answer.status >= 200 and answer.get("call-id") == question.get("call-id"):
            return answer
    raise TimeoutError


def _question(trunk: Trunk, transport: Transport, host: str, port: int) -> SipRequest:
    ours = f"{host_text(host)}:{port}"
    theirs = host_text(trunk.host.strip("[]")) + ("" if trunk.port is None else f":{trunk.port}")
    return SipRequest.create(
        "OPTIONS",
        f"sip:{theirs}",
        [
            ("Via", f"SIP/2.0/{transport.value} {ours};rport;branch=z9hG4bK{secrets.token_hex(8)}"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:doctor@{ours}>;tag={secrets.token_hex(4)}"),
            ("To", f"<sip:{theirs}>"),
            ("Call-ID", secrets.token_hex(12)),
            ("CSeq", "1 OPTIONS"),
            ("Contact", f"<sip:doctor@{ours}>"),
            ("Accept", "application/sdp"),
            ("User-Agent", "Kobza doctor"),
            ("Content-Length", "0"),
        ],
    )


def _over_udp(line: socket.socket, question: SipRequest) -> Iterator[SipResponse]:
    """Ask, again when nothing comes; give what is answered."""
    for wait in SENDINGS:
        line.send(question.to_bytes())
        end = time.monotonic() + wait
        while (left := end - time.monotonic()) > 0:
            line.settimeout(left)
            try:
                message = parse_message(line.recv(DATAGRAM))
            except TimeoutError:
                break
            except MalformedMessage:
                continue
            if isinstance(message, SipResponse):
                yield message


def _over_tcp(line: socket.socket, question: SipRequest) -> Iterator[SipResponse]:
    """Ask once; give what is answered until the connection or the time ends."""
    line.sendall(question.to_bytes())
    parser = StreamParser()
    end = time.monotonic() + PATIENCE
    while (left := end - time.monotonic()) > 0:
        line.settimeout(left)
        data = line.recv(DATAGRAM)
        if not data:
            raise ConnectionResetError(104, "closed without an answer")
        try:
            yield from (item for item in parser.feed(data) if isinstance(item, SipResponse))
        except MalformedMessage:
            raise ConnectionResetError(104, "no SIP") from None
