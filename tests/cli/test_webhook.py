"""`kobza webhook …` on the store: what was posted and why it failed, once more, on again, a try, copied as curl."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from kobza.call.states import OwnerState, StateType
from kobza.store import Store, deliveries, endpoints
from kobza.store.entries import AttemptStored, StateStored
from kobza.store.journal import JournalWriter
from kobza.store.place import Place
from kobza.webhooks.exchange import Exchange, encode
from kobza.webhooks.payload import body
from tests.cli.conftest import Kobza
from tests.support.authority import authority_file
from tests.support.sink import Status, WebhookSink
from tests.webhooks.h2_receiver import receiver

SECRET = "whsec_" + "QUJD" * 8


Beside = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def enterprise(kobza: Kobza, place: Place) -> str:
    """An enterprise with a webhook and three states of one call: delivered, failed, missed."""
    kobza("init")
    added = kobza("enterprise", "add", "Bakery", "--admin", "olena", "--password", "open sesame", "--json").json
    enterprise: str = added["enterprise_id"]
    url = "https://crm.example.com/hooks"
    options = ("--enterprise", enterprise, "--url", url, "--token", "s3cret", "--secret", SECRET, "--extended")
    kobza("webhook", "set", *options)
    return enterprise


@pytest.fixture
def store(place: Place, enterprise: str) -> Iterator[Store]:
    opened = Store.open(place)
    writer = JournalWriter(opened.place)
    names = (StateType.ALERTING, StateType.ESTABLISHED, StateType.FINISHED)
    states = [
        OwnerState(
            event_id=f"e{sequence}",
            call_id="call",
            call_control_id="leg",
            sequence=sequence,
            state_type=state_type,
            enterprise_id=enterprise,
            state_owner="+380671234567",
            phone_number="+380501112233",
            call_direction="incoming",
            at=time.time() - 100 + sequence,
        )
        for sequence, state_type in enumerate(names, 1)
    ]
    writer.write([StateStored(state, state.sequence < 3, body(state)) for state in states])
    sent = [("Content-Type", "application/json"), ("Authorization", "Bearer ***")]
    for sequence, status, error in ((1, 200, None), (2, 500, "the receiver answered HTTP 500")):
        attempt = AttemptStored(
            call_id="call",
            call_control_id="leg",
            sequence=sequence,
            attempt=1,
            started_at=time.time(),
            duration_ms=41,
            outcome="delivered" if error is None else "failed",
            url="https://crm.example.com/hooks/callstate",
            address="192.0.2.7",
            status_code=status,
            error=error,
            response="oh\x1b[31m no",
            exchange=encode(Exchange(sent, [("Server", "nginx")], "1.1", 12, 40)),
        )
        writer.write([attempt])
    writer.close()
    yield opened
    opened.close()


def test_what_was_posted_is_listed_and_shown(kobza: Kobza, enterprise: str, store: Store) -> None:
    listed = kobza("webhook", "deliveries", "--enterprise", enterprise, "--json").json["deliveries"]
    assert [(each["id"], each["status"]) for each in listed] == [("2", "failed"), ("1", "delivered")]
    assert listed[0]["attempts"][0]["response_headers"] == [["Server", "nginx"]]
    table = kobza("webhook", "deliveries", "--enterprise", enterprise, "--status", "failed").out
    assert "established  0671234567" in " ".join(table.split()).replace("established 0671", "established  0671")
    assert "the receiver answered HTTP 500" in table
    assert "HTTP 200" not in table
    shown = kobza("webhook", "show", "2", "--enterprise", enterprise).out
    for words in (
        "Delivery 2: failed, 1 attempts",
        '"state_type":"established"',
        "41 ms: the receiver answered HTTP 500",
        "POST https://crm.example.com/hooks/callstate (192.0.2.7)",
        "connected in 12 ms",
        "answer after 40 ms",
        "> Authorization: Bearer ***",
        "< HTTP/1.1 500",
        "< Server: nginx",
        "| oh\ufffd[31m no",
    ):
        assert words in shown, shown
    assert "s3cret" not in shown
    assert kobza("webhook", "show", "2", "--enterprise", enterprise, "--json").json == listed[0]
    for unknown in (("show", "9"), ("curl", "9")):
        ran = kobza("webhook", *unknown, "--enterprise", enterprise)
        assert (ran.code, ran.err) == (1, "kobza: the enterprise has no delivery 9\n")
    ran = kobza("webhook", "deliveries", "--enterprise", "nobody")
    assert (ran.code, ran.err) == (1, "kobza: there is no enterprise nobody\n")


def test_a_delivery_is_copied_as_curl(kobza: Kobza, enterprise: str, store: Store) -> None:
    masked = kobza("webhook", "curl", "1", "--enterprise", enterprise).out
    assert '--header "Authorization: Bearer $REMOTE_TOKEN"' in masked
    assert "s3cret" not in masked
    plain = kobza("webhook", "curl", "1", "--enterprise", enterprise, "--show-secrets").out
    assert "--header 'Authorization: Bearer s3cret'" in plain
    assert "webhook-signature: v1," in plain


def test_once_more(kobza: Kobza, enterprise: str, store: Store) -> None:
    def pending() -> list[int]:
        with store.read() as conn:
            return [each.cursor for each in deliveries.pending(conn, enterprise)]

    who = ("--enterprise", enterprise, "--json")
    ran = kobza("webhook", "replay", "1", "9", *who)
    assert (ran.json, ran.err) == ({"replayed": 1}, "kobza: note: 1 of these ids are no deliveries of the enterprise\n")
    assert pending() == [1]
    assert kobza("webhook", "recover", "--since", "1h", *who).json == {"recovered": 2, "missed": 1}
    assert pending() == [1, 2, 3]
    assert kobza("webhook", "replay", "--since", "1h", *who).json == {"replayed": 3}
    assert kobza("webhook", "replay", "--since", "3h", "--until", "2h", *who).json == {"replayed": 0}
    for wrong in (("replay",), ("replay", "1", "--since", "1h"), ("recover", "--since", "soon")):
        assert kobza("webhook", *wrong, *who).code == 2


def test_on_again(kobza: Kobza, enterprise: str, store: Store) -> None:
    who = ("--enterprise", enterprise, "--json")
    assert kobza("webhook", "on", *who).json == {"activated": False, "recovered": 0, "missed": 0}
    with store.write() as conn:
        endpoints.note_failing(conn, enterprise, int(time.time() - 3600) * 1000)
        endpoints.deactivate(conn, enterprise, "410", 1)
    assert kobza("webhook", "on", *who).json == {"activated": True, "recovered": 2, "missed": 1}
    with store.write() as conn:
        endpoints.delete(conn, enterprise)
    for command in (("on",), ("test",), ("recover", "--since", "1h")):
        ran = kobza("webhook", *command, *who)
        assert (ran.code, ran.err) == (1, "kobza: there is no webhook; set one with `kobza webhook set`\n")


@pytest.fixture
def beside() -> Iterator[Beside]:
    """Run a coroutine in a loop beside this thread, which a command blocks; give what it returns."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_try(kobza: Kobza, enterprise: str, monkeypatch: pytest.MonkeyPatch, beside: Beside) -> None:
    monkeypatch.setenv("KOBZA_WEBHOOK_ALLOW", "127.0.0.0/8")
    sink = WebhookSink()
    beside(sink.__aenter__())
    try:
        kobza("webhook", "set", "--enterprise", enterprise, "--url", sink.url, "--token", "s3cret")
        ran = kobza("webhook", "test", "--enterprise", enterprise, "--json")
        assert (ran.code, ran.json["delivered"], ran.json["status_code"]) == (0, True, 200)
        assert [state["state_type"] for state in sink.states] == ["test"]
        sink.otherwise = Status(500, body=b"your token is s3cret")
        ran = kobza("webhook", "test", "--enterprise", enterprise, "--json")
        said = json.loads(ran.out)
        assert (ran.code, said["delivered"], said["address"]) == (1, False, "127.0.0.1")
        assert said["response"] == "your token is ***"
        assert "s3cret" not in ran.out
    finally:
        beside(sink.__aexit__(None, None, None))


def test_a_try_over_http2(
    kobza: Kobza, enterprise: str, beside: Beside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receiver speaks nothing else, and its certificate is of an authority that is trusted by SSL_CERT_FILE."""
    monkeypatch.setenv("KOBZA_WEBHOOK_HTTP2", "true")
    serving = receiver()
    one = beside(serving.__aenter__())
    try:
        kobza("webhook", "set", "--enterprise", enterprise, "--url", one.url, "--token", "s3cret")
        refused = json.loads(kobza("webhook", "test", "--enterprise", enterprise, "--json").out)
        assert "its issuer is not known here" in refused["error"]
        monkeypatch.setenv("SSL_CERT_FILE", str(authority_file(tmp_path)))
        ran = kobza("webhook", "test", "--enterprise", enterprise, "--json")
        assert (ran.code, ran.json["delivered"], ran.json["status_code"]) == (0, True, 204)
    finally:
        beside(serving.__aexit__(None, None, None))
