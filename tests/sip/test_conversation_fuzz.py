"""Two user agents talk over a network that also breaks messages: nothing raises, and nothing is left behind.

The owner on each side does what it likes when it likes. Whatever comes of the calls, once they are over and 64*T1 have
passed no dialog, transaction or timer is held.
"""

import random
from itertools import count

import pytest

from kobza.sip.flow import Flow, Transport
from kobza.sip.headers import NameAddr
from kobza.sip.ua import InviteDialog, InviteReceived, MalformedReceived, OfferReceived, RequestReceived, UserAgent
from kobza.sip.uri import SipUri
from tests.fuzz.mutation import mutated
from tests.sip.examples import ALL

INVITE = ALL["invite"]
SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 7078 RTP/AVP 8\r\n"
ONE, OTHER = ("192.0.2.1", 5060), ("192.0.2.2", 5060)


class Side:
    """A user agent whose owner acts at random."""

    def __init__(self, chance: random.Random, flow: Flow, tokens: "count[int]") -> None:
        self.chance, self.flow = chance, flow
        self.agent = UserAgent(new_token=lambda: f"{next(tokens):08x}", methods=("REGISTER", "NOTIFY"))
        self.dialogs: list[InviteDialog] = []
        self.malformed = 0

    def call(self, now: float) -> None:
        address = NameAddr("", SipUri("sip", "x", host="example.net"))
        self.dialogs.append(
            self.agent.invite(
                "sip:x@example.net",
                from_=address,
                to=address,
                flow=self.flow,
                body=SDP if self.chance.random() < 0.8 else b"",
                now=now,
            )
        )

    def heed(self, now: float) -> None:
        """Take the events; answer most of what wants an answer."""
        for event in self.agent.take_events():
            match event:
                case InviteReceived():
                    self.dialogs.append(event.dialog)
                case RequestReceived():
                    self.agent.respond(event.incoming, 200, now=now)
                case OfferReceived() if self.chance.random() < 0.8:
                    event.dialog.answer_offer(SDP, now=now)
                case MalformedReceived():
                    self.malformed += 1

    def act(self, now: float) -> None:
        """Do something to each dialog, fitting or not."""
        for dialog in self.dialogs:
            received = dialog.role == "uas" and dialog.is_unanswered
            match self.chance.randrange(20):
                case 0 | 1 if received:
                    dialog.provisional(180, now=now)
                case 2 | 3 | 4 if received:
                    dialog.accept(SDP, now=now)
                case 5 if received:
                    dialog.reject(486, now=now)
                case 6 if not received:
                    dialog.cancel(now=now)
                case 7 if dialog.is_standing:
                    dialog.bye(now=now)
                case 8 | 9 | 10 if dialog.is_standing:
                    dialog.reinvite(SDP, now=now)

    def end(self, now: float) -> None:
        """Let everything end."""
        for dialog in self.dialogs:
            if dialog.is_standing:
                dialog.bye(now=now)
            elif dialog.is_unanswered and dialog.role == "uas":
                dialog.reject(480, now=now)
            elif dialog.is_unanswered:
                dialog.cancel(now=now)


def converse(seed: int) -> tuple[int, int]:
    """One conversation; returns how many messages went and how many were broken."""
    chance, tokens = random.Random(seed), count(1)
    transport, connection = (Transport.TCP, 1) if seed % 2 else (Transport.UDP, 0)
    one = Side(chance, Flow(transport, ONE, OTHER, connection), tokens)
    other = Side(chance, Flow(transport, OTHER, ONE, connection), tokens)
    now, seen, sent = 1000.0, [INVITE], 0
    other.call(now)
    for _ in range(40):
        for side, peer in ((other, one), (one, other)):
            for transmit in side.agent.take_transmits():
                seen.append(transmit.data)
                sent += 1
                if chance.random() < 0.9:
                    broken = chance.random() < 0.3
                    peer.agent.receive(mutated(chance, [transmit.data]) if broken else transmit.data, peer.flow, now)
            if chance.random() < 0.2:
                peer.agent.receive(mutated(chance, seen), peer.flow, now)
            peer.heed(now)
            peer.act(now)
        if chance.random() < 0.03:
            one.agent.transport_failed(one.flow, now)
        now += chance.choice((0.0, 0.1, 0.5, 3.0))
        one.agent.handle_timers(now)
        other.agent.handle_timers(now)
    for _ in range(30):
        for side in (one, other):
            side.heed(now)
            side.end(now)
            side.agent.take_transmits()
            side.agent.handle_timers(now)
        now += 20.0
    for side in (one, other):
        assert side.agent.counts.is_idle, (seed, side.agent.counts)
    return sent, one.malformed + other.malformed


@pytest.mark.parametrize("start", range(0, 600, 100))
def test_conversations(start: int) -> None:
    outcomes = [converse(seed) for seed in range(start, start + 100)]
    assert sum(sent for sent, _ in outcomes) > 1500
    assert sum(malformed for _, malformed in outcomes) > 500


def test_mutated_messages_of_strangers() -> None:
    """Nothing raises, what cannot be read is counted, and the agent still works."""
    chance = random.Random(3261)
    tokens = count(1)
    agent = UserAgent(new_token=lambda: f"{next(tokens):08x}")
    flow, messages, taken = Flow(Transport.UDP, ONE, OTHER), list(ALL.values()), 0
    for number in range(10_000):
        now = 1000.0 + number / 50
        agent.receive(mutated(chance, messages), flow, now)
        for event in agent.take_events():
            if isinstance(event, InviteReceived):
                taken += 1
                event.dialog.reject(486, now=now)
            elif isinstance(event, RequestReceived):
                taken += 1
                agent.respond(event.incoming, 200, now=now)
        agent.take_transmits()
        agent.handle_timers(now)
    assert agent.counts.malformed > 3000
    assert taken > 50
    agent.handle_timers(2000.0)
    agent.handle_timers(3000.0)
    assert agent.counts.is_idle
