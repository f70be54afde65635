"""What the signalling of a call costs without sockets: `python -m bench.signalling_core [--calls 2000] [--json]`.

Two user agents in memory, one calls the other: INVITE, 180, 200, ACK, some seconds later BYE and 200. The calls
come at a steady rate in virtual time, so the tables hold the transactions of the last 32 s and their timers as a
server's do. The figure is CPU for both ends of a call; a B2BUA has as many, one of each kind. Beside it, in the same
run and with the same seven messages: the codec alone (read and written once each), and the standard library's
`email.parser`. The median of some rounds.
"""

import argparse
import json
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from email.parser import BytesParser
from email.policy import compat32
from itertools import count

from rich.console import Console
from rich.table import Table

from bench.rows import Row
from kobza.sip.flow import Flow, Transport
from kobza.sip.headers import NameAddr
from kobza.sip.message import parse_message
from kobza.sip.ua import InviteDialog, InviteEnded, InviteReceived, SessionPolicy, UserAgent
from kobza.sip.uri import SipUri

MESSAGES = 6
"""A call has so many: INVITE, 180, 200, ACK, BYE, 200."""
TALK = 10.0
"""Seconds, virtual."""
CALLER, CALLED = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
OUT, BACK = Flow(Transport.UDP, CALLER, CALLED), Flow(Transport.UDP, CALLED, CALLER)
SDP = b"".join(
    line + b"\r\n"
    for line in (
        *(b"v=0", b"o=- 1 1 IN IP4 192.0.2.10", b"s=-", b"c=IN IP4 192.0.2.10", b"t=0 0"),
        *(b"m=audio 7078 RTP/AVP 8 0 101", b"a=rtpmap:101 telephone-event/8000", b"a=fmtp:101 0-16"),
    )
)


class Pair:
    """Two user agents and the wire between them."""

    def __init__(self) -> None:
        numbers = count(1)
        session = SessionPolicy()
        self.caller = UserAgent(new_token=lambda: f"{next(numbers):016x}", methods=(), session=session)
        self.called = UserAgent(new_token=lambda: f"{next(numbers):016x}", methods=(), session=session)
        self.now = 1_790_000_000.0
        self.talking: deque[tuple[float, InviteDialog]] = deque()
        self.ended = 0
        self.kept: list[bytes] | None = None

    def call(self) -> None:
        """Make one call; it ends `TALK` seconds later."""
        dialog = self.caller.invite(
            "sip:0501112233@192.0.2.2",
            from_=NameAddr("Оксана", SipUri("sip", "0671234567", host="192.0.2.2")),
            to=NameAddr("", SipUri("sip", "0501112233", host="192.0.2.2")),
            flow=OUT,
            body=SDP,
            now=self.now,
        )
        self.talking.append((self.now + TALK, dialog))
        self.settle()

    def step(self, seconds: float) -> None:
        """Let time pass: end what has talked enough, do what is due."""
        self.now += seconds
        while self.talking and self.talking[0][0] <= self.now:
            self.talking.popleft()[1].bye(now=self.now)
            self.settle()
        for agent in (self.caller, self.called):
            deadline = agent.next_deadline()
            if deadline is not None and deadline <= self.now:
                agent.handle_timers(self.now)
        self.settle()

    def settle(self) -> None:
        """Carry messages until there are none."""
        while True:
            there = self.caller.take_transmits()
            for transmit in there:
                self.called.receive(transmit.data, BACK, self.now)
            for event in self.called.take_events():
                if isinstance(event, InviteReceived):
                    event.dialog.provisional(180, now=self.now)
                    event.dialog.accept(SDP, now=self.now)
                self.ended += isinstance(event, InviteEnded)
            back = self.called.take_transmits()
            for transmit in back:
                self.caller.receive(transmit.data, OUT, self.now)
            for event in self.caller.take_events():
                assert not isinstance(event, InviteEnded), event
            if self.kept is not None:
                self.kept += [transmit.data for transmit in (*there, *back)]
            if not there and not back:
                return


def messages_of_a_call() -> list[bytes]:
    """Record one call."""
    pair = Pair()
    pair.kept = []
    pair.call()
    pair.step(TALK)
    assert pair.ended == 1
    assert len(pair.kept) == MESSAGES, [data.split(b"\r\n")[0] for data in pair.kept]
    return pair.kept


def cost_of_calls(calls: int, rate: float) -> float:
    """Microseconds of CPU for one call at a steady state of `rate` calls a second."""
    pair = Pair()
    warm_up = int(rate * (TALK + 40))
    for _ in range(warm_up):
        pair.call()
        pair.step(1 / rate)
    ended, before = pair.ended, time.process_time()
    for _ in range(calls):
        pair.call()
        pair.step(1 / rate)
    spent = time.process_time() - before
    assert pair.ended - ended == calls
    return spent / calls * 1e6


def cost(way: Callable[[bytes], object], messages: Iterable[bytes], calls: int) -> float:
    """Microseconds of CPU for the messages of one call."""
    messages = list(messages)
    before = time.process_time()
    for _ in range(calls):
        for data in messages:
            way(data)
    return (time.process_time() - before) / calls * 1e6


EMAIL = BytesParser(policy=compat32)


def with_codec(data: bytes) -> bytes:
    return parse_message(data).to_bytes()


def with_email(data: bytes) -> bytes:
    start, _, rest = data.partition(b"\r\n")
    return start + EMAIL.parsebytes(rest).as_bytes()


def main(calls: int, rounds: int, rate: float) -> dict[str, float]:
    recorded = messages_of_a_call()
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        taken.setdefault("two user agents, whole call", []).append(cost_of_calls(calls, rate))
        taken.setdefault("codec alone, the same messages", []).append(cost(with_codec, recorded, calls))
        taken.setdefault("email.parser, the same messages", []).append(cost(with_email, recorded, calls))
    return {name: statistics.median(some) for name, some in taken.items()}


def measure(*, quick: bool = False) -> Sequence[Row]:
    results = main(20, 1, 2.0) if quick else main(2000, 3, 50.0)
    return [
        Row(
            f"both ends of a call in memory, {MESSAGES} messages, INVITE to BYE",
            results["two user agents, whole call"],
            "µs of CPU a call",
            "email.parser reading and writing the same messages",
            results["email.parser, the same messages"],
        )
    ]


def table(results: dict[str, float], rate: float) -> Table:
    shown = Table(title=f"INVITE to BYE in memory, {MESSAGES} messages, at {rate:g} calls/s")
    for heading in ("", "us/call", "us/message", "to email.parser"):
        shown.add_column(heading, justify="left" if not heading else "right", no_wrap=True)
    reference = results["email.parser, the same messages"]
    for name, taken in results.items():
        shown.add_row(name, f"{taken:.0f}", f"{taken / MESSAGES:.1f}", f"{taken / reference:.2f}")
    return shown


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3, help="the median of them is shown")
    parser.add_argument("--rate", type=float, default=50.0, help="calls a second, virtual")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    measured = main(arguments.calls, arguments.rounds, arguments.rate)
    if arguments.json:
        print(json.dumps(measured))
    else:
        Console().print(table(measured, arguments.rate))
