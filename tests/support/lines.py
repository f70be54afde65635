"""Lines to the outside that answer questions, for tests that place no call."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kobza.sip.message import SipRequest, parse_message
from kobza.sip.responses import response_to


@contextmanager
def outside_line(transport: str, *statuses: int, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A line that answers each question with the next of some statuses, and after them with nothing."""
    kind = socket.SOCK_DGRAM if transport == "UDP" else socket.SOCK_STREAM
    answers = iter(statuses)

    def answer(data: bytes) -> bytes:
        question = parse_message(data)
        assert isinstance(question, SipRequest)
        assert question.method == "OPTIONS"
        assert question.via.transport == transport
        status = next(answers, None)
        return b"" if status is None else response_to(question, status, to_tag="line").to_bytes()

    def serve() -> None:
        try:
            if transport != "UDP":
                accepted, _ = line.accept()
                with tls.wrap_socket(accepted, server_side=True) if tls is not None else accepted as connection:
                    while data := connection.recv(4096):
                        connection.sendall(answer(data))
                return
            while True:
                data, peer = line.recvfrom(4096)
                if not data:
                    return
                line.sendto(b"no SIP at all", peer)
                for _ in statuses:
                    if reply := answer(data):
                        line.sendto(reply, peer)
        except OSError:
            return

    with socket.socket(socket.AF_INET, kind) as line:
        line.bind(("127.0.0.1", port))
        if transport != "UDP":
            line.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        yield line.getsockname()[1]
        with socket.socket(socket.AF_INET, kind) as waker:  # ends the wait
            waker.connect(line.getsockname())
            waker.send(b"")
        thread.join()
