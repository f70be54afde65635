"""The client's half of NG in virtual time: cookies, replies, what is sent again, what is given up."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.media.rtpengine import ng
from kobza.media.rtpengine.bencode import decode, encode
from kobza.media.rtpengine.ng import RESEND_AFTER, Answer, NgClient, NgError, NoReply, Refused

PING = {"command": "ping"}


def reply(to: bytes, **said: str) -> bytes:
    """What an instance says to a datagram."""
    return to.split(b" ")[0] + b" " + encode(said)


def test_a_reply_finds_who_asked() -> None:
    client = NgClient("a")
    answers: list[Answer] = []
    others: list[Answer] = []
    first = client.ask(PING, answers.append, 0.0)
    second = client.ask(PING, others.append, 0.0)
    assert first.split(b" ")[0] != second.split(b" ")[0]
    assert decode(first.partition(b" ")[2]) == {"command": b"ping"}
    assert client.take(reply(second, result="pong"))
    assert (answers, others) == ([], [{"result": b"pong"}])
    assert not client.take(reply(second, result="pong"))
    assert client.waiting == 1


def test_what_gets_no_reply_is_sent_again_with_its_cookie_and_then_given_up() -> None:
    client = NgClient("a")
    answers: list[Answer] = []
    datagram = client.ask(PING, answers.append, 100.0)
    now = 100.0
    for wait in RESEND_AFTER[:-1]:
        assert client.due == now + wait
        assert client.poll(now + wait - 0.001) == []
        now += wait
        assert client.poll(now) == [datagram]
    assert client.resent == len(RESEND_AFTER) - 1
    assert answers == []
    assert client.poll(now + RESEND_AFTER[-1]) == []
    (failure,) = answers
    assert isinstance(failure, NoReply)
    assert "2.75 s" in failure.reason
    assert client.due is None
    assert not client.take(reply(datagram, result="pong"))  # too late


def test_a_refusal_has_its_reason() -> None:
    client = NgClient("a")
    answers: list[Answer] = []
    for reason in ("Unknown call-id", "Unknown call-ID", "Ran out of ports"):
        client.take(reply(client.ask(PING, answers.append, 0.0), **{"result": "error", "error-reason": reason}))
    client.take(reply(client.ask(PING, answers.append, 0.0), result="error"))
    refusals = [answer for answer in answers if isinstance(answer, Refused)]
    assert [each.unknown_call for each in refusals] == [True, True, False, False]
    assert refusals[2].reason == "Ran out of ports"
    assert refusals[3].reason == "it gives no reason"


def test_all_who_wait_are_told_when_it_is_gone() -> None:
    client = NgClient("a")
    answers: list[Answer] = []
    for _ in range(3):
        client.ask(PING, answers.append, 0.0)
    client.fail("nobody listens there")
    assert [isinstance(each, NgError) and each.reason for each in answers] == ["nobody listens there"] * 3
    assert client.waiting == 0


def test_there_is_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ng, "MAX_WAITING", 2)
    client = NgClient("a")
    for _ in range(2):
        client.ask(PING, lambda _: None, 0.0)
    with pytest.raises(NoReply, match="2 commands wait"):
        client.ask(PING, lambda _: None, 0.0)


@given(st.lists(st.binary(max_size=60)), st.binary(max_size=20))
def test_anything_that_comes_is_a_reply_or_nothing(datagrams: Sequence[bytes], body: bytes) -> None:
    client = NgClient("a")
    answers: list[Answer] = []
    asked = client.ask(PING, answers.append, 0.0)
    for each in (*datagrams, b"", b" ", asked.split(b" ")[0] + b" " + body):
        client.take(each)
    assert len(answers) <= 1
    assert client.waiting + len(answers) == 1
