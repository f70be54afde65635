"""Calls over a network that loses, repeats and reorders: whatever comes, both sides end and nothing is left over.

What each user agent tells its owner must be a story that makes sense: it is checked word by word against a grammar.
"""

import random
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Transport
from kobza.sip.invite import InviteDialog, InviteState
from kobza.sip.request import Credentials
from kobza.sip.ua import (
    InviteReceived,
    MalformedReceived,
    OfferReceived,
    RequestReceived,
    SessionPolicy,
    UaEvent,
)
from tests.sip.network import ANSWER, OFFER, End, Network

CALLS = 12
SEEDS = range(24)

LETTERS = {
    "InviteReceived": "r",
    "InviteProgressed": "p",
    "InviteAnswered": "a",
    "InviteRejected": "x",
    "InviteCancelled": "c",
    "InviteConfirmed": "k",
    "InviteEnded": "e",
    "OfferReceived": "o",
    "OfferAnswered": "s",
    "OfferRejected": "j",
    "RefreshDue": "",
}
CALLER = re.compile(r"p*(x|a[oksj]*(ej*)?)")
"""It is told of one outcome; in a call of offers, answers and confirmations; of at most one end, and then no more but
that what it still asked for is refused."""
CALLED = re.compile(r"r[oksj]*([ce]j*)?")


def story(events: list[UaEvent], dialog: InviteDialog) -> str:
    """What was told of one call, a letter for an event."""
    return "".join(LETTERS[type(event).__name__] for event in events if getattr(event, "dialog", None) is dialog)


class Chaos:
    """Owners of both ends that do what their dice say."""

    def __init__(self, network: Network, seed: int, *, rich: bool) -> None:
        self.network = network
        self.rich = rich
        """Both know reliable provisional responses."""
        self.dice = random.Random(seed)
        self.calls: list[tuple[End, InviteDialog]] = []
        for end in (network.caller, network.called):
            end.reactions[InviteReceived] = partial(self.arrived, end)
            end.reactions[OfferReceived] = self.offered
            end.reactions[RequestReceived] = partial(self.asked, end)

    def arrived(self, end: End, event: InviteReceived) -> None:
        self.calls.append((end, event.dialog))

    def asked(self, end: End, event: RequestReceived) -> None:
        end.ua.respond(event.incoming, 200, now=self.network.now)

    def offered(self, event: OfferReceived) -> None:
        choice = self.dice.random()
        if choice < 0.8:
            event.dialog.answer_offer(ANSWER, now=self.network.now)
        elif choice < 0.9:
            event.dialog.reject_offer(488, now=self.network.now)

    def call(self) -> None:
        network = self.network
        credentials = Credentials("a", "b") if self.dice.random() < 0.5 else None
        headers = [("Require", "100rel")] if self.rich and self.dice.random() < 0.5 else []
        self.calls.append((network.caller, network.invite(credentials=credentials, headers=headers)))

    def act(self) -> None:
        """Do one thing in one call, sensible or not."""
        _, dialog = self.dice.choice(self.calls)
        now = self.network.now
        acts: list[Callable[[], object]] = [
            lambda: dialog.reinvite(OFFER, now=now),
            lambda: dialog.send_request("INFO", now=now),
            lambda: dialog.send_request("UPDATE", headers=[("Content-Type", "application/sdp")], body=OFFER, now=now),
            lambda: dialog.provisional(180, now=now),
            lambda: dialog.provisional(183, body=ANSWER, now=now),
            lambda: dialog.accept(ANSWER, now=now),
            lambda: dialog.accept(ANSWER, now=now),
            lambda: dialog.reject(486, now=now),
            lambda: dialog.cancel(now=now),
            lambda: dialog.bye(now=now),
        ]
        self.dice.choice(acts)()
        self.network.settle()

    def end(self) -> None:
        """Hang up everything; the called's calls that ring are refused by that."""
        for _, dialog in self.calls:
            dialog.bye(now=self.network.now)
        self.network.settle()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("transport", "loss", "duplication", "delay"),
    [
        (Transport.UDP, 0.0, 0.0, 0.0),
        (Transport.UDP, 0.2, 0.2, 1.0),
        (Transport.UDP, 0.5, 0.1, 0.2),
        (Transport.TCP, 0, 0, 0),
    ],
)
def test_any_calls_over_any_network(
    seed: int, transport: Transport, loss: float, duplication: float, delay: float
) -> None:
    rich = seed % 2 == 1
    ends: dict[str, Any] = {"reliable": True, "session": SessionPolicy(interval=12, min_se=6)} if rich else {}
    network = Network(
        transport=transport, seed=seed, loss=loss, duplication=duplication, delay=delay, caller=ends, called=ends
    )
    chaos = Chaos(network, seed, rich=rich)
    for _ in range(CALLS):
        chaos.call()
        for _ in range(chaos.dice.randrange(8)):
            network.wait(chaos.dice.random() * 2)
            chaos.act()
    network.wait(3)
    chaos.end()
    network.wait(70)
    chaos.end()  # calls that arrived only after we had hung up everything
    network.finish()
    seen = 0
    for end, dialog in chaos.calls:
        told = story(end.events, dialog)
        grammar = CALLER if dialog.role == "uac" else CALLED
        # offers are refused also before a call stands or after it is over, when the dice ask for nonsense
        assert grammar.fullmatch(told.replace("j", "")), f"{dialog!r}: {told}"
        assert dialog.state is InviteState.ENDED
        seen += len(told)
    assert seen > CALLS
    assert not network.caller.told(MalformedReceived)
    assert not network.called.told(MalformedReceived)


@pytest.mark.parametrize("seed", range(12))
def test_ordinary_calls_survive_a_bad_network(seed: int) -> None:
    """With 20 % loss, repetition and half a second of disorder every call is set up, held, resumed and ended."""
    network = Network(seed=seed, loss=0.2, duplication=0.2, delay=0.5)
    network.called.reactions[InviteReceived] = lambda event: event.dialog.accept(ANSWER, now=network.now)
    network.called.reactions[OfferReceived] = lambda event: event.dialog.answer_offer(ANSWER, now=network.now)
    for _ in range(10):
        network.caller.events.clear()
        network.called.events.clear()
        dialog = network.invite()
        network.wait(25)
        assert network.caller.words[-1] == "InviteAnswered"
        for _ in range(2):
            dialog.reinvite(OFFER, now=network.now)
            network.wait(30)
        dialog.bye(now=network.now)
        network.wait(30)
        assert [word for word in network.caller.words if word != "InviteProgressed"] == [
            *("InviteAnswered", "OfferAnswered", "OfferAnswered"),
        ]
        assert sorted(network.called.words) == sorted(
            [
                *("InviteReceived", "InviteConfirmed", "OfferReceived", "InviteConfirmed", "OfferReceived"),
                *("InviteConfirmed", "InviteEnded"),
            ]
        )
    network.finish()


@pytest.mark.parametrize("seed", range(20))
def test_mangled_messages_harm_no_other_call(seed: int) -> None:
    """Bytes of one call's messages are broken on their way: nothing is raised, and a second call goes its way."""
    dice = random.Random(seed)
    network = Network(seed=seed)
    network.called.reactions[OfferReceived] = lambda event: event.dialog.answer_offer(ANSWER, now=network.now)
    good, _ = network.talk()
    network.called.events.clear()
    mangled = 0
    for _ in range(60):
        bad = network.invite()
        network.arrived().provisional(180, now=network.now) if network.called.told(InviteReceived) else None
        bad.bye(now=network.now)
        for wire in network.wire[-12:]:
            data = bytearray(wire.data)
            for _ in range(dice.randrange(1, 6)):
                at = dice.randrange(len(data))
                match dice.randrange(4):
                    case 0:
                        data[at] = dice.randrange(256)
                    case 1:
                        del data[at : at + dice.randrange(1, 20)]
                        if not data:
                            break
                    case 2:
                        data[at:at] = dice.choice([b"\r\n", b";", b",", b'"', b"<", b"\x00", b"=", b":", b"\xff"])
                    case _:
                        data[at:at] = data[at : at + dice.randrange(1, 40)]
            end = network.ends.get(wire.flow.remote)
            if end is not None and good.sip_call_id.encode() not in data:
                mangled += 1
                flow = wire.flow._replace(local=wire.flow.remote, remote=wire.flow.local)
                end.ua.receive(bytes(data), flow, network.now)
                network.settle()
        network.wait(1)
    assert mangled > 300
    good.reinvite(OFFER, now=network.now)
    network.settle()
    assert network.caller.words[-1] == "OfferAnswered"
    assert network.caller.told(MalformedReceived) + network.called.told(MalformedReceived)
    good.bye(now=network.now)
    for event in network.called.told(InviteReceived):
        event.dialog.bye(now=network.now)
    for asked in network.called.told(RequestReceived):
        network.called.ua.respond(asked.incoming, 403, now=network.now)
    network.wait(300)
    for event in [*network.called.told(InviteReceived), *network.caller.told(InviteReceived)]:
        event.dialog.bye(now=network.now)
    network.finish()


def test_malformed_message_is_the_only_error_of_values() -> None:
    with pytest.raises(MalformedMessage):
        Network().invite(contact_user="x", headers=[("X Y", "z")])
