"""The socket toward a browser, by itself: whom it believes, and what a stranger can do."""

import asyncio
import logging
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, suppress

import pytest
from pylibsrtp import Error as SrtpError

from kobza.media.browsers import Browsers
from kobza.media.dtls import DATAGRAM, Certificate, Handshake, HandshakeFailed, datagrams
from kobza.media.messages import Secure
from kobza.media.secure_socket import BEHIND, NotForTheRelay, SecureSocket
from kobza.rtp.packet import RtpPacket
from kobza.rtp.stun import FAILURE, REQUEST, SUCCESS, StunAttribute, StunMessage, write
from tests.media.phone_end import HOST, REPORT
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

OURS, PASSWORD, THEIRS = "ours", "a password of ours", "theirs"
CERTIFICATE = Certificate()
PACKET = RtpPacket(8, 1, 160, 7, b"\xd5" * 160).to_bytes()


def rtp(sequence: int) -> bytes:
    return RtpPacket(8, sequence, 160 * sequence, 7, b"\xd5" * 160).to_bytes()


class Browser:
    """What a browser does, one step at a time."""

    def __init__(self, to: int, *, client: bool = True, expected: str = CERTIFICATE.fingerprint) -> None:
        self.certificate = Certificate()
        self.client = client
        self.handshake = Handshake(self.certificate, (expected,), client=client)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE)
        self.socket.bind((HOST, 0))
        self.socket.connect((HOST, to))

    def secure(self, fingerprint: str | None = None) -> Secure:
        """How it is described to the relay."""
        return Secure(OURS, PASSWORD, THEIRS, (fingerprint or self.certificate.fingerprint,), client=not self.client)

    def check(self, password: str = PASSWORD, *, nominate: bool = True) -> None:
        attributes = [(int(StunAttribute.USERNAME), f"{OURS}:{THEIRS}".encode())]
        attributes += [(int(StunAttribute.USE_CANDIDATE), b"")] * nominate
        self.socket.send(write(REQUEST, secrets.token_bytes(12), attributes, password))

    def next(self) -> bytes:
        return self.socket.recv(4096)

    def step(self, data: bytes = b"") -> None:
        """Take a datagram of the handshake; send what follows."""
        for datagram in self.handshake.receive(data):
            self.socket.send(datagram)

    def send(self, packet: bytes) -> bytes:
        """Send a packet protected; return it as it went."""
        assert self.handshake.keys is not None
        outgoing = self.handshake.keys[1]
        protected = outgoing.protect_rtcp(packet) if packet[1] == 0xC9 else outgoing.protect(packet)
        self.socket.send(protected)
        return protected

    def hear(self) -> bytes:
        assert self.handshake.keys is not None
        return self.handshake.keys[0].unprotect(self.next())


class Line:
    """A secure socket in this loop, and what came out of it."""

    def __init__(self, stack: ExitStack) -> None:
        self.port = free_port()
        self.socket = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
        self.socket.bind((HOST, self.port))
        self.secure = SecureSocket(asyncio.get_running_loop(), self.socket, CERTIFICATE, "call-1")
        self.packets: list[bytes] = []
        self.dropped = 0
        asyncio.get_running_loop().add_reader(self.socket, self._read)
        stack.callback(asyncio.get_running_loop().remove_reader, self.socket)
        stack.callback(self.secure.close)
        self._stack = stack

    def _read(self) -> None:
        with suppress(OSError):
            data, source = self.secure.recvfrom(4096)
            assert source == BEHIND
            self.packets.append(data)

    def browser(self, *, client: bool = True, expected: str = CERTIFICATE.fingerprint) -> Browser:
        made = Browser(self.port, client=client, expected=expected)
        self._stack.enter_context(made.socket)
        return made

    async def take(self, browser: Browser) -> bytes:
        """Let the line work until the browser has a datagram; return it."""
        return await asyncio.to_thread(browser.next)

    async def connect(self, browser: Browser) -> None:
        """Do all that comes before the first packet."""
        self.secure.configure(browser.secure())
        browser.check()
        assert StunMessage.parse(await self.take(browser)).kind == SUCCESS
        if browser.client:
            browser.step()
        while browser.handshake.keys is None:
            browser.step(await self.take(browser))
        if not browser.client:
            await self.until(lambda: self.secure._handshake is not None and self.secure._handshake.keys is not None)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - a line tells nobody of what it drops
                await asyncio.sleep(0.002)

    async def until_dropped(self, count: int) -> None:
        def enough() -> bool:
            self.dropped += self.secure.dropped()
            return self.dropped >= count

        await self.until(enough)
        assert self.dropped == count


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    with ExitStack() as stack:
        yield Line(stack)


@pytest.mark.parametrize("client", [True, False], ids=["browser begins", "we begin"])
async def test_packets_and_reports_pass_both_ways(line: Line, client: bool) -> None:
    browser = line.browser(client=client)
    await line.connect(browser)
    browser.send(PACKET)
    browser.send(REPORT)
    await line.until(lambda: line.packets == [PACKET, REPORT])
    line.secure.sendto(PACKET, BEHIND)
    line.secure.sendto(REPORT, BEHIND)
    assert browser.hear() == PACKET
    assert browser.handshake.keys is not None
    assert browser.handshake.keys[0].unprotect_rtcp(browser.next()) == REPORT
    assert line.secure.dropped() == 0


async def test_a_packet_that_comes_again_counts_once(line: Line) -> None:
    browser = line.browser()
    await line.connect(browser)
    again = browser.send(PACKET)
    browser.socket.send(again)
    browser.socket.send(again[:-1] + bytes([again[-1] ^ 1]))
    await line.until_dropped(2)
    assert line.packets == [PACKET]


async def test_a_packet_that_we_send_again_does_not_go_out(line: Line) -> None:
    browser = line.browser()
    await line.connect(browser)
    line.secure.sendto(rtp(1), BEHIND)
    with pytest.raises(NotForTheRelay):
        line.secure.sendto(rtp(1), BEHIND)
    with pytest.raises(NotForTheRelay):
        line.secure.sendto(rtp(2) + bytes(1500), BEHIND)
    line.secure.sendto(rtp(3), BEHIND)
    assert [browser.hear(), browser.hear()] == [rtp(1), rtp(3)]


async def test_another_certificate_than_the_description_named_gets_no_media(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    browser = line.browser()
    line.secure.configure(browser.secure(Certificate().fingerprint))
    browser.check()
    await line.take(browser)
    browser.step()
    browser.step(await line.take(browser))
    with caplog.at_level(logging.WARNING):
        await line.until(lambda: line.secure._failed)
    (told,) = caplog.records
    assert "has not the fingerprint that its description named" in told.getMessage()
    assert told.call_id == "call-1"  # type: ignore[attr-defined]
    with pytest.raises(NotForTheRelay):
        line.secure.sendto(PACKET, BEHIND)
    # Nothing is tried again until the description names another one; then it works.
    browser.socket.send(b"\x16\xfe\xff" + bytes(40))
    browser.socket.send(rtp(1))
    await line.until_dropped(1)
    right = line.browser()
    await line.connect(right)
    right.send(PACKET)
    await line.until(lambda: line.packets == [PACKET])


async def test_a_browser_refuses_another_certificate_than_ours(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    browser = line.browser(expected=Certificate().fingerprint)
    with pytest.raises(HandshakeFailed, match="has not the fingerprint"):
        await line.connect(browser)


async def test_a_stranger_without_the_password_changes_nothing(line: Line) -> None:
    browser, stranger = line.browser(), line.browser()
    await line.connect(browser)
    stranger.check("a guess")
    assert StunMessage.parse(await line.take(stranger)).kind == FAILURE
    stranger.step()  # a handshake from where no check came
    await line.until_dropped(1)
    stranger.socket.send(PACKET)  # plain RTP, as if it were the old days
    stranger.socket.send(REPORT)
    stranger.socket.send(b"\x40 of no protocol")
    stranger.socket.send(b"")
    stranger.socket.send(b"\x80")
    await line.until_dropped(5)
    line.secure.sendto(rtp(1), BEHIND)
    assert browser.hear() == rtp(1)
    browser.send(PACKET)
    await line.until(lambda: line.packets == [PACKET])


async def test_a_browser_that_moves_keeps_its_keys(line: Line) -> None:
    browser, elsewhere = line.browser(), line.browser()
    await line.connect(browser)
    elsewhere.handshake = browser.handshake
    elsewhere.check(nominate=False)
    await line.take(elsewhere)
    line.secure.sendto(rtp(1), BEHIND)
    assert browser.hear() == rtp(1)
    # A restart of ICE: other names, the same certificate.
    line.secure.configure(Secure(OURS, "another password", THEIRS, (browser.certificate.fingerprint,)))
    line.secure.sendto(rtp(2), BEHIND)
    assert browser.hear() == rtp(2)
    elsewhere.check("another password")
    await line.take(elsewhere)
    line.secure.sendto(rtp(3), BEHIND)
    assert elsewhere.hear() == rtp(3)
    elsewhere.send(PACKET)
    await line.until(lambda: line.packets == [PACKET])


@pytest.mark.parametrize("client", [True, False], ids=["browser begins", "we begin"])
async def test_what_is_lost_of_the_handshake_is_sent_again(line: Line, client: bool) -> None:
    browser = line.browser(client=client)
    line.secure.configure(browser.secure())
    browser.check()
    assert StunMessage.parse(await line.take(browser)).kind == SUCCESS
    if client:
        browser.step()
    lost = await line.take(browser)
    again = await line.take(browser)  # after a second, without a word of the browser
    assert again[:2] == lost[:2] == b"\x16\xfe"
    while browser.handshake.keys is None:
        browser.step(again)
        if browser.handshake.keys is None:
            again = await line.take(browser)
    browser.send(PACKET)
    await line.until(lambda: line.packets == [PACKET])


async def test_before_there_are_keys_nothing_passes(line: Line) -> None:
    browser = line.browser()
    browser.socket.send(PACKET)
    await line.until_dropped(1)
    with pytest.raises(NotForTheRelay):
        line.secure.sendto(PACKET, BEHIND)
    browser.check()  # nobody knows it yet
    assert StunMessage.parse(await line.take(browser)).kind == FAILURE


def shake_hands(browser: Handshake, relay: Handshake) -> None:
    """Carry a handshake to its end without a network."""
    flight = browser.receive(b"")
    while flight:
        flight = [answer for datagram in flight for answer in relay.receive(datagram)]
        flight = [answer for datagram in flight for answer in browser.receive(datagram)]


def test_without_a_profile_in_common_there_are_no_keys() -> None:
    ours, theirs = Certificate(), Certificate()
    theirs.context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_32")
    relay = Handshake(ours, (theirs.fingerprint,), client=False)
    with pytest.raises(HandshakeFailed, match=r"no protection profile of SRTP in common"):
        shake_hands(Handshake(theirs, (ours.fingerprint,), client=True), relay)


def test_what_openssl_says_is_passed_on() -> None:
    ours, theirs = Certificate(), Certificate()
    theirs.context.set_cipher_list(b"ECDHE-ECDSA-AES128-SHA")
    relay = Handshake(ours, (theirs.fingerprint,), client=False)
    with pytest.raises(HandshakeFailed, match=r"^DTLS failed: no shared cipher$"):
        shake_hands(Handshake(theirs, (ours.fingerprint,), client=True), relay)


def test_the_keys_of_the_two_directions_differ() -> None:
    one, other = Certificate(), Certificate()
    browser = Handshake(one, (other.fingerprint,), client=True)
    relay = Handshake(other, (one.fingerprint,), client=False)
    shake_hands(browser, relay)
    assert browser.keys is not None
    assert relay.keys is not None
    protected = browser.keys[1].protect(PACKET)
    with pytest.raises(SrtpError):
        browser.keys[0].unprotect(protected)
    assert relay.keys[0].unprotect(protected) == PACKET


def test_records_are_cut_into_datagrams_of_whole_ones() -> None:
    def record(length: int) -> bytes:
        return b"\x16\xfe\xfd" + bytes(8) + length.to_bytes(2, "big") + bytes(length)

    small, large = record(400), record(DATAGRAM - 13)
    assert list(datagrams(b"")) == []
    assert list(datagrams(small * 2 + large + small)) == [small * 2, large, small]
    assert list(datagrams(small * 3)) == [small * 2, small]


def test_without_the_libraries_it_is_said_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kobza.media.dtls", None)
    browsers = Browsers()
    assert browsers.certified.fingerprint == ""
    assert browsers.certified.reason.startswith("the libraries of DTLS-SRTP cannot be loaded: ")
    loop = asyncio.new_event_loop()
    assert browsers.sockets(loop, "call-1") is None
    loop.close()
