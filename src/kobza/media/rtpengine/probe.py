"""One question to an rtpengine, for who has no event loop."""

import secrets
import socket
import time

from kobza.media.rtpengine.ng import Answer, NgClient, NgError, NoReply, Reply
from kobza.media.rtpengine.words import Command


def ask_once(host: str, port: int, command: Command) -> Reply:
    """Return the reply to a command; raise NgError. Blocks, for some seconds when nobody answers."""
    client = NgClient(secrets.token_hex(4))
    answers: list[Answer] = []
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.connect((host, port))
            asking.send(client.ask(command, answers.append, time.monotonic()))
            while (due := client.due) is not None:
                asking.settimeout(max(0.001, due - time.monotonic()))
                try:
                    client.take(asking.recv(65_535))
                except TimeoutError:
                    for again in client.poll(time.monotonic()):
                        asking.send(again)
    except OSError as error:
        raise NoReply(error.strerror or str(error)) from error
    if isinstance(answers[0], NgError):
        raise answers[0]
    return answers[0]
