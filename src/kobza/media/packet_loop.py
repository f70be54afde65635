"""Who waits for the packets of phones: the event loop, or the compiled loop where it was built."""

import importlib.util
import socket
from asyncio import AbstractEventLoop
from typing import Literal, Protocol

from kobza.media.readers import Readers
from kobza.media.rtp_port import PortOwner, PythonRtpPort, RtpPort

PacketLoopName = Literal["auto", "python", "compiled"]
"""`auto`: the compiled one where it was built."""


class PacketLoop(Protocol):
    """Opens RTP ports and lets packets come to them."""

    name: Literal["python", "compiled"]
    readers: Readers
    """What waits for the sockets of RTCP."""

    def open(self, sock: socket.SocketType, kind: int, owner: PortOwner) -> RtpPort:
        """Take over a bound socket; see RtpPort for the rest."""
        ...

    def pause(self, port: RtpPort) -> None:
        """Let no more packets come."""
        ...

    def resume(self, port: RtpPort) -> None:
        """Let packets come again to a port that is paused."""
        ...

    def close(self, port: RtpPort) -> None:
        """Let no more packets come, and close the socket."""
        ...


class PythonLoop(PacketLoop):
    """Reads all sockets in Python."""

    name = "python"

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.readers = Readers(loop, let_gather=True)

    def open(self, sock: socket.SocketType, kind: int, owner: PortOwner) -> RtpPort:
        """See PacketLoop."""
        port = PythonRtpPort(sock, kind, owner)
        self.readers.add(port)
        return port

    def pause(self, port: RtpPort) -> None:
        """See PacketLoop."""
        self.readers.remove(port)

    def resume(self, port: RtpPort) -> None:
        """See PacketLoop."""
        self.readers.add(port)

    def close(self, port: RtpPort) -> None:
        """See PacketLoop."""
        self.readers.close(port)


def is_compiled() -> bool:
    """Tell whether the compiled loop was built for this Python, and may be used."""
    return importlib.util.find_spec("kobza.media._packets") is not None


def packet_loop(loop: AbstractEventLoop, name: PacketLoopName) -> PacketLoop:
    """Return what is asked for; raise ImportError for a compiled one that was not built."""
    if name == "python" or (name == "auto" and not is_compiled()):
        return PythonLoop(loop)
    from kobza.media.compiled_loop import CompiledLoop

    return CompiledLoop(loop)
