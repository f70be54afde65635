"""The end of the control socket that commands have."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from kobza.app.control import messages as said
from kobza.app.control.place import reachable
from kobza.call.errors import Fault, KobzaError

PATIENCE: Final = 10.0
"""Seconds for which a server that does not answer is waited for."""


class NoServer(KobzaError):
    """No server runs with the data directory, or it does not answer."""

    code = "no_server"
    http_status = 503
    sip_status = 503
    fault = Fault.CALLER


class ServerRefused(KobzaError):
    """The server will not."""

    code = "refused"
    http_status = 409
    sip_status = 403
    fault = Fault.CALLER


def ask(data: Path, question: said.Question, *, longest: float = 0.0) -> Iterator[said.Answer]:
    """Ask the server of a data directory; give its answers up to `Done`. Nobody waits for more than `longest` seconds
    beyond some patience between two.

    Raises NoServer, ServerRefused.
    """
    path = data / said.SOCKET_NAME
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(PATIENCE + longest)
            with reachable(path) as address:
                line.connect(address)
            line.sendall(said.framed(question))
            with line.makefile("rb") as stream:
                while True:
                    (length,) = said.HEAD.unpack(stream.read(said.HEAD.size) or _cut())
                    answer = said.answer_in(stream.read(length))
                    if isinstance(answer, said.Refused):
                        raise ServerRefused(answer.why)
                    yield answer
                    if isinstance(answer, said.Done):
                        return
    except PermissionError:
        raise NoServer(f"{path} is for the user that runs the server: use sudo -u with that one") from None
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        raise NoServer(f"no server runs with the data directory {data}; --data names another one") from None
    except (OSError, msgspec.DecodeError, said.HEAD_ERROR) as error:
        raise NoServer(f"the server of {data} does not answer as it should: {error}") from None


def _cut() -> bytes:
    raise ConnectionResetError("it closed the connection")
