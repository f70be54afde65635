"""Subscriptions in virtual time, from the notifier's side (RFC 6665)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobza.sip import ua
from kobza.sip.errors import MalformedMessage
from kobza.sip.event_header import EventHeader
from kobza.sip.flow import Flow, Transport
from kobza.sip.message import SipRequest
from kobza.sip.subscription import MAX_UDP_BODY
from kobza.sip.ua import RequestReceived, SubscribeReceived, Subscription, SubscriptionEnded
from kobza.sip.uri import SipUri
from tests.sip.stand import CONTACT, TCP, UDP, US, Headers, Stand
from tests.sip.test_fuzz import TEXT, TOKEN

EVENT = ("Event", "dialog;sla;id=7")
WEB = Flow(Transport.WS, US, ("192.0.2.9", 5080), 3)


class Lamp(Stand):
    """A user agent that has something to tell, and a phone that asks for it."""

    def __init__(self, flow: Flow = UDP) -> None:
        super().__init__(flow, methods=("SUBSCRIBE",), supported=("path",))
        self.state = "dark"
        self.newest = ""
        self.rooms: list[int | None] = []

    def compose(self, full: bool, most: int | None) -> bytes | None:
        self.rooms.append(most)
        if self.state == self.newest and not full:
            return None
        self.newest = self.state
        return f"{'all' if full else 'new'} {self.state}".encode()

    def subscribe(
        self, seconds: int = 300, *, headers: Headers = (CONTACT, EVENT), **options: Any
    ) -> Subscription | None:
        """Let a phone subscribe; its NOTIFY is not answered yet."""
        self.receive(self.request("SUBSCRIBE", headers=headers, **options))
        incoming = [event for event in self.events if isinstance(event, RequestReceived)][-1].incoming
        event = EventHeader.of(incoming.request)
        assert event is not None
        granted = self.ua.accept_subscription(
            incoming,
            event,
            content_type="text/lamp",
            compose=self.compose,
            seconds=seconds,
            tag="mine",
            headers=(("Allow-Events", "dialog"),),
            now=self.now,
        )
        self.drain()
        return granted

    def watched(self, seconds: int = 300, **options: Any) -> Subscription:
        """A subscription whose first NOTIFY was answered."""
        granted = self.subscribe(seconds, **options)
        assert granted is not None
        self.answer(self.one("NOTIFY"), 200)
        self.forget()
        return granted

    def again(self, subscription: Subscription, number: int, method: str = "SUBSCRIBE", **options: Any) -> SipRequest:
        """A request of the phone in a subscription."""
        dialog = subscription.dialog
        tags = {"to_tag": dialog.local_tag, "from_tag": dialog.remote_tag, "call_id": dialog.call_id}
        return self.request(method, number=number, **({"headers": (CONTACT, EVENT)} | tags | options))

    def turn(self, state: str, subscription: Subscription) -> None:
        """Let the lamp change."""
        self.state = state
        subscription.changed(self.now)
        self.drain()

    @property
    def said(self) -> list[tuple[str, str]]:
        """Subscription-State and body of each NOTIFY."""
        self.drain()
        notifies = [m for m in self.sent if isinstance(m, SipRequest)]
        return [(str(each.get("Subscription-State")), each.body.decode()) for each in notifies]

    @property
    def reasons(self) -> list[str]:
        """Why subscriptions ended."""
        self.drain()
        return [event.reason for event in self.events if isinstance(event, SubscriptionEnded)]


@pytest.mark.parametrize(("flow", "most"), [(UDP, MAX_UDP_BODY), (TCP, None), (WEB, None)])
def test_first_come_the_200_and_all_there_is(flow: Flow, most: int | None) -> None:
    lamp = Lamp(flow)
    subscription = lamp.subscribe(headers=(CONTACT, EVENT, ("Record-Route", "<sip:edge.example;lr>")))
    assert subscription is not None
    assert lamp.words == ["200 SUBSCRIBE", "NOTIFY"]
    answer, notify = lamp.response(), lamp.one("NOTIFY")
    assert (answer.get("Expires"), answer.get("Allow-Events")) == ("300", "dialog")
    assert answer.to.tag == notify.from_.tag == subscription.dialog.local_tag
    assert [str(route) for route in answer.record_routes] == ["<sip:edge.example;lr>"]
    assert notify.get("Route") == "<sip:edge.example;lr>"
    assert notify.to.tag == "peer"
    assert notify.uri_text == "sip:peer@192.0.2.9:5080"
    assert notify.get("Event") == "dialog;id=7"
    assert (notify.content_type, lamp.said) == ("text/lamp", [("active;expires=300", "all dark")])
    assert str(notify.contacts[0].uri) == str(answer.contacts[0].uri)
    assert lamp.flows[-1] == flow
    assert (lamp.rooms, subscription.tag) == ([most], "mine")
    assert lamp.ua.counts.subscriptions == 1
    assert "dialog" in repr(subscription)


def test_changes_are_told_and_run_out() -> None:
    lamp = Lamp()
    subscription = lamp.watched(60)
    lamp.wait(10)
    lamp.turn("bright", subscription)
    lamp.answer(lamp.one("NOTIFY"), 200)
    lamp.turn("bright", subscription)  # as it was
    assert lamp.said == [("active;expires=50", "new bright")]
    lamp.wait(50)
    assert lamp.said[1:] == [("terminated;reason=timeout", "all bright")]
    assert (lamp.reasons, subscription.is_active) == (["timeout"], False)
    lamp.answer(lamp.one("NOTIFY"), 200)
    lamp.turn("dark", subscription)
    subscription.end("noresource", lamp.now)
    assert len(lamp.said) == 2
    lamp.finish()


def test_one_notify_at_a_time_and_then_the_newest() -> None:
    lamp = Lamp()
    subscription = lamp.subscribe()
    assert subscription is not None
    lamp.turn("ringing", subscription)
    lamp.turn("bright", subscription)
    assert len(lamp.said) == 1
    lamp.answer(lamp.one("NOTIFY"), 100)
    assert len(lamp.said) == 1
    lamp.answer(lamp.one("NOTIFY"), 200)
    assert [body for _, body in lamp.said] == ["all dark", "new bright"]
    assert [m.cseq.number for m in lamp.sent if isinstance(m, SipRequest)] == [1, 2]
    lamp.answer(lamp.one("NOTIFY"), 202)
    assert len(lamp.said) == 2


def test_refresh() -> None:
    lamp = Lamp()
    subscription = lamp.watched(60)
    lamp.wait(50)
    moved = ("192.0.2.9", 6000)
    lamp.receive(lamp.again(subscription, 2, headers=(("Contact", "<sip:new@192.0.2.9:6000>"), EVENT)))
    (event,) = [each for each in lamp.events if isinstance(each, SubscribeReceived)]
    assert event.subscription is subscription
    subscription.accept(event.incoming, 60, now=lamp.now)
    assert lamp.words == ["200 SUBSCRIBE", "NOTIFY"]
    assert lamp.said == [("active;expires=60", "all dark")]
    assert lamp.one("NOTIFY").uri_text == "sip:new@192.0.2.9:6000"
    assert lamp.flows[-1].remote == moved
    lamp.answer(lamp.one("NOTIFY"), 200)
    lamp.wait(59)
    assert subscription.is_active
    lamp.receive(lamp.again(subscription, 1))  # an old one, late
    assert lamp.response().status == 500
    assert len([each for each in lamp.events if isinstance(each, SubscribeReceived)]) == 1


def test_unsubscribe_and_fetch() -> None:
    lamp = Lamp()
    subscription = lamp.watched()
    lamp.receive(lamp.again(subscription, 2))
    (event,) = [each for each in lamp.events if isinstance(each, SubscribeReceived)]
    subscription.accept(event.incoming, 0, now=lamp.now)
    assert lamp.response().get("Expires") == "0"
    assert lamp.said == [("terminated;reason=timeout", "all dark")]
    assert lamp.reasons == ["unsubscribed"]
    lamp.answer(lamp.one("NOTIFY"), 200)
    lamp.receive(lamp.again(subscription, 3))
    assert lamp.response().status == 481
    lamp.forget()
    once = lamp.subscribe(0, call_id="once")
    assert once is not None
    assert lamp.words == ["200 SUBSCRIBE", "NOTIFY"]
    assert (lamp.said, once.is_active) == ([("terminated;reason=timeout", "all dark")], False)
    assert lamp.reasons == ["unsubscribed"]
    lamp.wait(40)
    lamp.finish()


@pytest.mark.parametrize("status", [404, 481, 489, 500, 603])
def test_a_notify_that_is_refused_ends_it(status: int) -> None:
    lamp = Lamp()
    subscription = lamp.subscribe()
    lamp.answer(lamp.one("NOTIFY"), status)
    assert (lamp.reasons, len(lamp.said)) == ([str(status)], 1)
    assert subscription is not None
    assert not subscription.is_active
    lamp.finish()


@pytest.mark.parametrize(("asked", "waits"), [("3", 3), ("0", 1), ("7200 (a meeting)", 60), ("5;duration=9", 5)])
def test_a_phone_that_asks_us_to_wait(asked: str, waits: int) -> None:
    lamp = Lamp()
    subscription = lamp.subscribe()
    assert subscription is not None
    lamp.answer(lamp.one("NOTIFY"), 503, headers=(("Retry-After", asked),))
    lamp.turn("bright", subscription)
    lamp.wait(waits - 0.5)
    assert len(lamp.said) == 1
    lamp.wait(0.5)
    assert [body for _, body in lamp.said] == ["all dark", "all bright"]
    lamp.answer(lamp.one("NOTIFY"), 480, headers=(("Retry-After", "soon"),))
    assert lamp.reasons == ["480"]
    lamp.finish()


def test_it_ends_while_a_phone_has_asked_us_to_wait() -> None:
    lamp = Lamp()
    subscription = lamp.subscribe()
    assert subscription is not None
    lamp.answer(lamp.one("NOTIFY"), 503, headers=(("Retry-After", "30"),))
    subscription.end("noresource", lamp.now)
    assert lamp.said[1:] == [("terminated;reason=noresource", "all dark")]
    lamp.answer(lamp.one("NOTIFY"), 503, headers=(("Retry-After", "30"),))
    lamp.finish()
    assert (lamp.reasons, len(lamp.said)) == ([], 2)


def test_no_answer_to_a_notify() -> None:
    lamp = Lamp()
    lamp.subscribe()
    lamp.wait(32)
    assert lamp.reasons == ["408"]
    assert lamp.words.count("NOTIFY") > 5
    lamp.finish()


@pytest.mark.parametrize(("status", "said"), [(200, 2), (481, 1), (None, 1)])
def test_the_last_words_wait_for_the_notify_before(status: int | None, said: int) -> None:
    """Of a subscription that ended while one was under way: they are said if the phone still listens."""
    lamp = Lamp(TCP)
    subscription = lamp.subscribe()
    assert subscription is not None
    subscription.end("probation;retry-after=20", lamp.now)
    assert len(lamp.said) == 1
    if status is None:
        lamp.ua.transport_failed(TCP, lamp.now)
    else:
        lamp.answer(lamp.one("NOTIFY"), status, headers=(("Retry-After", "5"),))
    assert [state for state, _ in lamp.said[1:]] == ["terminated;reason=probation;retry-after=20"][: said - 1]
    assert lamp.reasons == []
    lamp.wait(40)
    lamp.finish()


def test_a_connection_breaks() -> None:
    """One of TCP is opened again; a WebSocket is the browser's to open, and what it brought is followed before."""
    lamp = Lamp(TCP)
    subscription = lamp.watched()
    lamp.ua.transport_failed(TCP, lamp.now)
    lamp.turn("bright", subscription)
    assert lamp.flows == [Flow(Transport.TCP, US, ("192.0.2.9", 5080))]

    page = Lamp(WEB)
    first = page.watched(call_id="a")
    second = page.watched(call_id="b", headers=(("Contact", "<sip:other@page.invalid>"), EVENT))
    anew = WEB._replace(connection=4)
    page.ua.follow_contact(SipUri.parse("sip:other@page.invalid;transport=ws"), anew)
    page.ua.transport_failed(WEB, page.now)
    assert page.reasons == ["503"]
    assert (first.is_active, second.is_active) == (False, True)
    page.turn("bright", second)
    assert page.flows == [anew]


REFUSED: dict[str, tuple[dict[str, Any], int]] = {
    "another event": ({"headers": (CONTACT, ("Event", "dialog"))}, 481),
    "no event": ({"headers": (CONTACT,)}, 481),
    "broken event": ({"headers": (CONTACT, ("Event", "a b"))}, 400),
    "broken contact": ({"headers": (("Contact", "<sip:"), EVENT)}, 400),
    "another method": ({"method": "INFO"}, 481),
    "another peer": ({"from_tag": "other"}, 481),
    "another call": ({"call_id": "other"}, 481),
}


@pytest.mark.parametrize("case", REFUSED)
def test_requests_that_do_not_belong(case: str) -> None:
    lamp = Lamp()
    subscription = lamp.watched()
    options, status = REFUSED[case]
    lamp.receive(lamp.again(subscription, 2, **options))
    assert lamp.response().status == status
    assert lamp.events == []
    assert subscription.is_active


def test_a_subscription_that_makes_no_dialog() -> None:
    lamp = Lamp()
    with pytest.raises(MalformedMessage, match="Contact"):
        lamp.subscribe(headers=(EVENT,))
    assert lamp.words == []
    assert lamp.ua.counts.subscriptions == 0


def test_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ua, "MAX_SUBSCRIPTIONS", 1)
    lamp = Lamp()
    lamp.watched()
    assert lamp.subscribe(call_id="second") is None
    assert (lamp.response().status, lamp.response().get("Retry-After")) == (503, "5")
    assert lamp.ua.counts.refused == 1


BROKEN = ("", ";id=1", "a b", "dialog;id", "dialog;id=é", "x" * 65, f"dialog;id={'1' * 65}", 'dialog;id="', "dialog;=")


@pytest.mark.parametrize("text", BROKEN)
def test_events_that_are_none(text: str) -> None:
    with pytest.raises(MalformedMessage, match="Event header"):
        EventHeader.parse(text)


def test_events() -> None:
    assert EventHeader.parse(" dialog ; call-id=1 ; ID=x ") == EventHeader("dialog", "x")
    twice = SipRequest.create("SUBSCRIBE", "sip:x@x", [("Event", "dialog"), ("o", "dialog")])
    with pytest.raises(MalformedMessage, match="2 of them"):
        EventHeader.of(twice)
    assert EventHeader.of(SipRequest.create("SUBSCRIBE", "sip:x@x", [])) is None


@given(st.builds(EventHeader, TOKEN, st.none() | TOKEN), TEXT)
@settings(max_examples=50)
def test_any_event(event: EventHeader, text: str) -> None:
    assert EventHeader.parse(str(event)) == event
    try:
        read = EventHeader.parse(text)
    except MalformedMessage:
        return
    assert EventHeader.parse(str(read)) == read
