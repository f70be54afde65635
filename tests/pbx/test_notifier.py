"""Who may watch which number, how many, and how soon they are told."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count
from typing import Any, cast

import pytest

from kobza.call.directory import Directory
from kobza.call.group import RingingGroup
from kobza.call.routing import Identity, Party
from kobza.pbx import notifier as notifier_module
from kobza.pbx.authenticator import Authenticator
from kobza.pbx.busy import BusyNumbers
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.live_call import LiveCall
from kobza.pbx.locations import Locations
from kobza.pbx.notifier import MAX_OF_DEVICE, Notifier
from kobza.pbx.notify_queue import PIECE, NotifyQueue
from kobza.pbx.presence import Presence
from kobza.pbx.watched_lines import dialogs_of
from kobza.sip.flow import Flow, Transport
from kobza.sip.message import SipRequest, SipResponse
from kobza.sip.ua import RequestReceived, Subscription
from kobza.store import Store
from tests.pbx.office import ANNA, ANNA_USER, BOHDAN, BOHDAN_USER, NOW, VERA, request, signed, subscriber, verifier
from tests.pbx.test_live_call import ANNA_PARTY, BOHDAN_PARTY, STRANGER, live_call
from tests.sip.stand import Stand
from tests.store.builders import binding
from tests.support.waiting import PATIENCE

PHONE = Flow(Transport.UDP, ("192.0.2.1", 5060), ("198.51.100.7", 40_000))
ELSEWHERE = PHONE._replace(remote=("198.51.100.8", 40_000))
SALES = RingingGroup("200", "ent-1", "Sales", members=(ANNA, BOHDAN))
TAKEN = RingingGroup("300", "ent-2", "Others")


class Desk(Stand):
    """A notifier over a user agent, and the phones that ask it."""

    def __init__(self) -> None:
        super().__init__(PHONE, methods=("SUBSCRIBE",))
        self.now = NOW
        self.view = DirectoryView(cast("Store", None))
        self.view.snapshot = Directory(
            {ANNA: subscriber(), BOHDAN: subscriber(BOHDAN), VERA: subscriber(VERA, enterprise_id="ent-2")},
            groups={"ent-1/200": SALES, "ent-2/300": TAKEN},
        )
        self.locations = Locations()
        self.presence = Presence(self.locations, lambda: self.now)
        self.calls: list[LiveCall] = []
        self.notifier = Notifier(self.ua, Authenticator(verifier()), self.view, self.presence, now=lambda: self.now)
        self.notifier.start(lambda: self.calls, self.drain)
        self._call_ids = count(1)

    def drain(self) -> None:
        """Note what was sent, and have the notifier take the events."""
        super().drain()
        take: dict[type[Any], Callable[[Any], None]]
        take = {RequestReceived: lambda event: self.notifier.subscribe(event.incoming), **self.notifier.by_type}
        while (event := next((each for each in self.events if type(each) in take), None)) is not None:
            self.events.remove(event)
            take[type(event)](event)
            super().drain()

    def ask(
        self,
        watched: str = BOHDAN_USER,
        *,
        user: str = ANNA_USER,
        event: str | None = "dialog",
        expires: str | None = "300",
        to: str | None = None,
        call_id: str = "",
        contact: str = "<sip:anna@198.51.100.7:40000>",
        flow: Flow = PHONE,
        password: str | None = None,
        cseq: int = 1,
        headers: Iterable[tuple[str, str]] = (),
    ) -> SipResponse:
        """Let a phone subscribe; returns the answer. Each NOTIFY is answered by `fine`."""
        more = [("Contact", contact)] if contact else []
        more += [("Event", event)] if event is not None else []
        more += [("Expires", expires)] if expires is not None else []
        to = to or f"<sip:{watched}@kobza.example>"
        message = request("SUBSCRIBE", f"sip:{watched}@kobza.example", user=user, to=to, headers=[*more, *headers])
        message.set("Via", f"SIP/2.0/UDP 198.51.100.7:40000;branch=z9hG4bK{next(self._branches)};rport")
        message.set("Call-ID", call_id or f"lamp-{next(self._call_ids)}")
        message.set("CSeq", f"{cseq} SUBSCRIBE")
        options: dict[str, Any] = {} if password is None else {"password": password}
        before = len(self.sent)
        self.receive(signed(message, user=user, at=self.now, source=flow.remote[0], **options), flow)
        return next(each for each in self.sent[before:] if isinstance(each, SipResponse))

    def again(self, answer: SipResponse, **options: Any) -> SipResponse:
        """Let the phone subscribe in the dialog that an answer made."""
        return self.ask(to=answer.get("to"), call_id=answer.call_id, **({"cseq": 2} | options))

    def fine(self) -> list[SipRequest]:
        """Answer every NOTIFY so far with 200; returns them."""
        self.drain()
        notifies = [each for each in self.sent if isinstance(each, SipRequest)]
        self.sent.clear()
        for each in notifies:
            self.answer(each, 200)
        return notifies


@pytest.fixture
def desk() -> Desk:
    return Desk()


REFUSED: dict[str, tuple[dict[str, Any], int, tuple[str, str] | None]] = {
    "a stranger": ({"password": "guessed"}, 401, None),
    "no such event": ({"event": "conference"}, 489, ("Allow-Events", "dialog, message-summary, presence")),
    "no event": ({"event": None}, 489, ("Allow-Events", "dialog, message-summary, presence")),
    "broken event": ({"event": "a b"}, 400, None),
    "for too short": ({"expires": "59"}, 423, ("Min-Expires", "60")),
    "other documents": (
        {"headers": [("Accept", "text/plain, a/b;q=1")]},
        406,
        ("Accept", "application/dialog-info+xml"),
    ),
    "another enterprise": ({"watched": "0671000003"}, 404, None),
    "another enterprise's group": ({"watched": "300"}, 404, None),
    "nobody": ({"watched": "0671000009"}, 404, None),
    "no number": ({"watched": "sales"}, 404, None),
    "no contact": ({"contact": ""}, 400, None),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(desk: Desk, case: str) -> None:
    options, status, header = REFUSED[case]
    answer = desk.ask(**options)
    assert answer.status == status
    if header is not None:
        assert answer.get(header[0]) == header[1]
    assert desk.ua.counts.subscriptions == 0
    assert not desk.notifier.watches
    assert set(desk.notifier.counts.values()) == {0}


GRANTED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a colleague": ({}, "300", "application/dialog-info+xml"),
    "a group": ({"watched": "200"}, "300", "application/dialog-info+xml"),
    "for long": ({"expires": "86400"}, "600", "application/dialog-info+xml"),
    "as long as we like": ({"expires": None}, "600", "application/dialog-info+xml"),
    "for a time that is none": ({"expires": "soon"}, "600", "application/dialog-info+xml"),
    "whatever we have": ({"headers": [("Accept", "text/plain, */*")]}, "300", "application/dialog-info+xml"),
    "presence": ({"event": "presence"}, "300", "application/pidf+xml"),
    "presence of a group": ({"event": "presence", "watched": "200"}, "300", "application/pidf+xml"),
    "a mailbox": ({"event": "message-summary", "watched": "voicemail"}, "300", "application/simple-message-summary"),
}


@pytest.mark.parametrize("case", GRANTED)
def test_granted(desk: Desk, case: str) -> None:
    options, seconds, content_type = GRANTED[case]
    answer = desk.ask(**options)
    assert (answer.status, answer.get("Expires")) == (200, seconds)
    assert answer.get("Allow-Events") == "dialog, message-summary, presence"
    (notify,) = desk.fine()
    assert notify.content_type == content_type
    assert notify.get("Subscription-State") == f"active;expires={seconds}"
    assert sum(desk.notifier.counts.values()) == 1
    assert desk.notifier.watches is (content_type != "application/simple-message-summary")
    desk.wait(600)
    assert (sum(desk.notifier.counts.values()), desk.notifier.watches) == (0, False)
    desk.fine()
    desk.finish()


def test_refresh(desk: Desk) -> None:
    answer = desk.ask()
    desk.fine()
    desk.wait(200)
    assert desk.again(answer).status == 200
    desk.fine()
    desk.wait(299)
    assert desk.notifier.watches
    assert desk.again(answer, cseq=3, password="x").status == 401
    assert desk.again(answer, cseq=3, user=BOHDAN_USER).status == 403
    assert desk.again(answer, cseq=4, expires="5").status == 423
    assert desk.again(answer, cseq=5, expires="0").status == 200
    (last,) = desk.fine()
    assert last.get("Subscription-State") == "terminated;reason=timeout"
    desk.finish()
    assert not desk.notifier.watches


def test_a_number_that_is_no_longer_there(desk: Desk) -> None:
    answer = desk.ask()
    desk.fine()
    desk.view.snapshot = replace(desk.view.snapshot, subscribers={ANNA: subscriber()})
    assert desk.again(answer).status == 404
    (last,) = desk.fine()
    assert last.get("Subscription-State") == "terminated;reason=noresource"
    assert not desk.notifier.watches
    desk.finish()


def test_limits(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(MAX_OF_DEVICE):
        assert desk.ask().status == 200
    full = desk.ask()
    assert (full.status, full.get("Warning"), desk.notifier.refused) == (403, '399 kobza "Too many subscriptions"', 1)
    assert desk.ask(flow=ELSEWHERE).status == 200
    assert desk.ask(user=BOHDAN_USER).status == 200
    monkeypatch.setattr(notifier_module, "MAX_OF_ENTERPRISE", MAX_OF_DEVICE + 2)
    assert desk.ask(user=BOHDAN_USER).status == 403
    assert desk.ask("0671000003", user="0671000003").status == 200
    monkeypatch.setattr("kobza.sip.ua.MAX_SUBSCRIPTIONS", 1)
    assert desk.ask("0671000003", user="0671000003").status == 503
    assert desk.notifier.counts["dialog"] == MAX_OF_DEVICE + 3


def test_in_a_call_nothing_is_watched(desk: Desk) -> None:
    dialog = desk.invited()
    desk.receive(desk.within(dialog, "SUBSCRIBE", number=2, headers=(("Event", "dialog"),)))
    assert desk.response().status == 403


def test_a_call_as_its_callers_phone_has_it(desk: Desk) -> None:
    """Also with the mobile phone of the same number, which it may call."""
    live = live_call(BOHDAN_PARTY, BOHDAN_PARTY)
    live.present = ("leg-1", "leg-2")
    dialog = desk.invited()
    live.add_dialog("in", dialog)

    def phases() -> list[str]:
        return [each.phase for each in dialogs_of(live, ("ent-1", BOHDAN))]

    assert phases() == ["trying", "trying"]
    dialog.provisional(180, now=desk.now)
    assert phases() == ["early", "trying"]
    dialog.accept(b"", now=desk.now)
    assert phases() == ["confirmed", "trying"]
    (first, _) = dialogs_of(live, ("ent-1", BOHDAN))
    assert (first.call_id, first.remote_tag, first.local_tag) == dialog.dialog_id


@pytest.mark.parametrize(("tag", "phase"), [("theirs", "early"), (None, "proceeding")])
def test_a_phone_that_rings(desk: Desk, tag: str | None, phase: str) -> None:
    """Without a tag there is no dialog yet that could be named."""
    live = live_call(BOHDAN_PARTY, STRANGER)
    live.present = ("leg-1",)
    live.add_dialog("in", desk.invite())
    desk.answer(desk.one("INVITE"), 180, tag=tag)
    (dialog,) = dialogs_of(live, ("ent-1", BOHDAN))
    assert (dialog.phase, dialog.local_tag) == (phase, tag or "")


async def told(desk: Desk, number: int) -> list[SipRequest]:
    """Wait until so many NOTIFYs were sent."""
    found: list[SipRequest] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < number:
            await asyncio.sleep(0.005)
            found += desk.fine()
    return found


def talk(desk: Desk, live: LiveCall) -> None:
    """Begin a call, as the switch does."""
    busy = BusyNumbers(desk.presence)
    desk.calls.append(live)
    for leg_id, own, _ in live.parties():
        busy.join(live, leg_id, own)
    desk.notifier.call_changed(live)


async def test_many_watchers_are_told_in_pieces(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier_module, "MAX_OF_DEVICE", 1_000)
    watchers = 3 * PIECE + 1
    for _ in range(watchers):
        desk.ask()
    desk.fine()
    live = live_call(STRANGER, BOHDAN_PARTY)
    talk(desk, live)
    assert desk.fine() == []  # the call comes first
    assert desk.notifier.waiting == watchers
    await asyncio.sleep(0)
    assert len(desk.fine()) == PIECE
    assert desk.notifier.waiting == watchers - PIECE
    BusyNumbers(desk.presence).end(live)  # before the others were told: they never hear of that call
    desk.notifier.call_changed(live)
    assert len(await told(desk, PIECE)) == PIECE
    talk(desk, live_call(STRANGER, ANNA_PARTY))  # another number: nobody asked
    assert desk.notifier.waiting == 0


async def test_a_subscription_that_cannot_be_told_harms_no_other(desk: Desk) -> None:
    class Broken:
        def changed(self, now: float) -> None:
            raise RuntimeError("no such thing")

    queue = NotifyQueue(lambda: NOW)
    answer = desk.ask()
    desk.fine()
    (subscription,) = desk.ua._core.subscriptions.values()
    live = live_call(STRANGER, BOHDAN_PARTY)
    talk(desk, live)
    queue.add([cast("Subscription", Broken()), subscription])
    await asyncio.sleep(0)
    assert len(queue) == 0
    assert len(desk.fine()) == 1
    queue.add([subscription])
    queue.stop()
    queue.stop()
    assert answer.status == 200


async def test_a_fault_of_the_lamps_is_none_of_the_call(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.ask()
    desk.fine()
    live = live_call(STRANGER, BOHDAN_PARTY)
    live.show({"callee": Identity(cast(str, 5), "", restricted=False)})
    talk(desk, live)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "the lamps do not show what the call does"
    ]


async def test_a_group_is_busy_while_it_is_called(desk: Desk) -> None:
    """Not while that of another enterprise with the same code is."""
    desk.ask("200", event="presence")
    desk.fine()
    talk(desk, live_call(STRANGER, Party("200", "ent-2")))
    await asyncio.sleep(0)
    assert desk.fine() == []
    talk(desk, live_call(STRANGER, Party("200", "ent-1")))
    await asyncio.sleep(0)
    (notify,) = desk.fine()
    assert b"on-the-phone" in notify.body


async def test_devices_come_and_go(desk: Desk) -> None:
    desk.notifier.devices_changed(BOHDAN)
    desk.ask(event="presence")
    assert b"closed" in desk.fine()[0].body
    desk.locations.put(binding(number=BOHDAN, contact="sip:b@1", expires_at=NOW + 900))
    for number in (BOHDAN, BOHDAN, VERA):
        desk.notifier.devices_changed(number)
    (notify,) = await told(desk, 1)
    assert b"open" in notify.body
    desk.notifier.devices_changed(BOHDAN)
    await asyncio.sleep(0)
    assert desk.fine() == []


async def test_a_stop_asks_all_to_come_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier_module, "STOP_PIECE", 2)
    for _ in range(3):
        desk.ask()
    desk.fine()
    await desk.notifier.stop()
    states = [each.get("Subscription-State") for each in desk.fine()]
    assert states == [f"terminated;reason=probation;retry-after={seconds}" for seconds in (10, 11, 12)]


def test_a_line_that_is_in_a_call_when_it_is_first_watched(desk: Desk) -> None:
    other = live_call(STRANGER, ANNA_PARTY)
    other.call._core.call_id = other.call_id = "other"
    talk(desk, other)
    talk(desk, live_call(STRANGER, BOHDAN_PARTY))
    first = desk.ask()
    (notify,) = desk.fine()
    assert notify.body.count(b"<dialog ") == 1
    assert desk.ask("200").status == 200
    assert desk.again(first, expires="0").status == 200
    assert desk.notifier._lines._of_call == {}


HIDDEN = Identity("anonymous", "", restricted=True)
SHOWN = Identity("+380671000003", "Вера", restricted=False)
MASKED = Party("+380671000003", "ent-2", display_name="Secret", shown_as="+380441111111")


@pytest.mark.parametrize(
    ("caller", "shown", "told_caller", "told_called"),
    [
        (ANNA_PARTY, SHOWN, (BOHDAN_USER, ""), ("0671000003", "Вера")),
        (ANNA_PARTY, HIDDEN, ("", ""), ("", "")),
        (Party("anonymous"), None, None, ("", "")),
        (MASKED, None, None, ("0441111111", "")),
    ],
)
def test_who_is_shown(
    caller: Party, shown: Identity | None, told_caller: tuple[str, str] | None, told_called: tuple[str, str]
) -> None:
    """No more than the watched phone itself shows."""
    live = live_call(caller, BOHDAN_PARTY)
    live.show({} if shown is None else {"callee": shown})
    live.present = ("leg-1", "leg-2")
    (called,) = dialogs_of(live, ("ent-1", BOHDAN))
    assert (called.remote_user, called.remote_name) == told_called
    assert (called.initiator, called.phase, called.call_id) == (False, "trying", "")
    callers = [(each.remote_user, each.remote_name) for each in dialogs_of(live, ("ent-1", ANNA))]
    assert callers == ([] if told_caller is None else [told_caller])
