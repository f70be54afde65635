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
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from kobza.net import tcp, tls
from kobza.net.endpoint import SipEndpoint
from kobza.net.tls import Certificate, CertificateError, CertificateFiles, Tls, client_context
from kobza.sip.flow import Address, Flow, Transport
from kobza.sip.ua import UserAgent
from tests.net.agent import ScriptedAgent
from tests.net.conftest import options
from tests.support.authority import DAY, authority_file, files, issued, serving, stranger, trusting
from tests.support.waiting import PATIENCE, until


class Secure:
    """An endpoint with a certificate in files, and its scripted agent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate = Certificate(CertificateFiles(*files(folder)))
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
    with pytest.raises(OSError, match="already listens on TLS"):
        await secure.endpoint.listen(Transport.TLS, "127.0.0.1", 0)


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
