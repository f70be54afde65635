"""Who is at the other end of sockets: of TCP by /proc, of unix sockets by sock_diag(7), as `ss` asks for it."""

import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final

_SOCK_DIAG: Final = 4
"""NETLINK_SOCK_DIAG, of linux/netlink.h."""
_BY_FAMILY: Final = 20
"""SOCK_DIAG_BY_FAMILY, of linux/sock_diag.h."""
_DUMP: Final = 0x301
"""NLM_F_REQUEST | NLM_F_DUMP."""
_ERROR, _DONE = 2, 3
_ALL_STATES: Final = 0xFFFF_FFFF
_NAME, _PEER = 0, 2
"""UNIX_DIAG_NAME and UNIX_DIAG_PEER, of linux/unix_diag.h; what is shown is asked for by their bits."""
_SHOW: Final = 1 << 0 | 1 << 2
_HEADER: Final = struct.Struct("=IHHII")
_REQUEST: Final = struct.Struct("=BBHIIIII")
_SOCKET: Final = struct.Struct("=BBBBIII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_BUFFER: Final = 1 << 16

Peer = tuple[str, int]
"""An address and a port; of a unix socket its path and 0."""


def peers(pid: int) -> dict[str, Peer]:
    """Return the peers of the connections in a process's network, by the inode of the socket.

    Those of unix sockets are of this process's network.
    """
    found: dict[str, Peer] = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            found[columns[9]] = _tcp_peer(columns[2])
    return found | {inode: (path, 0) for inode, path in _unix_peers()}


def _tcp_peer(text: str) -> Peer:
    """Read what stands in /proc/net/tcp: each four bytes of the address as a number of this machine, in hex."""
    address, _, port = text.partition(":")
    words = struct.unpack(f">{len(address) // 8}I", bytes.fromhex(address))
    host = ip_address(struct.pack(f"={len(words)}I", *words))
    if isinstance(host, IPv6Address) and host.ipv4_mapped is not None:
        host = host.ipv4_mapped
    return str(host), int(port, 16)


def _unix_peers() -> Iterator[tuple[str, str]]:
    """Give the inode of each connected unix socket whose peer has a name, with that name."""
    names: dict[int, str] = {}
    other_ends: dict[int, int] = {}
    for inode, attributes in _unix_sockets():
        if _NAME in attributes:
            names[inode] = attributes[_NAME].rstrip(b"\0").decode(errors="replace")
        if _PEER in attributes:
            (other_ends[inode],) = struct.unpack("=I", attributes[_PEER])
    for inode, other in other_ends.items():
        if other in names:
            yield str(inode), names[other]


def _unix_sockets() -> Iterator[tuple[int, dict[int, bytes]]]:
    """Give the inode of each unix socket, and what the kernel says of it. Raises OSError."""
    asked = _REQUEST.pack(socket.AF_UNIX, 0, 0, _ALL_STATES, 0, _SHOW, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        kernel.send(_HEADER.pack(_HEADER.size + len(asked), _BY_FAMILY, _DUMP, 1, 0) + asked)
        while True:
            data = kernel.recv(_BUFFER)
            while data:
                length, kind, *_ = _HEADER.unpack_from(data)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    raise OSError("the kernel does not tell of unix sockets (CONFIG_UNIX_DIAG)")
                body = data[_HEADER.size : length]
                yield _SOCKET.unpack_from(body)[4], dict(_attributes(body[_SOCKET.size :]))
                data = data[_aligned(length) :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]


def _aligned(length: int) -> int:
    return -(-length // 4) * 4
