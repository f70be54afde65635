"""Refusals, retries, lost connections: what may be sent twice, and what never is."""

import json
import logging
import socket
import threading
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza import client as package
from kobza.client import (
    AnswerNotUnderstood,
    ApiError,
    AsyncKobza,
    BadRequest,
    ClientError,
    Conflict,
    ConnectionLost,
    Forbidden,
    Kobza,
    Retries,
    ServerFailed,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)
from kobza.client.account import clean_base_url
from kobza.client.exchange import error_of, retry_after
from tests.api.world import ALICE, BORYS, World
from tests.client.conftest import Both
from tests.client.serving import Prepared, Recorder, Scripted, break_off, served

pytestmark = pytest.mark.database("sqlite")  # it sees a server from outside: the API's tests try both stores


NOW = datetime(2026, 3, 1, tzinfo=UTC)
OK: Prepared = (200, {}, b'{"phones":[],"call_control_id":"leg"}')
LOST: Prepared = (0, {}, b"")


def problem(status: int, code: str = "", **headers: str) -> tuple[int, dict[str, str], bytes]:
    body = json.dumps({"status": status, "detail": "So it is.", "code": code}).encode()
    return status, {"content-type": "application/problem+json", **headers}, body


def test_a_refusal_has_all_that_the_server_says(kobza: Both) -> None:
    with pytest.raises(BadRequest) as refused:
        kobza.originate("nobody", "0501112233")
    error = refused.value
    assert (error.status, error.code, error.parameter) == (400, "invalid_number", "originator")
    assert error.detail.endswith(".")
    assert str(error) == f"{error.detail} (HTTP 400, invalid_number)"
    assert isinstance(error, ApiError | ClientError)


def test_wrong_tokens_and_integrators(kind: str, url: str, world: World) -> None:
    with pytest.raises(Forbidden):
        Both(kind, url, "ab" * 32, world.own.integrator_id).phone_status()
    with pytest.raises(Forbidden) as refused:
        Both(kind, url, world.own.fmc_token, "somebody").phone_status()
    assert refused.value.parameter == "integrator_id"
    with pytest.raises(ValueError, match="integrator_id is needed"):
        Both(kind, url, world.own.fmc_token, None).phone_status()
    now = datetime.fromtimestamp(world.at, UTC)
    assert Both(kind, url, world.own.fmc_token, None, now=lambda: now).call_statistics(now - timedelta(hours=1)) == []


@pytest.mark.parametrize(
    "answers",
    [
        (LOST, LOST, OK),
        (problem(503), problem(502), problem(504), OK),
        (problem(503, "unavailable"), OK),
        (problem(429, "too_many_requests", **{"retry-after": "0"}), OK),
        ((503, {"content-type": "text/html"}, b"<html>gateway</html>"), OK),
    ],
)
def test_a_get_is_repeated(kind: str, answers: tuple[Any, ...]) -> None:
    app = Scripted(*answers)
    with served(app) as base:
        assert Both(kind, base, "T", "I").phone_status() == []
    assert len(app.requests) == len(answers)
    assert len({request[:2] for request in app.requests}) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (LOST, ConnectionLost),
        (problem(503), ServerFailed),
        (problem(429), TooManyRequests),
    ],
)
def test_repetitions_end(kind: str, answer: Any, error: type[ClientError]) -> None:
    app = Scripted(answer)
    with served(app) as base, pytest.raises(error):
        Both(kind, base, "T", "I").phone_status()
    assert len(app.requests) == 5


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem(400), BadRequest),
        (problem(401), Unauthorized),
        (problem(403), Forbidden),
        (problem(409), Conflict),
        (problem(418), ApiError),
        (problem(500), ServerFailed),
        (problem(503, "no_route"), ServerFailed),
        (problem(503, "unavailable", **{"retry-after": "86400"}), ServerFailed),
        ((302, {"location": "https://elsewhere.example/?token=secret"}, b""), AnswerNotUnderstood),
    ],
)
def test_what_will_not_pass_is_not_repeated(kind: str, answer: Any, error: type[ClientError]) -> None:
    app = Scripted(answer)
    with served(app) as base, pytest.raises(error) as refused:
        Both(kind, base, "T", "I").phone_status()
    assert type(refused.value) is error
    assert len(app.requests) == 1
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("answer", [LOST, problem(503), problem(502, "refused_by_phone")])
def test_a_command_is_never_sent_twice(kind: str, answer: Any) -> None:
    app = Scripted(answer, OK)
    with served(app) as base, pytest.raises((ConnectionLost, ServerFailed)):
        Both(kind, base, "T", "I").leg("leg", "hold")
    assert len(app.requests) == 1


def test_a_command_that_was_refused_for_the_crowd_is_sent_again(kind: str) -> None:
    app = Scripted(problem(429), OK)
    with served(app) as base:
        assert Both(kind, base, "T", "I").leg("leg", "hold").state is None
    assert len(app.requests) == 2


def test_originate_is_repeated_with_one_key_and_calls_once(kind: str, world: World) -> None:
    """The real API has carried the request out; only its answer is lost."""

    class LosesTheFirst:
        lost = 0
        keys: list[str]

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            self.keys.append(dict(scope["headers"])[b"idempotency-key"].decode())
            if self.lost == 0:
                self.lost = 1

                async def nothing(_message: Any) -> None:
                    pass

                await world.app(scope, receive, nothing)
                await break_off(send)
            await world.app(scope, receive, send)

    app = LosesTheFirst()
    app.keys = []
    with served(app) as base:
        begun = Both(kind, base, world.own.fmc_token, world.own.integrator_id).originate(ALICE, BORYS)
    assert begun.call_id == "call1"
    assert len(world.commands.told) == 1
    assert len(app.keys) == 2
    assert len(set(app.keys)) == 1


def test_originate_of_a_server_without_keys_is_sent_once(kind: str) -> None:
    app = Scripted(LOST, OK)
    with served(app) as base, pytest.raises(ConnectionLost):
        Both(kind, base, "T", "I", knows_idempotency_keys=False).originate("1", "2")
    assert len(app.requests) == 1


def test_a_server_that_is_not_there_was_asked_nothing(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match=f"cannot reach http://127.0.0.1:{port}"):
        Both(kind, f"http://127.0.0.1:{port}", "T", "I").leg("leg", "clear")


def test_a_server_that_is_silent(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ConnectionLost, match="no answer in time"):
            Both(kind, base, "T", "I", timeout=0.05).leg("leg", "clear")


def test_a_server_of_another_protocol(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(b"220 mail.example ESMTP\r\n")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ConnectionLost):
            Both(kind, f"http://127.0.0.1:{listener.getsockname()[1]}", "T", "I").leg("leg", "clear")
        thread.join(5)


def test_secrets_are_nowhere_to_be_seen(
    kobza: Both, kind: str, url: str, world: World, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    token = world.own.fmc_token
    caplog.set_level(logging.DEBUG)
    kobza.call_statistics(datetime.fromtimestamp(world.at - 60, UTC))
    assert f"token={token}" in recorder.requests[0][1]
    kobza.phone_status()
    for client in (Kobza(url, token, "I"), AsyncKobza(url, token, "I")):
        assert token not in repr(client)
        assert token not in repr(client._account)
        assert token not in repr(client.call("leg"))
    with pytest.raises(ClientError) as refused:
        Both(kind, "http://127.0.0.1:9", token, "I").call_statistics(datetime.fromtimestamp(world.at - 60, UTC))
    shown = "".join(traceback.format_exception(refused.value))
    cause = refused.value.__cause__
    assert token not in shown + repr(getattr(cause, "request", ""))
    assert "httpx" in caplog.text  # it does log requests
    assert token not in caplog.text


@pytest.mark.parametrize(
    ("given_url", "base"),
    [
        ("https://pbx.example.com/", "https://pbx.example.com"),
        ("https://pbx.example.com:8443/kobza/", "https://pbx.example.com:8443/kobza"),
        ("https://pbx.example.com/api/fmc", "https://pbx.example.com"),
        ("https://pbx.example.com/api/fmc/v1/", "https://pbx.example.com"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_base_urls(given_url: str, base: str) -> None:
    assert clean_base_url(given_url) == base


@pytest.mark.parametrize(
    "given_url",
    [
        "",
        "pbx.example.com",
        "ftp://x",
        "http://",
        "http://u:p@x",
        "http://x?a=b",
        "http://x y",
        "http://x:port",
        "http://[",
        "http://x#y",
        "http://☃.-",
        "http://a..b",
        f"http://{'a' * 64}",
    ],
)
def test_base_urls_that_are_none(given_url: str) -> None:
    with pytest.raises(ValueError, match="the base URL must"):
        Kobza(given_url, "T", "I")


@pytest.mark.parametrize("token", ["", "a b", "ключ", "a\nb"])
def test_tokens_that_are_none(token: str) -> None:
    with pytest.raises(ValueError, match="the token must be"):
        AsyncKobza("http://x", token, "I")


def test_other_arguments_that_are_none(kind: str) -> None:
    with pytest.raises(ValueError, match="language must be"):
        Both(kind, "http://x", "T", "I", language="pl").phone_status()
    for key in ("x" * 256, "ключ", "a\nb"):
        with pytest.raises(ValueError, match="idempotency_key must be"):
            Both(kind, "http://x", "T", "I").originate("1", "2", idempotency_key=key)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("soon", None),
        ("-1", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        ("Sun, 01 Mar 2026 00:00:30", 30.0),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@given(st.integers(300, 999), st.binary(max_size=200), st.text(max_size=30))
def test_no_refusal_is_misread(status: int, body: bytes, header: str) -> None:
    error = error_of(status, {"retry-after": header}, body, NOW)
    assert error.status == status
    assert str(error)
    assert error.retry_after is None or error.retry_after >= 0


def test_an_incident_is_told() -> None:
    body = b'{"status":500,"code":"internal_error","detail":"Something went wrong here.","incident":"0192f3"}'
    error = error_of(500, {}, body, NOW)
    assert isinstance(error, ServerFailed)
    assert error.incident == "0192f3"
    assert str(error) == "Something went wrong here. (HTTP 500, internal_error, incident 0192f3)"


def test_waits_grow_and_have_an_end() -> None:
    waits = [Retries(chance=lambda: 0.0).wait(repetition) for repetition in range(1, 9)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert Retries(chance=lambda: 1.0).wait(1) == 0.625


def test_all_that_is_named_is_there() -> None:
    assert len(set(package.__all__)) == len(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)


def test_a_proxy_of_the_environment_is_used_and_may_be_passed_by(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = Scripted(OK)
    with served(app) as base:
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv("http_proxy", base)
        assert Both(kind, "http://pbx.invalid", "T", "I").phone_status() == []
        monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1080")
        with pytest.raises(ValueError, match="the proxy that the environment names"):
            Both(kind, "http://pbx.invalid", "T", "I").phone_status()
        monkeypatch.setenv("no_proxy", "pbx.invalid")
        with pytest.raises(Unreachable):
            Both(kind, "http://pbx.invalid", "T", "I").phone_status()
