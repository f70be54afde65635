"""What is copied as curl does what the attempt did."""

import subprocess

from hypothesis import given
from hypothesis import strategies as st

from kobza.webhooks.curl import curl_command
from kobza.webhooks.exchange import Exchange, Headers, decode, encode, kept_headers, masked, sent_headers

WORDS = st.text(max_size=40)
HEADERS = st.lists(st.tuples(WORDS, WORDS))


def test_a_shell_takes_it_apart_as_it_was_meant() -> None:
    headers = [("Content-Type", "application/json"), ("Authorization", "Bearer ***"), ("X-Odd", "it's $HOME `id`")]
    body = b'{"client_state":"\'; rm -rf / #\\"}'
    command = curl_command("https://e.example/a?b=1&c=$d", headers, body)
    script = f"curl() {{ printf '%s\\n' \"$@\"; }}; REMOTE_TOKEN='s e c'; {command}"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "--include",
        "--request",
        "POST",
        "https://e.example/a?b=1&c=$d",
        "--header",
        "Content-Type: application/json",
        "--header",
        "Authorization: Bearer s e c",
        "--header",
        "X-Odd: it's $HOME `id`",
        "--data-binary",
        body.decode(),
    ]


def test_no_secret_is_kept() -> None:
    assert sent_headers({"Authorization": "Bearer s3cret", "X": "y"}) == [("Authorization", "Bearer ***"), ("X", "y")]
    answered = [("Set-Cookie", "sid=1"), ("Server", "a\0b")]
    assert kept_headers(answered) == [("Set-Cookie", "***"), ("Server", "a\ufffdb")]
    assert kept_headers([("A", "x" * 2000), ("B", "y" * 2000), ("C", "z")]) == [("A", "x" * 2000)]
    assert masked("you sent s3cret!", "s3cret") == "you sent ***!"
    assert masked("as it is", "") == "as it is"


@given(HEADERS, HEADERS, st.none() | st.integers(0, 99_999))
def test_an_exchange_is_read_as_it_was_written(sent: Headers, got: Headers, ms: int | None) -> None:
    exchange = Exchange(sent, got, "1.1", ms, ms)
    assert decode(encode(exchange)) == exchange
    assert decode(None) is None
