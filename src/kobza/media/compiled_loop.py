"""RTP ports whose plain common case is compiled (`_packets.c`, docs/adr/0051-cost-of-media.md)."""

import socket
from asyncio import AbstractEventLoop

from kobza.media import _packets
from kobza.media.packet_loop import PacketLoop
from kobza.media.readers import Readers
from kobza.media.rtp_port import PortOwner, Receive, RtpPort, Send
from kobza.media.voice_codecs import NO_CODECS


class CompiledRtpPort(RtpPort, _packets.Port):
    """A port whose state is the compiled loop's; what is not plain comes to `arrived` all the same."""

    __slots__ = ("numbers", "owner", "receive", "send", "sock")

    def __init__(self, sock: socket.SocketType, kind: int, owner: PortOwner) -> None:
        _packets.Port.__init__(self, sock.fileno(), kind)
        self.sock = sock
        self.owner = owner
        self.bare()
        self.codecs = NO_CODECS
        self.numbers = []

    def bare(self) -> None:
        """See RtpPort."""
        super().bare()
        self.plain = True

    def protect(self, receive: Receive | None, send: Send) -> None:
        """See RtpPort."""
        self.plain = False
        super().protect(receive, send)


class CompiledLoop(PacketLoop):
    """Waits for all RTP ports at once; the event loop waits for it."""

    name = "compiled"

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self.readers = Readers(loop)
        self._ports = _packets.Loop(self._failed)
        loop.add_reader(self._ports.fileno(), self._ports.run)

    def open(self, sock: socket.SocketType, kind: int, owner: PortOwner) -> RtpPort:
        """See PacketLoop."""
        port = CompiledRtpPort(sock, kind, owner)
        self._ports.add(port)
        return port

    def pause(self, port: RtpPort) -> None:
        """See PacketLoop."""
        self._ports.remove(_compiled(port))

    def resume(self, port: RtpPort) -> None:
        """See PacketLoop."""
        self._ports.add(_compiled(port))

    def close(self, port: RtpPort) -> None:
        """See PacketLoop."""
        self.pause(port)
        _compiled(port).forget_socket()
        port.sock.close()

    def _failed(self, error: BaseException) -> None:
        """Tell of what a port raised in Python, as the event loop tells of its own callbacks."""
        self._loop.call_exception_handler({"message": "a packet could not be taken", "exception": error})


def _compiled(port: RtpPort) -> CompiledRtpPort:
    """Return a port as the one that this loop has opened."""
    if not isinstance(port, CompiledRtpPort):
        raise TypeError("a port of another loop")
    return port
