import base64
import time

import pytest
from standardwebhooks import Webhook

from kobza.webhooks.endpoint import callstate_url, check_secret, check_token, check_url
from kobza.webhooks.signing import signature_headers

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example.com",
        "http://127.0.0.1:9000/hooks",
        "https://[2001:db8::1]:8443/a/b?key=1",
        "https://крм.укр/",
    ],
)
def test_urls_that_are_right(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "crm.example.com",
        "ftp://crm.example.com",
        "https://",
        "https:///hooks",
        "/hooks",
        "https://crm.example.com:99999/",
        "https://crm.example.com:0/",
        "https://user:pw@crm.example.com/",
        "https://crm.example.com/#part",
        "https://crm.example.com/a b",
        "https://crm.example.com/\r\nX: y",
        "https://crm.example.com/" + "a" * 2000,
        "https://[::1",
    ],
)
def test_urls_that_are_wrong(url: str) -> None:
    with pytest.raises(ValueError, match=r"^expected"):
        check_url(url)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "жетон", "x" * 1001])
def test_tokens_that_are_wrong(token: str) -> None:
    with pytest.raises(ValueError, match=r"^expected"):
        check_token(token)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_" + "ж" * 40, "whsec_" + "*" * 40, "a" * 41])
def test_secrets_that_are_wrong(secret: str) -> None:
    with pytest.raises(ValueError, match=r"^expected"):
        check_secret(secret)


def test_tokens_and_secrets_that_are_right() -> None:
    check_token("0123abc-._~+/=")
    check_secret(SECRET)
    check_secret(SECRET.removeprefix("whsec_"))


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://crm.example.com", "https://crm.example.com/callstate"),
        ("https://crm.example.com/", "https://crm.example.com/callstate"),
        ("https://crm.example.com/hooks", "https://crm.example.com/hooks/callstate"),
        ("https://crm.example.com/hooks/", "https://crm.example.com/hooks/callstate"),
        ("https://crm.example.com/a%2Fb?key=1", "https://crm.example.com/a%2Fb/callstate?key=1"),
        ("http://127.0.0.1:9000/hooks", "http://127.0.0.1:9000/hooks/callstate"),
    ],
)
def test_states_go_to_callstate_under_the_url(url: str, target: str) -> None:
    assert str(callstate_url(url)) == target


def test_a_receiver_can_verify_the_signature() -> None:
    body = '{"call_id":"c1","client_state":"Рахунок"}'.encode()
    headers = signature_headers(SECRET, "event-1", body, time.time())
    assert Webhook(SECRET).verify(body, headers) == {"call_id": "c1", "client_state": "Рахунок"}
    assert headers["webhook-id"] == "event-1"


def test_another_body_does_not_verify() -> None:
    headers = signature_headers(SECRET, "event-1", b"{}", time.time())
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(SECRET).verify(b"{ }", headers)


def test_a_signature_is_that_of_the_specification() -> None:
    # The example of the specification's reference implementations.
    headers = signature_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        1614265330.9,
    )
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
