"""A desk phone as far as its lamps go: it subscribes over a UDP socket, and answers each NOTIFY with 200."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self
from xml.etree import ElementTree

from kobza.sip.digest import authorize
from kobza.sip.flow import Address
from kobza.sip.message import SipRequest, SipResponse, parse_message
from kobza.sip.responses import response_to
from tests.interop.sipp import Line
from tests.support.waiting import PATIENCE

Headers = Sequence[tuple[str, str]]
SPACE = {"d": "urn:ietf:params:xml:ns:dialog-info"}


class Lamp:
    """One subscription of the phone, and what it was told."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.call_id = secrets.token_hex(8)
        self.tag = secrets.token_hex(4)
        self.remote_tag: str | None = None
        self.target = ""
        self.cseq = 0
        self.notifies: list[SipRequest] = []
        self.dialogs: dict[str, ElementTree.Element] = {}
        """What the documents add up to, by id."""
        self.shown: list[str] = []
        """The state of the first dialog whenever it was another one than before; "dark" without any."""

    def take(self, notify: SipRequest) -> None:
        """Read a NOTIFY."""
        self.notifies.append(notify)
        if notify.content_type != "application/dialog-info+xml":
            return
        root = ElementTree.fromstring(notify.body)
        if root.attrib["state"] == "full":
            self.dialogs.clear()
        for dialog in root.findall("d:dialog", SPACE):
            self.dialogs[dialog.attrib["id"]] = dialog
            if dialog.findtext("d:state", None, SPACE) == "terminated":
                del self.dialogs[dialog.attrib["id"]]
        state = next((str(each.findtext("d:state", None, SPACE)) for each in self.dialogs.values()), "dark")
        if self.shown[-1:] != [state]:
            self.shown.append(state)

    def remote(self) -> tuple[str | None, str | None]:
        """Name and URI of who is on the other side of its only dialog."""
        (dialog,) = self.dialogs.values()
        identity = dialog.find("d:remote/d:identity", SPACE)
        assert identity is not None
        return identity.attrib.get("display"), identity.text


class LampPhone(asyncio.DatagramProtocol):
    """A phone of a line. Use it as an asynchronous context manager."""

    def __init__(self, server: Address, line: Line) -> None:
        self._server = server
        self._line = line
        self._lamps: dict[str, Lamp] = {}
        self._answers: asyncio.Queue[SipResponse] = asyncio.Queue()
        self._news = asyncio.Event()
        self.answers_notify = 200

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=self._server)
        self._local: Address = self._transport.get_extra_info("sockname")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()

    async def watch(
        self, user: str, *, event: str = "dialog", seconds: int = 300, headers: Headers = ()
    ) -> tuple[Lamp, SipResponse]:
        """Subscribe; returns the final response."""
        lamp = Lamp(user)
        self._lamps[lamp.call_id] = lamp
        answer = await self.again(lamp, event=event, seconds=seconds, headers=headers)
        if answer.status == 200:
            lamp.remote_tag = answer.to.tag
            lamp.target = str(answer.contacts[0].uri)
        return lamp, answer

    async def again(
        self, lamp: Lamp, *, event: str = "dialog", seconds: int = 300, headers: Headers = ()
    ) -> SipResponse:
        """Subscribe anew in the same dialog, or end the subscription; returns the final response."""
        answer = await self._ask(lamp, event, seconds, headers)
        if answer.status != 401:
            return answer
        credentials = authorize(
            answer.get_all("www-authenticate"),
            method="SUBSCRIBE",
            uri=self._uri(lamp),
            username=self._line.number,
            password=self._line.password,
            cnonce="c",
        )
        return await self._ask(lamp, event, seconds, (*headers, ("Authorization", credentials)))

    async def until(self, seen: Callable[[], bool]) -> None:
        """Wait until a NOTIFY makes something true."""
        async with asyncio.timeout(PATIENCE):
            while not seen():
                self._news.clear()
                await self._news.wait()

    def datagram_received(self, data: bytes, _address: Address) -> None:
        message = parse_message(data)
        if isinstance(message, SipResponse):
            self._answers.put_nowait(message)
            return
        assert message.method == "NOTIFY"
        self._transport.sendto(response_to(message, self.answers_notify).to_bytes())
        lamp = self._lamps[message.call_id]
        if message.cseq.number > (lamp.notifies[-1].cseq.number if lamp.notifies else 0):
            lamp.take(message)
            self._news.set()

    def _uri(self, lamp: Lamp) -> str:
        return lamp.target or f"sip:{lamp.user}@{self._server[0]}:{self._server[1]}"

    async def _ask(self, lamp: Lamp, event: str, seconds: int, headers: Headers) -> SipResponse:
        lamp.cseq += 1
        host, port = self._local
        own = f"<sip:{self._line.number}@{self._server[0]}>"
        tag = "" if lamp.remote_tag is None else f";tag={lamp.remote_tag}"
        request = SipRequest.create(
            "SUBSCRIBE",
            self._uri(lamp),
            [
                ("Via", f"SIP/2.0/UDP {host}:{port};branch=z9hG4bK{secrets.token_hex(8)};rport"),
                ("Max-Forwards", "70"),
                ("From", f"{own};tag={lamp.tag}"),
                ("To", f"<sip:{lamp.user}@{self._server[0]}>{tag}"),
                ("Call-ID", lamp.call_id),
                ("CSeq", f"{lamp.cseq} SUBSCRIBE"),
                ("Contact", f"<sip:{self._line.number}@{host}:{port}>"),
                ("Event", event),
                ("Expires", str(seconds)),
                *headers,
            ],
        )
        self._transport.sendto(request.to_bytes())
        async with asyncio.timeout(PATIENCE):
            return await self._answers.get()
