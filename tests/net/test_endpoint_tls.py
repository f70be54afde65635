"""SIP over TLS and secure WebSocket: our certificate and its renewal, and whom we believe that we connect to."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from kobza.net import tcp, tls
from kobza.net.endpoint import SipEndpoint
from kobza.net.tls import Certificate, CertificateError, CertificateFiles, Tls, certified_names, client_context
from kobza.sip.flow import Address, Flow, Transport
from kobza.sip.ua import UserAgent
from tests.net.agent import ScriptedAgent
from tests.net.conftest import options
from tests.support.authority import DAY, authority, authority_file, files, issued, serving, stranger, trusting
from tests.support.waiting import PATIENCE, until


class Secure:
    """An endpoint with a certificate in files, and its scripted agent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate = Certificate(CertificateFiles(*files(folder)), [authority_file(folder)])
        self.agent = ScriptedAgent()
        both = Tls(self.certificate, client_context([authority_file(folder)]))
        self.endpoint = SipEndpoint(
            cast(UserAgent, self.agent), now=asyncio.get_running_loop().time, on_events=lambda _: None, tls=both
        )


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[Secure]:
    made = Secure(tmp_path)
    yield made
    await made.endpoint.close()


async def serial_of(address: Address) -> str:
    """Return the serial number of the certificate that is served now."""
    _, writer = await asyncio.open_connection(*address, ssl=trusting())
    found = writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return str(found)


@asynccontextmanager
async def accepting(context: ssl.SSLContext) -> AsyncIterator[tuple[Address, list[bytes]]]:
    """A server of TLS; what it was sent."""
    heard: list[bytes] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname(), heard
    finally:
        server.close()


async def test_messages_go_both_ways(secure: Secure) -> None:
    local = await secure.endpoint.listen(Transport.TLS, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*local, ssl=trusting())
    writer.write(options(1))
    await until(lambda: len(secure.agent.messages) == 1)
    flow = secure.agent.messages[0][1]
    assert flow == Flow(Transport.TLS, local, writer.get_extra_info("sockname"), flow.connection)
    secure.agent.send(flow, b"SIP/2.0 200 OK\r\n\r\n")
    secure.endpoint.pump()
    async with asyncio.timeout(PATIENCE):
        assert await reader.readuntil(b"\r\n\r\n") == b"SIP/2.0 200 OK\r\n\r\n"
    assert (secure.endpoint.connections, secure.endpoint.sockets) == (1, 1)
    writer.close()
    await until(lambda: secure.agent.failed == [flow])
    with pytest.raises(OSError, match="address already in use"):
        await secure.endpoint.listen(Transport.TLS, *local)


async def test_secure_websockets(secure: Secure) -> None:
    local = await secure.endpoint.listen(Transport.WSS, "127.0.0.1", 0)
    url = f"wss://127.0.0.1:{local[1]}"
    async with connect(url, subprotocols=[Subprotocol("sip")], ssl=trusting(), compression=None) as socket:
        await socket.send(options(1))
        await until(lambda: len(secure.agent.received) == 1)
        assert secure.agent.received[0][1].transport is Transport.WSS


@pytest.mark.parametrize("transport", [Transport.TLS, Transport.WSS])
async def test_nothing_is_served_without_a_certificate(transport: Transport) -> None:
    endpoint = SipEndpoint(cast(UserAgent, ScriptedAgent()), now=lambda: 0.0, on_events=lambda _: None)
    with pytest.raises(OSError, match="TLS needs a certificate"):
        await endpoint.listen(transport, "127.0.0.1", 0)
    await endpoint.close()


async def test_a_certificate_that_changes_is_taken_without_a_restart(
    secure: Secure, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tls, "LOOK_EVERY", 0.02)
    caplog.set_level("INFO", "kobza.net.tls")
    local = await secure.endpoint.listen(Transport.TLS, "127.0.0.1", 0)
    _, standing = await asyncio.open_connection(*local, ssl=trusting())
    first = await serial_of(local)
    watching = asyncio.create_task(secure.certificate.watch())
    chain, key = secure.folder / "certificate.pem", secure.folder / "key.pem"
    second = issued()
    chain.write_bytes(second.cert_chain_pems[0].bytes())
    await until(lambda: "stays in use" in caplog.text)
    assert await serial_of(local) == first, "half of a pair harms nothing"
    assert caplog.text.count("stays in use") == 1
    key.write_bytes(second.private_key_pem.bytes())
    await until(lambda: "was taken anew" in caplog.text)
    assert await serial_of(local) != first
    standing.write(options(1))
    await until(lambda: len(secure.agent.messages) == 1)
    chain.unlink()
    await until(lambda: caplog.text.count("stays in use") == 2)
    watching.cancel()
    standing.close()


async def test_who_does_not_finish_the_handshake_is_cut_off(secure: Secure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "INCOMPLETE_CLOSE", 0.1)
    local = await secure.endpoint.listen(Transport.TLS, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*local)
    writer.write(b"\x16\x03\x01")
    async with asyncio.timeout(PATIENCE):
        assert await reader.read() == b""
    writer.close()
    assert secure.endpoint.connections == 0


NAMED = "sip.example.net"


@pytest.mark.parametrize(
    ("certificate", "name", "believed"),
    [
        (lambda: issued(NAMED), NAMED, True),
        (lambda: issued("127.0.0.1"), "", True),
        (lambda: issued(NAMED), "", False),
        (lambda: issued("127.0.0.1"), NAMED, False),
        (lambda: issued(NAMED, by=stranger()), NAMED, False),
        (lambda: issued(NAMED, since=-2 * DAY, until=-timedelta(hours=1)), NAMED, False),
    ],
    ids=["by name", "by address", "another name", "another address", "a stranger's", "too old"],
)
async def test_nothing_is_told_to_whom_the_certificate_is_not_for(
    secure: Secure, certificate: Callable[[], trustme.LeafCert], name: str, believed: bool
) -> None:
    async with accepting(serving(certificate())) as (remote, heard):
        flow = secure.endpoint.flow_to(remote, Transport.TLS, name)
        secure.agent.send(flow, b"secret")
        secure.endpoint.pump()
        await until(lambda: bool(heard) or bool(secure.agent.failed))
        assert heard == ([b"secret"] if believed else [])
        await until(lambda: flow in secure.agent.failed)  # it closes, or was never opened


async def test_names_that_are_expected_are_bounded(secure: Secure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MAX_EXPECTED", 1)
    async with accepting(serving(issued(NAMED))) as (remote, heard):
        secure.endpoint.flow_to(("192.0.2.1", 5061), Transport.TLS, "other.example.net")
        secure.agent.send(secure.endpoint.flow_to(remote, Transport.TLS, NAMED), b"hello")
        secure.endpoint.pump()
        await until(lambda: heard == [b"hello"])


def test_files_that_are_no_certificate_are_named(tmp_path: Path) -> None:
    chain, key = files(tmp_path)
    with pytest.raises(CertificateError, match=r"absent\.pem"):
        Certificate(CertificateFiles(tmp_path / "absent.pem", key))
    chain.write_text("no certificate")
    with pytest.raises(CertificateError, match=r"certificate\.pem"):
        Certificate(CertificateFiles(chain, key))
    with pytest.raises(CertificateError, match=r"the authority .*certificate\.pem"):
        client_context([chain])


def wanting(certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
    """Return a server's TLS that takes nobody without a certificate of our authority."""
    context = serving(certificate)
    authority().configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def showing(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return a client's TLS that shows a certificate when it is asked for one."""
    context = trusting()
    certificate.configure_cert(context)
    return context


async def test_who_asks_is_shown_our_certificate_and_its_renewal(secure: Secure) -> None:
    chain, key = files(secure.folder)
    own = Certificate(CertificateFiles(chain, key))
    client = client_context([authority_file(secure.folder)])
    agent = ScriptedAgent()
    endpoint = SipEndpoint(cast(UserAgent, agent), now=lambda: 0.0, on_events=lambda _: None, tls=Tls(client=client))
    serials: list[str] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serials.append(str(writer.get_extra_info("peercert")["serialNumber"]))
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=wanting())
    flow = endpoint.flow_to(server.sockets[0].getsockname(), Transport.TLS)
    agent.send(flow, b"hello")
    endpoint.pump()
    await until(lambda: flow in agent.failed)
    assert serials == []  # we have none to show
    own.show_in(client)
    for taken in (1, 2):
        agent.failed.clear()
        agent.send(flow, b"hello")
        endpoint.pump()
        await until(lambda: len(serials) == taken and flow in agent.failed)  # noqa: B023 - called at once
        files(secure.folder)
        assert own.look()
    assert len(set(serials)) == 2
    server.close()
    await endpoint.close()


@pytest.mark.parametrize(
    ("certificate", "proven"),
    [
        (lambda: issued("SBC.carrier.example", "192.0.2.1"), {"sbc.carrier.example"}),
        (lambda: issued("*.carrier.example"), set()),
        (None, set()),
    ],
    ids=["a name", "a wildcard", "none"],
)
async def test_who_connects_may_show_who_he_is(
    secure: Secure, certificate: Callable[[], trustme.LeafCert] | None, proven: set[str]
) -> None:
    secure.certificate.ask(wanted=True)
    local = await secure.endpoint.listen(Transport.TLS, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*local, ssl=trusting() if certificate is None else showing(certificate()))
    writer.write(options(1))
    await until(lambda: len(secure.agent.messages) == 1)
    flow = secure.agent.messages[0][1]
    assert secure.endpoint.certified_names(flow) == proven
    assert secure.endpoint.certified_names(flow._replace(connection=99)) == frozenset()
    assert secure.endpoint.certified_names(flow._replace(transport=Transport.TCP)) == frozenset()
    writer.close()


async def test_a_certificate_that_nobody_vouches_for_ends_the_handshake_where_one_is_asked_for(secure: Secure) -> None:
    local = await secure.endpoint.listen(Transport.TLS, "127.0.0.1", 0)
    web = await secure.endpoint.listen(Transport.WSS, "127.0.0.1", 0)
    factory = showing(issued("phone.example", by=stranger()))

    async def heard(address: Address) -> bool:
        """Tell whether an answer comes: every request is answered, and a page that is none too."""
        secure.agent.messages.clear()
        try:
            reader, writer = await asyncio.open_connection(*address, ssl=factory)
            writer.write(options(1) + b"\r\n\r\n" if address == local else b"GET / HTTP/1.1\r\n\r\n")
            async with asyncio.timeout(PATIENCE):
                answered = bool(await reader.read(1))  # of SIP the pong (RFC 5626)
            writer.close()
        except OSError:
            return False
        return answered

    assert await heard(local)  # while nobody asks
    secure.certificate.ask(wanted=True)
    assert not await heard(local)
    assert await heard(web)  # a browser is never asked
    secure.certificate.ask(wanted=False)
    assert await heard(local)


def test_names_of_a_certificate() -> None:
    names = (
        ("DNS", "Carrier.example"),
        ("DNS", "*.wild.example"),
        ("URI", "sip:Voice.example"),
        ("URI", "sip:anna@person.example"),
        ("URI", "https://web.example"),
        ("URI", "sip:"),
        ("IP Address", "192.0.2.1"),
    )
    assert certified_names({"subjectAltName": names}) == {"carrier.example", "voice.example"}
    assert certified_names({"subject": ((("commonName", "carrier.example"),),)}) == frozenset()
    assert certified_names({}) == certified_names(None) == frozenset()


@given(st.lists(st.tuples(st.sampled_from(["DNS", "URI", "email"]), st.text() | st.text().map("sip:".__add__))))
def test_no_name_is_found_that_is_none(names: list[tuple[str, str]]) -> None:
    found = certified_names({"subjectAltName": tuple(names)})
    assert all(name and "*" not in name and name == name.lower() for name in found)
