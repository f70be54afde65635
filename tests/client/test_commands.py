"""Commands, settings and the webhook, at a real Kobza API."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from kobza.client import BadRequest, Clip, Conflict, Dnd, Forbidden, NotFound, Originated
from kobza.client.wall import KYIV
from tests.api.world import ALICE, BORYS, OUTSIDE, PLAIN, Leg, Phone, World
from tests.client.conftest import Both
from tests.client.serving import Recorder, Scripted, served

pytestmark = pytest.mark.database("sqlite")  # it sees a server from outside: the API's tests try both stores


def test_originate_with_everything(kobza: Both, world: World, recorder: Recorder) -> None:
    begun = kobza.originate(
        "067 111-11-11", OUTSIDE, timeout=20, clip=BORYS, client_state="замовлення 7", idempotency_key="order-7"
    )
    assert begun == Originated("leg1", "call1")
    own = world.own.enterprise_id
    assert world.commands.told == [("originate", own, ALICE, OUTSIDE, 20, BORYS, "замовлення 7")]
    assert recorder.requests[0][2]["idempotency-key"] == "order-7"
    kobza.originate(ALICE, OUTSIDE)
    kobza.originate(ALICE, OUTSIDE)
    keys = [request[2]["idempotency-key"] for request in recorder.requests]
    assert len(set(keys)) == 3
    assert world.commands.told[-1] == ("originate", own, ALICE, OUTSIDE, 60, None, None)
    with pytest.raises(Conflict) as refused:
        kobza.originate(BORYS, OUTSIDE, idempotency_key="order-7")
    assert refused.value.code == "idempotency_conflict"


def test_a_leg_is_acted_on(kobza: Both, world: World) -> None:
    world.commands.legs.append(Leg("call", "leg", ALICE, OUTSIDE, "outgoing", "established", 0))
    for action, state in (("hold", "held"), ("unhold", "established"), ("clear", "finished")):
        done = kobza.leg("leg", action)
        assert (done.call_control_id, done.action, done.state) == ("leg", action, state)
    with pytest.raises(NotFound):
        kobza.leg("other", "hold")


@pytest.mark.parametrize(
    ("method", "arguments", "body"),
    [
        ("mute", (), {"action": "mute"}),
        ("unmute", (), {"action": "unmute"}),
        ("dtmf", ("12#",), {"action": "dtmf", "digits": "12#"}),
        ("transfer", ("0671234567",), {"action": "transfer", "destination": "0671234567"}),
        ("record_start", (), {"action": "record_start"}),
        ("record_pause", (), {"action": "record_pause"}),
        ("record_resume", (), {"action": "record_resume"}),
        ("record_stop", (), {"action": "record_stop"}),
    ],
)
def test_what_each_action_sends(kind: str, method: str, arguments: tuple[str, ...], body: dict[str, str]) -> None:
    app = Scripted((200, {}, b""))  # the operator's service promises no body
    with served(app) as base:
        assert Both(kind, base, "T", "I").leg("leg", method, *arguments).state is None
    ((verb, path, headers, sent),) = app.requests
    assert (verb, path) == ("POST", "/api/fmc/v1/callcontrol?integrator_id=I")
    assert headers["authorization"] == "Bearer T"
    assert json.loads(sent) == {"call_control_id": "leg", **body}


def test_what_a_command_tells(kind: str) -> None:
    body = b'{"state":"held","muted":true,"recording":"paused","record_id":"r1"}'
    with served(Scripted((200, {}, body))) as base:
        done = Both(kind, base, "T", "I").leg("leg", "record_pause")
    assert (done.state, done.muted, done.recording, done.record_id) == ("held", True, "paused", "r1")


def test_clip(kobza: Both, world: World) -> None:
    assert kobza.clip(ALICE) == Clip("0671111111", None, False, None)
    until = datetime.fromtimestamp(world.at + 3600, UTC)
    assert kobza.set_clip(ALICE, BORYS, until=until) == Clip("0671111111", "0672222222", False, until)
    assert kobza.set_clip(ALICE, restricted=True).restricted
    assert kobza.set_clip(ALICE) == Clip("0671111111", None, False, None)
    with pytest.raises(Forbidden) as refused:
        kobza.set_clip(ALICE, OUTSIDE)
    assert refused.value.code == "presentation_not_allowed"
    with pytest.raises(Forbidden) as refused:
        kobza.clip(PLAIN)
    assert refused.value.code == "service_not_enabled"


def test_dnd(kobza: Both, world: World) -> None:
    assert kobza.dnd(ALICE) == Dnd("0671111111", False, None)
    kyiv = datetime.fromtimestamp(world.at + 7200, KYIV)
    assert kobza.set_dnd(ALICE, True, until=kyiv.replace(tzinfo=None)).until.timestamp() == kyiv.timestamp()
    assert kobza.dnd(ALICE).on
    assert not kobza.set_dnd(ALICE, False).on
    with pytest.raises(BadRequest) as refused:
        kobza.set_dnd(ALICE, True, until=kyiv - timedelta(days=1))
    assert refused.value.parameter == "until"


def test_phone_status(kobza: Both, world: World, recorder: Recorder) -> None:
    world.commands.phones = [
        Phone(ALICE, "busy", False, 2, world.at),
        Phone(BORYS, "unavailable", True, 0, None),
    ]
    alice, borys = kobza.phone_status()
    assert (alice.number, alice.status, alice.dnd, alice.devices) == ("0671111111", "busy", False, 2)
    assert alice.since == datetime.fromtimestamp(world.at, UTC)
    assert (borys.dnd, borys.since) == (True, None)
    assert kobza.phone_status(BORYS, BORYS) == [borys]
    assert recorder.requests[-1][1].count("number=") == 1


def test_many_numbers_are_asked_for_in_turn(kind: str) -> None:
    app = Scripted((200, {}, b'{"phones":[]}'))
    with served(app) as base:
        Both(kind, base, "T", "I").phone_status(*(f"067{n:07}" for n in range(250)))
    assert [request[1].count("number=") for request in app.requests] == [100, 100, 50]


def test_the_webhook(kobza: Both, world: World) -> None:
    assert kobza.webhook() is None
    assert kobza.delete_webhook() is False
    with pytest.raises(Conflict) as refused:
        kobza.test_webhook()
    assert refused.value.code == "webhook_not_set"
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = kobza.set_webhook("https://crm.example.com/hooks", "remote", secret=secret, extended=True)
    assert (made.url, made.signed, made.extended, made.active) == ("https://crm.example.com/hooks", True, True, True)
    assert kobza.webhook() == made
    tried = kobza.test_webhook()
    assert (tried.delivered, tried.status_code, tried.duration_ms, tried.response) == (True, 200, 12, "ok")
    assert kobza.delete_webhook() is True
    with pytest.raises(BadRequest) as bad:
        kobza.set_webhook("ftp://x", "remote")
    assert bad.value.parameter == "url"


def test_arguments_that_are_wrong(kobza: Both, recorder: Recorder) -> None:
    with pytest.raises(ValueError, match="status must be"):
        kobza.deliveries("lost")
    assert recorder.requests == []


def test_names_with_slashes_stay_in_their_place(kind: str) -> None:
    app = Scripted((404, {}, b"{}"))
    with served(app) as base, pytest.raises(NotFound):
        Both(kind, base, "T", "I").replay("../x?y")
    assert app.requests[0][1].startswith("/api/fmc/v1/webhook/deliveries/")
